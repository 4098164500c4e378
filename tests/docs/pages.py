"""The pages as tests see them: code blocks, code spans, links, tables, headings."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("adapters/*/README.md")])

BASH = "/bin/bash"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>[\w-]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, its text without indentation, and where it begins."""

    kind: str
    text: str
    place: str


class Typed(NamedTuple):
    """A command as it is typed, and the lines that a page shows below it as its answer."""

    command: str
    shown: Sequence[str]
    place: str


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name)


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        indent = len(found["indent"])
        lines = (line[indent:] for line in found["text"].splitlines())
        number = text.count("\n", 0, found.start()) + 1
        yield Block(found["kind"], "\n".join(lines) + "\n", f"{name(page)}:{number}")


def typed(page: Path) -> Iterator[Typed]:
    """Yield the commands of a page's `console` blocks, and of blocks that begin with our own."""
    for block in blocks(page):
        lines = block.text.splitlines()
        if block.kind == "" and lines[0].startswith("triaged "):
            lines[0] = f"$ {lines[0]}"
        elif block.kind != "console":
            continue
        starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            length = next(
                size for size in range(1, end - start + 1) if _is_whole(lines[start:][:size])
            )
            command = "\n".join(lines[start : start + length]).removeprefix("$ ")
            yield Typed(command, lines[start + length : end], block.place)


def _is_whole(lines: Sequence[str]) -> bool:
    """Tell whether a shell would ask for no further line."""
    text = "\n".join(lines).removeprefix("$ ")
    asked = subprocess.run([BASH, "-n"], input=text, capture_output=True, text=True, check=False)
    return not text.endswith("\\") and asked.returncode == 0 and not asked.stderr


def prose(page: Path) -> str:
    """Give a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def spans(page: Path) -> list[str]:
    return [" ".join(span.split()) for span in _SPAN.findall(prose(page))]


def links(page: Path) -> list[str]:
    return _LINK.findall(_SPAN.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings as GitHub makes them."""
    plain = (
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text) for text in _HEADING.findall(prose(page))
    )
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}


def rows(page: Path, column: str) -> Iterator[Sequence[str]]:
    """Yield the cells of every table whose first column is called `column`, without code marks."""
    within = False
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            within = False
        elif within and not set(cells[0]) <= set("-: "):
            yield cells
        elif cells[0] == column:
            within = True


def code(cell: str) -> list[str]:
    """Give the code spans of a table's cell."""
    return _SPAN.findall(cell)


def generator() -> ModuleType:
    """Import docs/generate.py, which is a script and no package's module."""
    folder = str(ROOT / "docs")
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module("generate")
