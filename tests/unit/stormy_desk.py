"""A desk in trouble in virtual time: the real worker, roster and store, and every call counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from by_hand import ACME, changed
from conftest import FakeClock

from adapters.memory import MemoryAdapter
from connector.desk import Desk
from connector.errors import Retry
from connector.metrics import Metrics
from connector.roster import Roster
from connector.store import Place, Store
from connector.worker import Bell, Worker

CALL = 0.2
"""Virtual seconds that a call takes, a refused one too."""

PATIENCE = 7 * 86400.0
"""Virtual seconds after which a simulation has gone wrong."""

Trouble = Callable[[float], Retry | None]


class StormyDesk(MemoryAdapter):
    """A desk of which `trouble` says what it answers at a time; it notes when it was called."""

    def __init__(self, clock: FakeClock, trouble: Trouble) -> None:
        super().__init__(clock)
        self.calls: list[float] = []
        self._begin = clock.monotonic()
        self._trouble = trouble

    def _reach(self) -> None:
        at = self._clock.monotonic() - self._begin
        self.calls.append(at)
        self._clock.sleep(CALL)
        refusal = self._trouble(at)
        if refusal is not None:
            raise refusal


@dataclass
class Outcome:
    """When the desk was called, and what came of it; times are seconds from the start."""

    tickets: int
    calls: list[float] = field(default_factory=list)
    effects: int = 0
    seconds: float = 0.0

    @property
    def calls_per_effect(self) -> float:
        return len(self.calls) / self.effects

    def within(self, begin: float, end: float) -> int:
        """Count the calls in a stretch of time."""
        return sum(begin <= at < end for at in self.calls)


def weather(
    directory: Path, desk: Desk, trouble: Trouble, *, tickets: int, every: float
) -> Outcome:
    """Let a ticket arrive each `every` seconds and work until all of them are written."""
    clock = FakeClock()
    begin = clock.monotonic()
    adapter = StormyDesk(clock, trouble)
    roster = Roster([ACME], clock)
    roster.admit(changed(desk, adapter=adapter))
    arrived = []
    with Store(Place(directory), clock) as store:
        worker = Worker(store=store, roster=roster, clock=clock, bell=Bell(), metrics=Metrics())
        while sum(map(adapter.writes, arrived)) < tickets:
            now = clock.monotonic() - begin
            assert now < PATIENCE, "the work does not end"
            due = min(tickets, 1 + int(now / every)) - len(arrived)
            fresh = [adapter.arrive("network down", "no network") for _ in range(due)]
            if fresh:
                arrived += fresh
                store.inbox.receive(ACME, fresh, delivery=str(fresh))
            if not worker.turn():
                clock.pass_time(0.5)
    effects = sum(map(adapter.writes, arrived))
    return Outcome(tickets, adapter.calls, effects, clock.monotonic() - begin)
