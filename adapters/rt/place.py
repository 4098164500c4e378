"""A place in the stream of transactions that knows which numbers before it were seen."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from connector.errors import Rejected
from connector.model import Cursor

WINDOW = 100
"""Numbers before the place that are looked at again while they were not seen.

A number is given out before its transaction is committed, which for a ticket with its scrips can
take a second; one that commits late stands before those that were read already. A hundred is as
many rows as one call gives.
"""

_PASSED = re.compile(r"([0-9]{1,18})/([0-9]{1,18})")
_WRITTEN = re.compile(r"([0-9]{1,18})\.([0-9a-f]{1,25})")


@dataclass(frozen=True, slots=True)
class Place:
    """The highest number seen, and one bit for each of the `WINDOW` numbers below it that was."""

    last: int
    seen: int

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        """Read a cursor; raises `Rejected` when it is none of ours."""
        written = _WRITTEN.fullmatch(cursor)
        if written is None:
            raise Rejected("the stored position is none of Request Tracker's")
        return cls(int(written[1]), int(written[2], 16))

    @property
    def cursor(self) -> Cursor:
        """Write the place down."""
        return Cursor(f"{self.last}.{self.seen:x}")

    def after(self, numbers: Iterable[int]) -> Self:
        """Give the place when these have been read too."""
        place = self
        for number in numbers:
            place = place._with(number)
        return place

    def _with(self, number: int) -> Self:
        last = max(self.last, number)
        seen = self.seen << (last - self.last) if last - self.last <= WINDOW else 0
        for each in (self.last, number):
            if 0 < last - each <= WINDOW:
                seen |= 1 << (last - each - 1)
        return type(self)(last, seen & ((1 << WINDOW) - 1))

    def gaps(self) -> Sequence[tuple[int, int]]:
        """List the runs of numbers in the window that were not seen, lowest first."""
        lowest = max(self.last - WINDOW, 1)
        unseen = [
            number
            for number in range(lowest, self.last)
            if not self.seen >> (self.last - number - 1) & 1
        ]
        runs: list[tuple[int, int]] = []
        for number in unseen:
            start = runs.pop()[0] if runs and runs[-1][1] == number - 1 else number
            runs.append((start, number))
        return runs


@dataclass(frozen=True, slots=True)
class Passed:
    """How far a walk over tickets has come: the highest number met, how many, how many are left."""

    number: int
    met: int
    left: int | None = None

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        """Read a cursor; raises `Rejected` when it is none of ours."""
        written = _PASSED.fullmatch(cursor)
        if written is None:
            raise Rejected("the stored position is none of Request Tracker's history")
        return cls(int(written[1]), int(written[2]))

    def cursor(self) -> Cursor:
        """Write the place down."""
        return Cursor(f"{self.number}/{self.met}")

    def after(self, numbers: Sequence[int], total: int | None) -> Self:
        """Give the place when these have been met, of so many that were left, if that was told."""
        left = None if total is None else max(total - len(numbers), 0)
        return type(self)(max([self.number, *numbers]), self.met + len(numbers), left)

    @property
    def share(self) -> float | None:
        """Tell how much of the walk lies behind, where the desk told how much there is."""
        if self.left is None:
            return None
        return self.met / (self.met + self.left) if self.met else 0.0
