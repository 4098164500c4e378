"""The adapter's quality file says of every rule that it is done, or why it is not."""

from pathlib import Path

from ruamel.yaml import YAML

import adapters.zendesk

GRADES = ["bronze", "silver", "gold", "platinum"]


def test_every_rule_is_done_or_exempt_with_a_reason() -> None:
    path = Path(adapters.zendesk.__file__).with_name("quality.yaml")
    graded = YAML(typ="safe").load(path)
    assert list(graded) == GRADES
    rules = [rule for rules in graded.values() for rule in rules]
    assert len(rules) == len(set(rules))
    for rules in graded.values():
        for rule, state in rules.items():
            assert state == "done" or len(state["exempt"]) > 20, rule
