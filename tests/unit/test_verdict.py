"""What an assessment says in plain words, against numbers reckoned by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from classifiers.assessment.verdict import (
    Answered,
    funnel,
    per_month,
    readiness,
    saved,
    sentence,
)
from classifiers.dial import promises, wilson_low
from classifiers.relabel import Held
from connector.cli.verdict import hours, nearest, outcome, standing

LABELS = ("ready", "short", "wrong")


def held(**right: tuple[int, int]) -> Held:
    """Give held-out answers by class: how many were given it, and how many of these are right."""
    shares, gold = [], []
    for place, label in enumerate(LABELS):
        count, hits = right[label]
        for number in range(count):
            row = np.full(3, 0.1, np.float32)
            row[place] = 0.8
            shares.append(row)
            gold.append(place if number < hits else (place + 1) % 3)
    return Held(shares=np.stack(shares), gold=np.array(gold, np.intp))


def classes(evidence: Held, asked: float = 0.95) -> dict[str, dict[str, Any]]:
    fitted = promises(evidence.shares, evidence.gold, LABELS)
    tickets = {"ready": 130, "short": 40, "wrong": 300}
    return readiness(LABELS, fitted, evidence, tickets, asked)


def test_a_class_is_ready_when_the_bound_allows_it_and_else_told_what_lacks() -> None:
    told = classes(held(ready=(100, 100), short=(30, 30), wrong=(200, 160)))
    assert told["ready"]["ready"]
    assert told["ready"]["threshold"] == 0.8
    # 52 answers that are all right promise .95; 30 came from 40 tickets, so 22 more take 30.
    assert wilson_low(np.array([52.0]), np.array([52.0]))[0] >= 0.95
    assert wilson_low(np.array([51.0]), np.array([51.0]))[0] < 0.95
    assert (told["short"]["ready"], told["short"]["needs"]) == (False, 30)
    assert (told["wrong"]["needs"], told["wrong"]["unclear"]) == (None, False)
    assert told["wrong"]["surest_right"] < 0.95


def test_with_the_tickets_that_it_needs_a_class_becomes_ready() -> None:
    told = classes(held(ready=(100, 100), short=(98, 96), wrong=(50, 20)))["short"]
    assert not told["ready"]
    more = round(told["needs"] * 98 / 40)  # as many answers a ticket as before
    share = 96 / 98
    count = 98.0 + more
    assert wilson_low(np.array([share * count]), np.array([count]))[0] >= 0.949
    assert wilson_low(np.array([share * (count - 10)]), np.array([count - 10]))[0] < 0.95


def test_a_class_of_a_few_answers_is_too_small_to_be_judged() -> None:
    told = classes(held(ready=(100, 100), short=(8, 7), wrong=(200, 100)))
    assert told["short"]["unclear"]
    assert standing(told["short"]) == "too small to tell"
    assert not told["wrong"]["unclear"]
    assert standing(told["wrong"]).startswith("even the surest answers are right in")


def test_the_verdict_is_a_sentence() -> None:
    told = classes(held(ready=(100, 100), short=(30, 30), wrong=(200, 100)))
    found = {"asked": 0.95, "written": 37, "n": 50}
    assert sentence("category", found, told) == (
        "category: ready for auto at 95 % on 1 of 3 classes, 74 % of tickets; short needs 30 more"
        " tickets; wrong is not right often enough"
    )
    assert [label for label, _ in nearest(told)] == ["ready", "short", "wrong"]
    strict = classes(held(ready=(100, 100), short=(30, 30), wrong=(200, 100)), 0.985)
    assert sentence("category", {**found, "asked": 0.985}, strict) == (
        "category: not ready for auto at 98.5 % on any of 3 classes; at 90 % 2 would be"
    )


def answers() -> list[Answered]:
    kinds = {
        ("a", "a", 0.97): 90,  # written and right
        ("b", "a", 0.97): 4,  # written and wrong
        ("unknown", "a", 0.97): 1,  # of a class that the bundle does not know
        ("b", "b", 0.6): 15,  # suggested
        ("b", None, 0.9): 10,  # left alone
    }
    return [
        Answered(gold=gold, label=label, promised=promised)
        for (gold, label, promised), count in kinds.items()
        for _ in range(count)
    ]


def test_the_funnel_counts_every_ticket_once_and_strangers_as_wrong() -> None:
    found = funnel(answers(), 0.95)
    assert (found["n"], found["written"], found["suggested"], found["left_alone"]) == (
        *(120, 95),
        *(15, 10),
    )
    assert found["right"] == 90
    assert found["wrong_per_100_tickets"] == pytest.approx(5 / 1.2, abs=0.01)
    assert found["wrong_per_100_writes"] == pytest.approx(5.26, abs=0.01)
    # Wilson's one-sided upper bound of 5 in 95 by its textbook form.
    z, n, p = 1.645, 95, 5 / 95
    high = (p + z * z / (2 * n) + z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5) / (
        1 + z * z / n
    )
    assert found["at_most_wrong_per_100_writes"] == pytest.approx(100 * high, abs=0.01)
    assert "79.2% would be written (94.7% of them right" in outcome(found)


def test_hours_are_reckoned_with_the_cost_of_what_is_wrong() -> None:
    found = funnel(answers(), 0.95)
    told = saved(found, 600.0, 3.0)
    # 600 tickets a month: 450 right and 25 wrong writes, three minutes each.
    assert told["hours_per_month"] == pytest.approx((450 - 25) * 3 / 60, abs=0.06)
    assert "21.2 hours a month, at 600 tickets a month, if a right value saves 3 min" in hours(told)
    assert saved(found, None, 3.0)["hours_per_month"] is None
    assert "hours per 1,000 tickets" in hours(saved(found, None, 3.0))


def test_tickets_a_month_need_times_and_a_week_of_them() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    hourly = [begin + timedelta(hours=number) for number in range(24 * 60 + 1)]
    assert per_month(hourly) == pytest.approx(24 * 30.44, rel=0.01)
    assert per_month(hourly[:48]) is None
    assert per_month([*hourly, None]) is None
    assert per_month([]) is None
