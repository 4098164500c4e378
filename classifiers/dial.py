"""What precision can be promised for an answer, told by how held-out tickets were answered."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

CONFIDENT = 1.645
"""Standard deviations of a one-sided bound that holds in 95 of 100 cases."""
TWO_SIDED = 1.96
"""The same of an interval."""
FINENESS = 10_000
RISE = 0.005
"""The least that a step adds: finer ones would only say what chance did."""

Steps = tuple[tuple[float, float], ...]
"""Rising pairs: from this confidence on, this precision is promised."""


def wilson_low(
    right: NDArray[np.float64], count: NDArray[np.float64], deviations: float = CONFIDENT
) -> NDArray[np.float64]:
    """Give the lower bound of a share, `right` of `count` (E. B. Wilson, 1927)."""
    share, square = right / count, deviations**2
    middle = share + square / (2 * count)
    spread = deviations * np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    low: NDArray[np.float64] = (middle - spread) / (1 + square / count)
    return low


def steps(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> Steps:
    """Fit one label's steps on the held-out answers that gave it: how sure, and whether right.

    The promise at a confidence is about all answers that are at least as sure. Where a lower
    confidence supports as high a promise, it counts for the higher one too.
    """
    if not len(confidence):
        return ()
    order = np.argsort(-confidence, kind="stable")
    sure, hits = confidence[order], np.cumsum(right[order]).astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(sure)), len(sure) - 1)
    bounds = wilson_low(hits[last], last + 1.0)
    found: list[tuple[float, float]] = []
    for least, bound in zip(sure[last][::-1], bounds[::-1], strict=True):
        if bound >= (found[-1][1] if found else 0.0) + RISE:
            found.append((_down(float(least)), _down(float(bound))))
    return tuple(found)


def promises(
    shares: NDArray[np.float32], gold: NDArray[np.intp], labels: Sequence[str]
) -> Mapping[str, Steps]:
    """Fit every label's steps on held-out probabilities (rows by labels) and the right numbers."""
    given, sure = shares.argmax(axis=1), shares.max(axis=1)
    return {
        label: steps(sure[given == place], (gold == place)[given == place])
        for place, label in enumerate(labels)
    }


def promised(fitted: Steps, confidence: float) -> float:
    """Give the precision that can be promised at this confidence; 0 where nothing is known."""
    place = bisect_right(fitted, confidence, key=lambda step: step[0])
    return fitted[place - 1][1] if place else 0.0


def _down(value: float) -> float:
    """Round down: a calibrated score often is the same for many, and must reach its own step."""
    return math.floor(value * FINENESS) / FINENESS
