"""Adapters stay small, and what two of them need is written once, in what they share."""

import io
import tokenize
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

import pytest
from pages import ROOT, name

ADAPTERS = ROOT / "adapters"
PACKAGES = sorted(each.parent for each in ADAPTERS.glob("*/adapter.py"))
CODE = sorted(ADAPTERS.rglob("*.py"))
USUAL_LINES = 250
SAME_STATEMENTS = 7
"""As many in a row, alike to the letter, are a thing that has a name. Six have none: a write that
reads, compares, and finds nothing to do, as the protocol asks of everybody."""

_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}

Statement = tuple[str, int]


def statements(text: str) -> Iterator[Statement]:
    """Yield logical lines and where they begin; no imports, docstrings, comments, or layout."""
    told: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _LAYOUT and token.type != tokenize.NEWLINE:
            told.append(token)
        elif token.type == tokenize.NEWLINE:
            words = [each.string for each in told if each.string != ","]
            is_text = all(each.type == tokenize.STRING for each in told)
            if not is_text and words[0] not in {"import", "from"}:
                yield " ".join(words), told[0].start[0]
            told = []


def owner(path: Path) -> str:
    """Give the adapter that a file belongs to; what is shared belongs to none."""
    parts = path.relative_to(ADAPTERS).parts
    return parts[0] if len(parts) > 1 and ADAPTERS / parts[0] in PACKAGES else "shared"


def repeated(files: Sequence[tuple[str, str, str]]) -> list[str]:
    """Name the runs that stand in two owners' files; each file is (owner, name, text)."""
    met: dict[tuple[str, ...], tuple[str, str]] = {}
    found: dict[tuple[str, str], str] = {}
    for owned_by, path, text in files:
        lines = list(statements(text))
        for start in range(len(lines) - SAME_STATEMENTS + 1):
            run = lines[start : start + SAME_STATEMENTS]
            place = f"{path}:{run[0][1]}"
            other = met.setdefault(tuple(each for each, _ in run), (owned_by, place))
            if other[0] != owned_by:
                pair = (path, other[1].partition(":")[0])
                found.setdefault(pair, f"{place} says again what {other[1]} says")
    return list(found.values())


def test_nothing_is_repeated_between_adapters() -> None:
    files = [(owner(path), name(path), path.read_text("utf-8")) for path in CODE]
    assert repeated(files) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_files_of_an_adapter_are_small(package) -> None:
    lengths = [len(path.read_text("utf-8").splitlines()) for path in package.rglob("*.py")]
    assert len(lengths) > 6
    assert median(lengths) <= USUAL_LINES


def test_every_adapter_is_looked_at() -> None:
    owners = [each for each, _ in groupby(sorted(map(owner, CODE)))]
    assert owners == sorted([*(package.name for package in PACKAGES), "shared"])


def test_a_run_that_is_written_twice_is_noticed() -> None:
    run = "\n".join(f"    a{n} = f({n})" for n in range(SAME_STATEMENTS))
    one, two = f"def one():\n{run}\n", f'import os\n\ndef two():\n    """Say."""\n{run}  # so\n'
    assert repeated([("a", "a.py", one), ("b", "b.py", two)]) == [
        "b.py:5 says again what a.py:2 says"
    ]
    assert repeated([("a", "a.py", one), ("a", "b.py", two)]) == []
