"""An adapter's quality file says of every rule that it is done, or why it is not."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import adapters

ABOUT = ["title", "hears", "writes"]
GRADES = ["bronze", "silver", "gold", "platinum"]
ROLES = {"__init__.py", "config.py", "client.py", "mapping.py", "adapter.py", "webhook.py"}
FOLDERS = sorted(each.parent for each in Path(adapters.__file__).parent.glob("*/adapter.py"))

each_adapter = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def graded(folder: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = YAML(typ="safe").load(folder / "quality.yaml")
    assert list(found.pop("about")) == ABOUT
    return found


def test_adapters_are_found_at_all() -> None:
    assert {"servicenow", "zendesk"} <= {folder.name for folder in FOLDERS}


@each_adapter
def test_every_rule_is_done_or_exempt_with_a_reason(folder: Path) -> None:
    grades = graded(folder)
    assert list(grades) == GRADES
    rules = [rule for rules in grades.values() for rule in rules]
    assert len(rules) == len(set(rules))
    for rules in grades.values():
        for rule, state in rules.items():
            assert state == "done" or (isinstance(state, dict) and len(state["exempt"]) > 20), rule


def test_the_lowest_grade_is_the_same_for_all() -> None:
    bronze = {folder.name: list(graded(folder)["bronze"]) for folder in FOLDERS}
    assert all(rules == bronze["zendesk"] for rules in bronze.values())


@each_adapter
def test_an_adapter_has_the_same_files_as_every_other(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} >= {*ROLES, "README.md", "sandbox"}
