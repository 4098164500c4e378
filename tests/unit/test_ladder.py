from dataclasses import replace

import pytest
from by_hand import rule

from connector import sequential, shares
from connector.cli.status import _ready
from connector.decide import Step
from connector.ladder import lowered, standings
from connector.model import TAGS, Action, Aspect, FieldInfo, FieldKind, Mode
from connector.store import Level, Trial

CATEGORY = replace(rule(Aspect.CATEGORY, "category"), precision=0.9)


def trial(label: str = "network", *, right: bool = True, **more: object) -> Trial:
    plain = {
        "aspect": Aspect.CATEGORY,
        "label": label,
        "action": Action.WRITE,
        "is_right": right,
        "precision": 0.9,
        "decided_at": 100.0,
    }
    return Trial(**{**plain, **more})


def level(label: str, mode: Mode, **more: object) -> Level:
    plain = {"aspect": Aspect.CATEGORY, "label": label, "mode": mode, "since": 0.0}
    return Level(**{**plain, "reason": "demoted", **more})


def bad(count: int, **more: object) -> list[Trial]:
    return [trial(right=False, **more) for _ in range(count)]


def good(count: int, **more: object) -> list[Trial]:
    return [trial(**more) for _ in range(count)]


def test_a_class_falls_and_the_others_stay() -> None:
    one, other = standings([CATEGORY], [], [*bad(10), *good(10, label="hardware")])
    assert (one.label, one.falls, one.mode, one.below) == ("hardware", False, Mode.AUTO, "suggest")
    assert (other.label, other.falls, other.judged, other.right) == ("network", True, 10, 0)


def test_what_changed_is_told_and_not_the_average() -> None:
    [one] = standings([CATEGORY], [], [*good(200), *bad(9), *good(2), *bad(2)])
    assert one.falls
    assert (one.right, one.judged, one.lately) == (202, 213, (2, 13))
    [fine] = standings([CATEGORY], [], good(20))
    assert fine.lately == (20, 20)


def test_without_a_dial_there_is_nothing_to_fall_below() -> None:
    free = replace(CATEGORY, precision=0.0)
    [one] = standings([free], [], bad(50))
    assert (one.falls, one.evidence) == (False, 1.0)
    assert not list(standings([CATEGORY], [], bad(50, precision=0.0)))


def test_the_lower_of_two_dials_counts() -> None:
    mixed = [*good(30), *bad(10)]  # three quarters
    [strict] = standings([CATEGORY], [], mixed)
    [lax] = standings([replace(CATEGORY, precision=0.5)], [], mixed)
    [earlier] = standings([CATEGORY], [], [replace(one, precision=0.5) for one in mixed])
    assert strict.falls
    assert not lax.falls
    assert not earlier.falls


def test_what_was_decided_before_the_level_is_no_evidence_about_it() -> None:
    since = [level("network", Mode.SUGGEST, since=200.0)]
    [one] = standings([CATEGORY], since, [*bad(50), *good(3, decided_at=300.0)])
    assert (one.judged, one.right, one.falls, one.is_lowered) == (3, 3, False, True)


def test_the_few_that_are_held_out_speak_for_themselves() -> None:
    """People leave what they see; who was not shown an answer says that half of them are wrong."""
    seen = good(400)
    apart = [*good(8, action=Action.HOLDOUT), *bad(8, action=Action.HOLDOUT)]
    [one] = standings([CATEGORY], [], [*seen, *apart])
    assert one.falls
    assert sequential.against([(each.is_right, 0.9) for each in [*seen, *apart]]) < sequential.ALARM


def test_a_shadow_does_not_fall() -> None:
    [one] = standings([replace(CATEGORY, mode=Mode.SHADOW)], [], bad(50, action=Action.RECORD))
    assert not one.falls


