"""What is learnt from and what is only measured on: by time, or by cluster, never by row."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.training.history import Row
from connector.model import Aspect

TEST = 0.2
"""The share that is only measured on."""
FOLDS = 5

Places = NDArray[np.intp]


def split(rows: Sequence[Row], groups: Places, seed: int) -> tuple[Places, Places]:
    """Give (learn, test) places: the newest are tested on where every row has a time.

    Otherwise whole clusters are drawn. A test row whose cluster is learnt from is left out:
    it would be remembered, not understood.
    """
    count = len(rows)
    times = [row.filed_at.timestamp() for row in rows if row.filed_at]
    if len(times) == count:
        order = np.argsort(times, kind="stable")
        cut = count - max(1, round(count * TEST))
        learn, test = np.sort(order[:cut]), np.sort(order[cut:])
        return learn, test[~np.isin(groups[test], groups[learn])]
    drawn = drawn_groups(groups, seed) < TEST
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def drawn_groups(groups: Places, seed: int) -> NDArray[np.float64]:
    """Give each row its cluster's number in 0..1, drawn evenly."""
    _, inverse = np.unique(groups, return_inverse=True)
    size = int(inverse.max()) + 1
    places = np.random.default_rng(seed).permutation(size) / size
    drawn: NDArray[np.float64] = places[inverse]
    return drawn


def folds(groups: Places, seed: int) -> Places:
    """Number each row's fold; clusters stay together."""
    return (drawn_groups(groups, seed + 1) * FOLDS).astype(np.intp)


def dropped(rows: Sequence[Row], aspect: Aspect, floor: int) -> dict[str, int]:
    """Name the classes with fewer rows than the floor, and how many they have."""
    counts = Counter(row.labels[aspect] for row in rows if aspect in row.labels)
    return {label: count for label, count in sorted(counts.items()) if count < floor}
