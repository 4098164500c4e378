"""Which tenants can be worked on now: connected, not paused, and not in another thread's hands."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from threading import Lock

import structlog

from connector.desk import Desk
from connector.errors import ConfigError, Retry, TriagedError, Unauthorized
from connector.model import TenantId
from connector.ports import Clock

FIRST_PAUSE = 2.0
"""Seconds: the longest first pause after a failure that named no time."""

LONGEST_PAUSE = 900.0
"""Seconds: a desk that was down all night is asked again at least every quarter of an hour."""

_log = structlog.get_logger()


class Doing(Enum):
    """What was done at a desk when it failed or answered: one working says little of the other."""

    VISIT = "visit"
    """Connecting, and reading what changed."""
    TICKETS = "tickets"
    """Reading and writing tickets."""


@dataclass(slots=True)
class _Place:
    """A tenant's standing; only the roster touches it, under its lock."""

    desk: Desk | None = None
    busy: bool = False
    served: int = 0
    failures: Counter[Doing] = field(default_factory=Counter)
    resume_at: float = 0.0
    stopped: str = ""


class Roster:
    """Every tenant's standing. A desk's trouble pauses its tenant and no other.

    The first failure and the recovery are logged, nothing in between.
    """

    def __init__(self, tenants: Sequence[TenantId], clock: Clock) -> None:
        self._places = {tenant: _Place() for tenant in tenants}
        self._lock = Lock()
        self._choosing = Lock()  # held while the store is asked, which `_lock` never is
        self._turns = count(1)
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - jitter needs no secrecy

    def admit(self, desk: Desk) -> None:
        """Put a connected desk, or a newer state of it, in its tenant's place."""
        with self._lock:
            self._places[desk.tenant].desk = desk

    def desk(self, tenant: TenantId) -> Desk | None:
        """Give the tenant's desk when it is connected and not paused."""
        with self._lock:
            place = self._places[tenant]
            return place.desk if self._is_open(place) else None

    def wants_connection(self, tenant: TenantId) -> bool:
        """Tell whether the tenant's desk is not connected and may be tried now."""
        with self._lock:
            place = self._places[tenant]
            return place.desk is None and self._is_open(place)

    @contextmanager
    def turn(
        self, choose: Callable[[Sequence[TenantId]], TenantId | None]
    ) -> Iterator[Desk | None]:
        """Give the desk of the free tenant that `choose` picks, held for this thread alone."""
        with self._choosing:
            free = self._free()
            chosen = choose(free) if free else None
            place = self._places[chosen] if chosen else None
            if place is not None:
                with self._lock:
                    place.busy, place.served = True, next(self._turns)
        try:
            yield place.desk if place else None
        finally:
            if place is not None:
                with self._lock:
                    place.busy = False

    def failed(self, tenant: TenantId, doing: Doing, error: TriagedError) -> float:
        """Pause a tenant because of an error; give the seconds until it may be tried again.

        `Unauthorized` and `ConfigError` last until a person acts and the daemon starts anew.
        """
        with self._lock:
            place = self._places[tenant]
            first = not place.failures.total() and not place.stopped
            place.failures[doing] += 1
            pause = self._pause(place.failures[doing], error)
            place.resume_at = max(place.resume_at, self._clock.monotonic() + pause)
            if isinstance(error, Unauthorized | ConfigError):
                place.stopped = str(error)
        if first:
            _log.warning("tenant_paused", tenant=tenant, error=str(error))
        return pause

    def worked(self, tenant: TenantId, doing: Doing) -> None:
        """Note that the tenant's desk answered; a pause because of another call stays."""
        with self._lock:
            place = self._places[tenant]
            if not place.failures[doing] or not self._is_open(place):
                return
            place.failures[doing] = 0
            recovered = not place.failures.total()
        if recovered:
            _log.info("tenant_recovered", tenant=tenant)

    def shaky(self) -> Collection[TenantId]:
        """Give the tenants whose desk failed when tickets were last worked on."""
        with self._lock:
            places = self._places.items()
            return {name for name, place in places if place.failures[Doing.TICKETS]}

    def stopped(self) -> Mapping[TenantId, str]:
        """Give the tenants that wait for a person, and why."""
        with self._lock:
            return {name: place.stopped for name, place in self._places.items() if place.stopped}

    def connected(self) -> Sequence[TenantId]:
        """Give the tenants whose desk has been connected."""
        with self._lock:
            return [name for name, place in self._places.items() if place.desk]

    def _free(self) -> Sequence[TenantId]:
        """List the tenants that can be worked on now, the one served longest ago first."""
        with self._lock:
            free = [
                (place.served, tenant)
                for tenant, place in self._places.items()
                if place.desk and not place.busy and self._is_open(place)
            ]
        return [tenant for _, tenant in sorted(free)]

    def _is_open(self, place: _Place) -> bool:
        return not place.stopped and self._clock.monotonic() >= place.resume_at

    def _pause(self, failures: int, error: TriagedError) -> float:
        """Full jitter, doubling; never sooner than the desk asked for."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 20))
        asked = error.after if isinstance(error, Retry) else None
        jittered = self._random.uniform(0, longest)
        # A desk that asks for no time at all, or for one that is past by our clock, gets ours.
        return asked if asked is not None and asked >= 1 else jittered
