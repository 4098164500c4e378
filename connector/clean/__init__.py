"""HTML, quoted mail, salutations, signatures, logs and the like out: the text a model may see."""

from connector.clean.characters import LIMIT, bound, tidy
from connector.clean.dumps import without_dumps
from connector.clean.endings import has_words, without_endings
from connector.clean.markup import is_html, to_text, without_tags
from connector.clean.openings import without_opening
from connector.clean.personal import mask
from connector.clean.replies import without_history
from connector.clean.subject import clean_subject, is_forward
from connector.model import Ticket

__all__ = ["clean", "mask"]

_LONGEST_RAW = 1_000_000  # characters read at all; inline images make mails that long, words not
_LONGEST_READ = 100_000  # characters of text searched for endings: five times what is kept
_ROUNDS = 6  # a cut may uncover another ending; mail needs two, text made to annoy a few more


def clean(ticket: Ticket) -> str:
    """Give the text that a model may see: subject, first message, newest later message.

    One per paragraph, without HTML, quoted mail, salutations, signatures, disclaimers, logs and
    characters that are no text; at most 20,000 characters, head and tail kept. A message of which
    nothing would be left is kept uncut. Personal data stays: `mask` what is stored or shown. Takes
    time linear in the ticket's text; cleaning what was cleaned changes nothing.
    """
    forwarded = is_forward(ticket.subject)
    subject = clean_subject(ticket.subject)
    first = _message(ticket.description, subject, forwarded=forwarded)
    later = _message(ticket.last_message, subject, forwarded=False)
    if first or later:
        subject = without_opening(subject)
    if first.startswith(subject) and first[len(subject) :][:1] in {"", "\n"}:
        subject = ""
    if later == first:
        later = ""
    return bound("\n".join(part for part in (subject, first, later) if part))


def _message(text: str, subject: str, *, forwarded: bool) -> str:
    if not text:
        return ""
    text = tidy(bound(text, _LONGEST_RAW))
    for _ in range(_ROUNDS):
        cut = without_dumps(_cut(text, forwarded=forwarded), subject)
        if cut == text and len(text) <= LIMIT:
            break
        text = bound(tidy(cut))
    return text


def _cut(text: str, *, forwarded: bool) -> str:
    """Take history and endings off; keep the history, then the endings, if nothing were left."""
    if not is_html(text):
        whole = bound(text, _LONGEST_READ)
        return _own_words(whole, whole, forwarded=forwarded)
    own = _readable(to_text(text, history=forwarded))
    if cut := _own_words(own, "", forwarded=forwarded):
        return cut
    whole = _readable(to_text(text, history=True))
    return _own_words(whole, whole, forwarded=True) or _readable(without_tags(text))


def _readable(text: str) -> str:
    return bound(tidy(text), _LONGEST_READ)


def _own_words(text: str, otherwise: str, *, forwarded: bool) -> str:
    for kept in (without_history(text, forwarded=forwarded), otherwise):
        cut = without_endings(kept)
        if has_words(cut):
            told = without_opening(cut)
            return told if has_words(told) else cut
    return otherwise