@pytest.mark.parametrize(
    ("changes", "below"),
    [
        ({}, Mode.SUGGEST),
        ({"can_suggest": False}, Mode.SHADOW),
        ({"field": FieldInfo(id=TAGS, title="tags", kind=FieldKind.TAGS)}, Mode.SHADOW),
        ({"mode": Mode.SUGGEST}, Mode.SHADOW),
    ],
)
def test_the_next_step_down_is_one_that_makes_a_difference(changes, below) -> None:
    [one] = standings([replace(CATEGORY, **changes)], [], bad(10))
    assert (one.falls, one.below) == (True, below)


def test_a_class_could_rise_when_its_answers_promise_what_is_asked() -> None:
    shadow = replace(CATEGORY, mode=Mode.SHADOW)
    enough = next(n for n in range(1, 100) if shares.interval(n, n, shares.ONE_SIDED)[0] >= 0.9)
    [short] = standings([shadow], [], good(enough - 1, action=Action.RECORD))
    [one] = standings([shadow], [], good(enough, action=Action.RECORD))
    assert (short.could_rise, one.could_rise, one.above) == (False, True, Mode.SUGGEST)
    [top] = standings([CATEGORY], [], good(100))
    assert not top.could_rise


def test_assignees_are_judged_together() -> None:
    people = replace(rule(Aspect.ASSIGNEE, "suggested"), precision=0.9)
    wrong = [trial(label=f"a{number}", aspect=Aspect.ASSIGNEE, right=False) for number in range(10)]
    [one] = standings([people], [], wrong)
    assert (one.label, one.falls) == ("", True)


def test_a_level_bounds_its_class_and_an_empty_one_all() -> None:
    steps = {"hardware": Step(mode=Mode.SHADOW, precision=0.5)}
    wanted = replace(CATEGORY, steps=steps)
    found = lowered(wanted, [level("network", Mode.SUGGEST)])
    assert found.at("network").mode is Mode.SUGGEST
    assert (found.at("network").lowered, found.at("network").precision) == ("demoted", 0.9)
    assert (found.at("hardware").mode, found.at("hardware").lowered) == (Mode.SHADOW, "")
    assert (found.at("account").mode, found.at("account").lowered) == (Mode.AUTO, "")
    assert found.lowered_classes == 1
    whole = lowered(wanted, [level("", Mode.SUGGEST)])
    modes = [whole.at(one).mode for one in ("network", "hardware", "account")]
    assert modes == [Mode.SUGGEST, Mode.SHADOW, Mode.SUGGEST]
    assert whole.lowered_classes == 1


def test_a_desk_without_tags_has_no_step_between_shadow_and_auto() -> None:
    plain = replace(CATEGORY, can_suggest=False)
    found = lowered(plain, [level("network", Mode.SUGGEST, reason="raised by hand")])
    assert found.at("network").mode is Mode.SHADOW


def test_a_level_never_goes_further_than_the_file() -> None:
    low = replace(CATEGORY, mode=Mode.SHADOW)
    assert lowered(low, [level("network", Mode.AUTO)]).at("network").mode is Mode.SHADOW
    other = replace(level("network", Mode.SHADOW), aspect=Aspect.PRIORITY)
    assert lowered(CATEGORY, [other]) == lowered(CATEGORY, [])


def test_shares_lie_within_intervals_known_from_elsewhere() -> None:
    """Newcombe 1998, tables I and II: 81 of 263, and 56 of 70 less 48 of 80."""
    low, high = shares.interval(81, 263)
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    low, high = shares.difference((56, 70), (48, 80))
    assert (low, high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert shares.interval(0, 0) == (0.0, 1.0)


def test_the_status_has_one_line_for_all_classes_that_could_rise() -> None:
    shadow = replace(CATEGORY, mode=Mode.SHADOW)
    ready = [one for n in range(7) for one in good(40, label=f"c{n}", action=Action.RECORD)]
    [line] = _ready(list(standings([shadow], [], ready)))
    assert line == (
        "category c0, c1, c2, c3, c4 and 2 more: ready for suggest: set `mode` in the tenant's file"
    )
