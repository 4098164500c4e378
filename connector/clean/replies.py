"""What earlier mail left in a message: quoted lines, attribution lines, header blocks.

mail-parser-reply knows how thirteen languages introduce a quote, but reads a whole message by
patterns whose time grows with the cube of its length (2,750 characters: 4.5 s; 5,500: 37 s), never
matches its own Spanish header, and misses wrapped French and Gmail's German ones. English,
French, German and Spanish are therefore read here; its table serves the other languages, on short
pieces of text only.
"""

import re
from functools import cache

_OPENS = re.compile(
    r"(?:[-*_\s>]*)(?:on|le|am|el|den|op|il|dnia|dne)\b|\d|.*(?:schrieb|escrib|wrote)",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(
    r"[-*_ ]*(?:on\b.+\bwrote ?:|le\b.+ a écrit ?:|am\b.+\bschrieb\b.*:|el\b.+ escribió ?:"
    r"|.+\bschrieb (?:am|um|on)\b.+:|.+ escribió (?:el|on)\b.+:|.+ a écrit le\b.+:"
    r"|op\b.+\b(?:schreef\b.*|geschreven ?):|.+\bwrote (?:on|at)\b.+:"
    r"|\d{4}-\d\d-\d\d\b.+<[^<> ]+@[^<> ]+> ?:)[*_ ]*$",
    re.IGNORECASE,
)
_DATED = re.compile(r"\b(?:19|20)\d\d\b|\d{1,2} ?[:.h] ?\d\d\b|@|\d{4}年")
_LONGEST_ATTRIBUTION = 300  # characters
_MOST_LINES = 3  # over which mail programs wrap an attribution
_FOREIGN = ("it", "nl", "pl", "sv", "da", "cs", "ja", "ko", "zh")
_FOREIGN_TRIES = 12  # pieces per message: the library's patterns take cubic time in a piece
_FOREIGN_LONGEST = 200  # characters of a piece

_HEADER = re.compile(
    r"[>*_ ]*(?:(?P<sender>from|von|de|expéditeur|remitente|absender)"
    r"|(?P<date>sent|date|gesendet|datum|envoyé(?: le)?|enviado(?: el)?|fecha)"
    r"|(?P<to>to|an|à|a|para|pour|reply-to|cc|bcc|kopie|copie à|cci|cco)"
    r"|(?P<subject>subject|betreff|objet|sujet|asunto)"
    r"|(?P<other>importance|priority|attachments?|wichtigkeit|anlagen|pièces jointes|importancia"
    r"|datos adjuntos|organi[sz]ation|reply to))[*_]* ?:",
    re.IGNORECASE,
)
_FEWEST_LABELS = 3  # two are written by people too: "To: … Subject: …"
_LONGEST_HEADER = 12  # lines, wrapped recipients included
_ORIGINAL = re.compile(
    r"[-_ *]{2,}(?:original message|original appointment|ursprüngliche nachricht"
    r"|originalnachricht|message d[’']origine|message original|mensaje original"
    r"|original-nachricht)[-_ *:]*$",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"(?:[-_ *]{2,}(?:forwarded (?:message|by)|weitergeleitete nachricht|message transféré"
    r"|mensaje reenviado)\b.{0,60}|(?:begin forwarded message|début du message (?:réexpédié"
    r"|transféré)|anfang der weitergeleiteten (?:nachricht|e-mail)|inicio del mensaje reenviado"
    r") ?:)$",
    re.IGNORECASE,
)
_REPLY_ABOVE = re.compile(
    r"[#=\-_* ]{2,}.{0,40}\b(?:above this line|oberhalb dieser (?:zeile|linie)"
    r"|über dieser (?:zeile|linie)|au-dessus de cette ligne|encima de esta línea"
    r"|por encima de esta linea)\b.{0,40}$",
    re.IGNORECASE,
)
_HINT = re.compile(
    r"^ ?>|[:：][*_]*$|original|forward|weitergeleitet|transféré|reenviado|nachricht"
    r"|this line|dieser (?:zeile|linie)|cette ligne|esta l[ií]nea|^[>*_ ]*(?:from|von|de)[*_]* ?:",
    re.IGNORECASE | re.MULTILINE,
)


def without_history(text: str, *, forwarded: bool = False) -> str:
    """Give what the sender of a tidy text wrote above, between or below quoted mail.

    A forwarded message is what its sender wants read: there, and everywhere with `forwarded`,
    only the header lines go. May leave nothing.
    """
    if not _HINT.search(text):
        return text
    lines = text.split("\n")
    kept = _above_history(lines, forwarded=forwarded)
    return "\n".join(kept if forwarded else _unquoted(kept, lines))


def _above_history(lines: list[str], *, forwarded: bool) -> list[str]:
    kept: list[str] = []
    tries = _Tries()
    at = 0
    while at < len(lines):
        if _FORWARD.match(lines[at]):
            forwarded = True
            at = _next_text(lines, at + 1)
            at += _header_length(lines, at)
            continue
        length, history = _introduction(lines, at, tries)
        if history and not forwarded and not (at == 0 and _REPLY_ABOVE.match(lines[at])):
            break
        if not length:
            kept.append(lines[at])
        at += length or 1
    return kept


def _introduction(lines: list[str], at: int, tries: "_Tries") -> tuple[int, bool]:
    """Count the lines at `at` that introduce earlier mail, and tell whether it is all that follows.

    After an attribution, quoted lines may be followed by the sender's answers.
    """
    if _ORIGINAL.match(lines[at]) or _REPLY_ABOVE.match(lines[at]):
        return 1, True
    if length := _header_length(lines, at):
        return length, True
    if length := tries.attribution_length(lines, at):
        after = _next_text(lines, at + length)
        return length, after >= len(lines) or not lines[after].startswith(">")
    return 0, False


def _next_text(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at]:
        at += 1
    return at


def _header_length(lines: list[str], at: int) -> int:
    """Count the lines of a header block that begins at `at`: sender, subject, and a date or to."""
    first = _HEADER.match(lines[at]) if at < len(lines) else None
    if first is None or first.lastgroup not in {"sender", "date"}:
        return 0
    seen: set[str | None] = set()
    length = 0
    for offset, line in enumerate(lines[at : at + _LONGEST_HEADER]):
        if not line:
            break
        if label := _HEADER.match(line):
            seen.add(label.lastgroup)
            length = offset + 1
        elif "subject" in seen:
            break
    whole = "sender" in seen and ("subject" in seen or {"date", "to"} <= seen)
    return length if whole and len(seen) >= _FEWEST_LABELS else 0


class _Tries:
    """Looks for attribution lines, and counts the costly looks at languages beyond our four."""

    def __init__(self) -> None:
        self._left = _FOREIGN_TRIES

    def attribution_length(self, lines: list[str], at: int) -> int:
        """Count the lines that introduce a quote from `at` on, none when they do not."""
        if not lines[at] or not _OPENS.match(lines[at][:_LONGEST_ATTRIBUTION]):
            return self._foreign(lines[at])
        joined = ""
        for length, line in enumerate(lines[at : at + _MOST_LINES], start=1):
            joined = f"{joined} {line}".strip()
            if len(joined) > _LONGEST_ATTRIBUTION or not line:
                return 0
            if line.endswith((":", ":*", ":_")) and _DATED.search(joined):
                return length if _ATTRIBUTION.match(joined) else self._foreign(joined, length)
        return 0

    def _foreign(self, piece: str, length: int = 1) -> int:
        if not piece.endswith((":", "：")) or len(piece) > _FOREIGN_LONGEST:
            return 0
        if self._left <= 0 or not _DATED.search(piece):
            return 0
        self._left -= 1
        return length if _foreign_header().match(piece) else 0


@cache
def _foreign_header() -> re.Pattern[str]:
    from mailparser_reply.constants import MAIL_LANGUAGES  # noqa: PLC0415  # 11 ms, rarely needed

    headers = [MAIL_LANGUAGES[language]["wrote_header"] for language in _FOREIGN]
    return re.compile("|".join(headers), re.IGNORECASE | re.MULTILINE)


def _unquoted(kept: list[str], lines: list[str]) -> list[str]:
    """Drop quoted lines; a lone `>` in a message without history, or a Python prompt, stays."""
    quoted = [line for line in kept if line.startswith(">")]
    prompts = all(line.startswith(">>> ") for line in quoted)
    lone = len(quoted) == 1 and len(kept) == len(lines) and quoted[0] != ">"
    if not quoted or prompts or lone:
        return kept
    return [line for line in kept if not line.startswith(">")]
