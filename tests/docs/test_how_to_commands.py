import re

from how_to import (
    BESIDE_A_DAEMON,
    ELSEWHERE,
    HOW_TO,
    MACHINE,
    PAGES,
    READ_ONLY,
    SANDBOX,
    plain,
    rule,
)
from pages import ROOT, typed


def test_every_command_of_a_page_is_run_by_some_test() -> None:
    here = {*(HOW_TO / f"{page}.md" for page in BESIDE_A_DAEMON), SANDBOX}
    left = [each for page in PAGES if page not in here for each in typed(page)]
    unknown = [
        f"{each.place}: {each.command}"
        for each in left
        if rule(each.command) is None and plain(each.command).split(" ")[1] not in READ_ONLY
    ]
    assert not unknown, "say in tests/docs/how_to.py which test runs it, or what it would need"


def test_every_rule_is_needed_and_its_test_names_the_command() -> None:
    commands = [plain(each.command) for page in PAGES for each in typed(page)]
    for pattern, file in ELSEWHERE.items():
        found = [match for each in commands if (match := re.search(pattern, each))]
        assert found, pattern
        text = (ROOT / file).read_text("utf-8")
        words = {word for match in found for word in match.groups() if word}
        assert not [word for word in words if word not in text], pattern
    assert not [pattern for pattern in MACHINE if not any(re.search(pattern, c) for c in commands)]
