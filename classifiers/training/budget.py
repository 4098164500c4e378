"""The wish of whoever trains, and the time that is left for it."""

from dataclasses import dataclass
from time import monotonic

ENOUGH = 0.6
"""The share of the budget after which nothing further is begun: what was chosen is still fitted on
all rows and measured."""


NEARLY_ALL = 0.9
"""The share that may be spent where the learning from all rows is in the estimate."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Minutes from `started` on."""

    minutes: float | None
    started: float

    @classmethod
    def of(cls, minutes: float | None) -> "Budget":
        """Start the clock."""
        return cls(minutes, monotonic())

    @property
    def spent(self) -> float:
        """Give the seconds since the start."""
        return monotonic() - self.started

    def late(self, ahead: float = 0.0, share: float = ENOUGH) -> bool:
        """Tell whether `ahead` more seconds leave too little to finish in time."""
        if self.minutes is None:
            return False
        return self.spent + ahead > self.minutes * 60 * share
