"""Classes that a model takes for each other, and what they would be worth as one."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from classifiers.assessment.findings import Finding, stands_for
from classifiers.dial import promised, promises
from classifiers.evaluation.figures import confusion
from classifiers.relabel import Held
from connector.model import Aspect

FEW = 5
"""Tickets taken for the other class below which it may be chance."""
SHARE = 0.1
"""The share of both classes' tickets from which on they are named."""
MOST = 5
"""Pairs that are named."""


def confused(aspect: Aspect, labels: Sequence[str], held: Held, asked: float) -> Iterator[Finding]:
    """Yield pairs of classes that are taken for each other, the most mistaken first."""
    matrix = confusion(held.gold, held.shares.argmax(axis=1), len(labels))
    there = matrix.sum(axis=1)
    pairs = [
        (int(matrix[a, b] + matrix[b, a]), int(there[a] + there[b]), a, b)
        for a, b in combinations(range(len(labels)), 2)
        if min(matrix[a, b], matrix[b, a]) >= 1
    ]
    named = [pair for pair in pairs if pair[0] >= max(FEW, SHARE * pair[1])]
    for wrong, count, a, b in sorted(named, reverse=True)[:MOST]:
        apart, together = _written(held, labels, (a, b), asked)
        yield Finding(
            kind="confused",
            aspect=str(aspect),
            tickets=wrong,
            told=(
                f"{labels[a]!r} and {labels[b]!r} are taken for each other in {wrong} of {count}"
                f" tickets; {apart:.0%} of these could be written at {asked:.2f}, as one class"
                f" {together:.0%}"
            ),
            remedy="merge them if the same people work on both, or agree on what sets them apart",
            labels=stands_for(f"{labels[a]}_or_{labels[b]}", [labels[a], labels[b]]),
        )


def _written(
    held: Held, labels: Sequence[str], pair: tuple[int, int], asked: float
) -> tuple[float, float]:
    """Give the share of two classes' held-out tickets that is written, apart and as one class."""
    one, other = pair
    shares = held.shares.copy()
    shares[:, one] += shares[:, other]
    shares[:, other] = -1.0
    gold = np.where(held.gold == other, one, held.gold)
    mine = np.isin(held.gold, pair)
    return (
        _share(held.shares, promises(held.shares, held.gold, labels), labels, mine, asked),
        _share(shares, promises(shares, gold, labels), labels, mine, asked),
    )


def _share(
    shares: NDArray[np.float32],
    fitted: Mapping[str, Sequence[tuple[float, float]]],
    labels: Sequence[str],
    mine: NDArray[np.bool_],
    asked: float,
) -> float:
    given, sure = shares.argmax(axis=1)[mine], shares.max(axis=1)[mine]
    told = [
        promised(tuple(fitted[labels[place]]), float(one)) >= asked
        for place, one in zip(given, sure, strict=True)
    ]
    return float(np.mean(told)) if told else 0.0
