"""Shares and what they leave open: Wilson's interval, and Newcombe's for a difference."""

from math import hypot, sqrt

ONE_SIDED = 1.645
"""Standard deviations that leave 5 % beyond one end."""

TWO_SIDED = 1.96
"""Those that leave 5 % beyond both ends together."""


def interval(count: int, total: int, deviations: float = TWO_SIDED) -> tuple[float, float]:
    """Give the ends between which a share lies that was `count` of `total` (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share, square = count / total, deviations * deviations
    middle = (share + square / (2 * total)) / (1 + square / total)
    spread = share * (1 - share) / total + square / (4 * total * total)
    half = deviations * sqrt(spread) / (1 + square / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float]:
    """Give the ends between which the first share less the other lies (Newcombe 1998, method 10).

    Each is (count, total).
    """
    shares = [count / total if total else 0.0 for count, total in (one, other)]
    (low, high), (below, above) = interval(*one), interval(*other)
    apart = shares[0] - shares[1]
    return (
        apart - hypot(shares[0] - low, above - shares[1]),
        apart + hypot(high - shares[0], shares[1] - below),
    )
