"""The list of traps holds: each remedy stands where it says, and each test is there."""

import re

import pytest
from pages import ROOT
from traps import TRAPS, Trap

SUITES = ("suite", "tags_suite", "past_suite")

_TEST = re.compile(r"def (test_\w+)\(")


def names_in(path: str) -> set[str]:
    """Give the names of a file's tests, those that it inherits from the suites among them."""
    folder = (ROOT / path).parent
    files = [ROOT / path, *(folder / f"{suite}.py" for suite in SUITES)]
    return {name for each in files if each.exists() for name in _TEST.findall(each.read_text())}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.what)
def test_a_trap_names_one_remedy_and_tests_that_exist(trap: Trap) -> None:
    text = (ROOT / trap.file).read_text("utf-8")
    assert text.count(trap.remedy) == 1
    assert trap.without != trap.remedy
    path, _, words = trap.test.partition("::")
    names = names_in(path)
    for part in words.split(" or "):
        assert any(part in name for name in names), part


def test_every_common_trap_of_these_platforms_is_listed() -> None:
    """Those that are left out are about platforms that have no adapter here."""
    numbered = {int(found[0]) for trap in TRAPS if (found := re.match(r"\d+", trap.what))}
    assert numbered == {1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15}
