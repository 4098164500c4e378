"""The subject line without what mail programs and ticket systems put before it."""

import re

from connector.clean.characters import bound, tidy

LONGEST_SUBJECT = 500  # characters; RFC 5322 allows a line of 998, people write about 60
_REPLY = r"re|aw|antw|antwort|res|ref|réf|sv|vs|odp|ynt|答复|回复"
_FORWARD = r"fw|fwd|tr|rv|wg|wtr|doorst|enc|i(?=: ?(?:re|i|r):)|转发"
_PREFIX = rf"(?:{_REPLY}|{_FORWARD}) ?(?:[\[(]\d{{1,3}}[\])])? ?[:：]"
_MARKER = (
    r"[\[(] ?(?:ext(?:ern(?:al|e)?)?|spam\??|sec=\w+"
    r"|(?:ticket|case|request|incident|anfrage|vorgang|demande|solicitud|caso|incidencia|fall"
    r"|ref|id)? ?[:#n°º.-]*(?:[a-z]{1,10}-?)?\d{3,20}) ?[\])]"
    r"|##[a-z-]{0,10}\d+##"
    r"|(?:ticket|case|vorgang|caso|incident|demande) ?(?:#|n°|nr\.?|no\.?)? ?\d{3,20} ?[:–-]"
    r"|(?:inc|req|ritm|sctask|task|chg|prb|cs)\d{5,12}(?: ?[:–-]|(?= ))"
)
_LEADING = re.compile(rf"(?:(?:{_PREFIX}|{_MARKER}) *)+", re.IGNORECASE)
_TRAILING = re.compile(
    r"(?: *(?:[\[(] ?(?:ticket|case|ref|id)? ?[:#.-]*(?:[a-z]{1,10}-?)?\d{3,20} ?[\])]"
    r"|##[a-z-]{0,10}\d+##|ref: ?msg\d+\w*))+$",
    re.IGNORECASE,
)
_IS_FORWARD = re.compile(rf" *(?:{_MARKER} *)*(?:{_FORWARD}) ?[:：]", re.IGNORECASE)


def clean_subject(subject: str) -> str:
    """Give the subject without reply prefixes and ticket-number markers, on one line."""
    whole = bound(tidy(subject).replace("\n", " "), LONGEST_SUBJECT).replace("\n", " ")
    rest = whole[_leading_end(whole) :]
    rest = _TRAILING.sub("", rest).strip()
    return rest if any(character.isalnum() for character in rest) else whole


def is_forward(subject: str) -> bool:
    """Tell whether the subject's first prefix says that the message was forwarded."""
    return _IS_FORWARD.match(subject) is not None


def _leading_end(subject: str) -> int:
    found = _LEADING.match(subject)
    return found.end() if found else 0
