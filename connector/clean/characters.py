"""The characters of a message: what is no text goes, white space shrinks, length is bounded."""

import re
import unicodedata

LIMIT = 20_000  # characters; far beyond what an encoder reads, short enough to store and show
_HEAD = 14_000  # characters; people state their trouble first and sign last
_GAP = "\n…\n"
_LONGEST_MARKS = 16  # combining marks in a row; beyond it NFC's sorting takes quadratic time

# C0/C1 controls, soft hyphen, zero-width and direction marks, tags, lone surrogates, noncharacters.
_NOT_TEXT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]+"
)
_LINE_BREAK = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile("[ \t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_BLANK_LINES = re.compile("\n{3,}")
_MARKS = re.compile(rf"[^\w\x00-\x7f]{{{_LONGEST_MARKS + 1},}}")


def tidy(text: str) -> str:
    """Give the text in NFC, without control or invisible characters, white space collapsed.

    Line breaks stay, at most two in a row; lines neither begin nor end with a space. Takes time
    linear in the text and is idempotent.
    """
    if "\r" in text or not text.isascii() or "\x0b" in text or "\x0c" in text:
        text = _LINE_BREAK.sub("\n", text)
    text = _normalised(_NOT_TEXT.sub("", text))
    text = _SPACES.sub(" ", text)
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    return _BLANK_LINES.sub("\n\n", text).strip()


def bound(text: str, limit: int = LIMIT) -> str:
    """Give the text, or its head and tail around an ellipsis when it is longer than `limit`."""
    if len(text) <= limit:
        return text
    head = _HEAD * limit // LIMIT
    return f"{text[:head].rstrip()}{_GAP}{text[head + len(_GAP) - limit :].lstrip()}"


def _normalised(text: str) -> str:
    if unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", _MARKS.sub(_fewer_marks, text))


def _fewer_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in run.group():
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _LONGEST_MARKS:
            kept.append(character)
    return "".join(kept)
