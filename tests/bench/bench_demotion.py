"""How soon a class that got worse is demoted, and how often one that did not.

    python tests/bench/bench_demotion.py [--runs 200]

Drift: 300 answers of a class that keeps more than was asked, ten a day; after day 30 its labels are
shuffled among six, or it merely gets worse. Predicted is the number of judged answers within which
95 of 100 such drifts are noticed. Stationary: classes that keep what was asked and no more, which
is the worst case, for 2,000 answers; Wilson's bound, looked at after each, beside it. The last
lines let wrong answers be judged later than right ones, as on desks where they keep a ticket open.
"""

import argparse
import sys
from collections.abc import Sequence
from math import ceil, log, sqrt

import numpy as np
from numpy.typing import NDArray

from connector import sequential, shares
from connector.decide import Rule
from connector.ladder import standings
from connector.model import Action, Aspect, FieldInfo, FieldKind, Mode
from connector.store import Trial

BEFORE = 300
LONG = 2000
LABELS = 6
LATE_BY_CHANCE = 1.6449
"""Standard deviations beyond which one drift in twenty lies."""

Answers = NDArray[np.bool_]


def predicted(asked: float, right: float, before: int, arms: int = 2) -> int:
    """Give the answers after a drift within which 95 of 100 are noticed, by hand.

    The best of the fractions wins or loses a fixed amount of log-capital with each answer, so that
    a normal sum has to climb from what an instalment brings in to `ALARM`. An instalment is waited
    for, at the most `INSTALMENT` answers.
    """
    instalment = before // sequential.INSTALMENT + 1
    height = log(
        sequential.ALARM * arms * len(sequential.FRACTIONS) * (instalment + 1) * (instalment + 2)
    )
    odds = asked / (1 - asked)
    best = None
    for fraction in sequential.FRACTIONS:
        wrong, good = log(1 + fraction * odds), log(1 - fraction)
        mean = (1 - right) * wrong + right * good
        spread = sqrt(right * (1 - right)) * (wrong - good)
        if mean > 0:
            tail = LATE_BY_CHANCE * spread
            root = (tail + sqrt(tail**2 + 4 * mean * height)) / (2 * mean)
            count = ceil(root**2) + sequential.INSTALMENT
            best = count if best is None else min(best, count)
    return best or 0


def rule(asked: float) -> Rule:
    field = FieldInfo(id="category", title="Category", kind=FieldKind.TEXT)
    return Rule(aspect=Aspect.CATEGORY, field=field, mode=Mode.AUTO, precision=asked, values={})


def trials(answers: Sequence[bool] | Answers, asked: float) -> list[Trial]:
    return [
        Trial(
            aspect=Aspect.CATEGORY,
            label="network",
            action=Action.WRITE,
            is_right=bool(one),
            precision=asked,
            decided_at=1.0,
        )
        for one in answers
    ]


def falls(answers: Answers, asked: float) -> bool:
    """Tell whether the product's own rule takes the class down on these answers."""
    [one] = standings([rule(asked)], [], trials(answers, asked))
    return one.falls


def noticed(answers: Answers, asked: float) -> int | None:
    """Give the number of the first answer at which the class is taken down."""
    if not falls(answers, asked):
        return None
    low, high = 0, len(answers)  # evidence never shrinks
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if falls(answers[:middle], asked) else (middle, high)
    return high


def drift(runs: int, draw: np.random.Generator) -> None:
    print("| asked | right before | after | predicted | median | within predicted | too early |")
    print("|---|---|---|---|---|---|---|")
    shuffled = 1 / LABELS
    cases = [
        (asked, asked + (1 - asked) / 3, after)
        for asked in (0.8, 0.9, 0.95)
        for after in (shuffled, asked - 0.3, asked - 0.15)
    ]
    for asked, before, after in cases:
        within, found = predicted(asked, after, BEFORE), []
        for _ in range(runs):
            chances = np.repeat([before, after], [BEFORE, 3 * within])
            at = noticed(draw.random(len(chances)) < chances, asked)
            found.append((at or len(chances)) - BEFORE)
        late = [count for count in found if count > 0]
        share = sum(count <= within for count in late) / len(late)
        print(
            f"| {asked} | {before:.3f} | {after:.3f} | {within} | {np.median(late):.0f}"
            f" | {share:.1%} | {len(found) - len(late)} |"
        )


def wilson_alarms(answers: Answers, asked: float) -> bool:
    """Tell whether Wilson's upper bound ever lay below what was asked, looked at after each."""
    right = np.cumsum(answers)
    return any(
        shares.interval(int(right[n]), n + 1, shares.ONE_SIDED)[1] < asked
        for n in range(len(answers))
    )


def stationary(runs: int, draw: np.random.Generator) -> None:
    print(f"| asked | demoted of {runs} | stated at most | Wilson after each answer |")
    print("|---|---|---|---|")
    for asked in (0.8, 0.9, 0.95):
        told = [draw.random(LONG) < asked for _ in range(runs)]
        ours = sum(falls(one, asked) for one in told)
        wilson = sum(wilson_alarms(one, asked) for one in told)
        print(f"| {asked} | {ours} | {runs / sequential.ALARM:.0f} | {wilson} |")


def later(runs: int, draw: np.random.Generator) -> None:
    """Judge wrong answers when their tickets end, days after the right ones."""
    print(f"| asked | wrong ones later by, in days | demoted of {runs} |")
    print("|---|---|---|")
    for asked in (0.8, 0.95):
        for days in (1.0, 3.0, 7.0):
            count = 0
            for _ in range(runs):
                right = draw.random(LONG) < asked
                when = np.arange(LONG) / 10 + np.where(right, 0.5, draw.exponential(days, LONG))
                waits = np.minimum(when, np.arange(LONG) / 10 + 7)
                count += falls(right[np.argsort(waits, kind="stable")], asked)
            print(f"| {asked} | {days:g} | {count} |")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args(arguments).runs
    draw = np.random.default_rng(0)
    for part in (drift, stationary, later):
        part(runs, draw)
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
