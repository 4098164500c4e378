"""Renders manual pages from the Markdown that the reference pages are made of."""

import re
from collections.abc import Iterable, Iterator, Sequence

from connector import __version__

_MARKED = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_FIRST_IN_SECTION = re.compile(r"^(\.S[HS] .*\n)\.PP\n", re.MULTILINE)
"""What begins a section begins a paragraph: to say so again is a fault."""
_SPECIAL = str.maketrans({"\\": r"\e", "-": r"\-"})


def page(name: str, section: int, summary: str, parts: Iterable[str]) -> str:
    """Give a whole page. It bears no date: the same code gives the same page."""
    title = f'.TH "{name.upper()}" "{section}" "" "triaged {__version__}" "triaged"'
    # Programs read this line for indexes: it bears no marks.
    named = f"{escaped(name)} \\- {escaped(summary.replace('`', ''))}"
    text = "\n".join((title, ".SH NAME", named, *parts)) + "\n"
    return _FIRST_IN_SECTION.sub(r"\1", text)


def heading(text: str) -> str:
    """Give the heading of a section."""
    return f".SH {escaped(text.upper())}"


def subheading(text: str) -> str:
    """Give the heading of a part of a section."""
    return f".SS {escaped(text)}"


def paragraphs(text: str) -> Iterator[str]:
    """Yield each paragraph, list entry by list entry."""
    for paragraph in text.split("\n\n"):
        entries = re.split(r"^- ", paragraph, flags=re.MULTILINE)
        for number, entry in enumerate(entries):
            if entry.strip():
                yield ".IP \\(bu 2" if number else ".PP"
                yield inline(entry)


def synopsis(command: str, usage: str) -> str:
    """Give the line that says how a command is called."""
    return f".PP\n\\fB{escaped(command)}\\fR {escaped(usage)}"


def entry(term: str, text: str) -> str:
    """Give a term, such as an option, and below it what it means."""
    return f".TP\n{inline(term)}\n{inline(text)}"


def references(names: Sequence[str]) -> str:
    """Give the list of pages to look at, each as `name(section)`."""
    marked = (re.sub(r"^(.+)(\(\d\))$", r"\\fB\1\\fR\2", escaped(name)) for name in names)
    return ".PP\n" + ",\n".join(marked)


def inline(text: str) -> str:
    """Give a text without line breaks, its code in bold, safe at the beginning of a line."""
    plain = _LINK.sub(r"\1", " ".join(text.split()))
    pieces = _MARKED.split(plain)
    joined = escaped(pieces[0])
    for code, strong, after in zip(*(pieces[n::3] for n in (1, 2, 3)), strict=True):
        joined += f"\\fB{escaped(code or strong)}\\fR{escaped(after)}"
    return f"\\&{joined}" if joined[:1] in {".", "'"} else joined


def escaped(text: str) -> str:
    """Give a text in which nothing means something to the formatter."""
    return text.translate(_SPECIAL)
