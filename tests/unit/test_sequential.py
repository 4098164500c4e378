import math

import numpy as np
import pytest

from connector import sequential


def answers(draw: np.random.Generator, right: float, count: int) -> list[bool]:
    return [bool(one) for one in draw.random(count) < right]


def evidence(right: list[bool], asked: float) -> float:
    return sequential.against([(one, asked) for one in right])


def test_no_answer_is_no_evidence() -> None:
    assert sequential.against([]) == 1.0
    assert sequential.against([(False, 0.0)] * 50) == 1.0


def test_a_bet_is_fair_at_the_asked_precision_and_loses_above() -> None:
    """Computed by hand from the rule: every capital's expected gain over all continuations."""
    for asked in (0.5, 0.8, 0.95):
        for fraction in sequential.FRACTIONS:
            wins, loses = 1 + fraction * asked / (1 - asked), 1 - fraction
            assert asked * loses + (1 - asked) * wins == pytest.approx(1.0)
            above = (asked + 1) / 2
            assert above * loses + (1 - above) * wins < 1.0


def test_the_instalments_never_add_up_to_more_than_the_capital() -> None:
    paid = sum(1 / (k * (k + 1)) for k in range(1, 10_000))
    assert paid < 1
    # Whatever is right loses: never more is there than at the beginning.
    assert evidence([True] * 2000, 0.9) == 1.0


def test_nothing_but_mistakes_is_certain_soon_and_one_is_not() -> None:
    assert evidence([False], 0.95) < sequential.ALARM
    assert evidence([False] * 6, 0.95) >= sequential.ALARM


def test_what_was_good_for_long_does_not_hide_a_change() -> None:
    good, bad = [True] * 1000, [False, False, False, True] * 5
    assert evidence([*good, *bad], 0.95) >= sequential.ALARM
    assert evidence([*good, *bad[:4]], 0.95) < sequential.ALARM


def test_evidence_that_there_was_stays() -> None:
    bad = [False] * 8
    assert evidence([*bad, *([True] * 500)], 0.95) == evidence(bad, 0.95)


def test_a_precision_of_one_is_missed_by_the_first_few_mistakes() -> None:
    found = evidence([True] * 20 + [False] * 2, 1.0)
    assert math.isfinite(found)
    assert found >= sequential.ALARM


@pytest.mark.parametrize("asked", [0.8, 0.95])
def test_who_just_keeps_what_was_asked_is_rarely_accused(asked) -> None:
    """At most 5 of 100 by theorem; 200 runs of 400 answers, looked at after every one."""
    draw = np.random.default_rng(7)
    alarms = sum(evidence(answers(draw, asked, 400), asked) >= sequential.ALARM for _ in range(200))
    assert alarms <= 10


def test_the_dial_may_change_between_answers() -> None:
    draw = np.random.default_rng(3)
    asked = [0.6, 0.95, 0.8] * 100
    alarms = 0
    for _ in range(100):
        told = [(bool(draw.random() < one), one) for one in asked]
        alarms += sequential.against(told) >= sequential.ALARM
    assert alarms <= 5


@pytest.mark.parametrize(("asked", "within"), [(0.8, 33), (0.9, 24), (0.95, 21)])
def test_shuffled_labels_are_noticed_within_what_was_predicted(asked, within) -> None:
    """By `predicted` of tests/bench/bench_demotion.py: after day 30 one of six is right by chance.

    Predicted for 95 of 100; 30 days with ten good answers each lie before.
    """
    draw = np.random.default_rng(11)
    late = 0
    for _ in range(60):
        before = answers(draw, asked + (1 - asked) / 3, 300)
        late += evidence([*before, *answers(draw, 1 / 6, within)], asked) < 2 * sequential.ALARM
    assert late <= 3
