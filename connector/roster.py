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

from connector import retry
from connector.desk import Desk
from connector.errors import TriagedError
from connector.model import TenantId
from connector.ports import Clock

PROBE = 120.0
"""Seconds after which a probe that was never heard of again no longer bars the next one: longer
than the calls of one ticket take with all their time-outs."""

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
    probe_until: float = 0.0
    stopped: str = ""
    braked: bool = False
    unstored: bool = False
    gone: bool = False

    def begin_anew(self, *, gone: bool) -> None:
        """Forget all but whether somebody works on it just now: that one lets go of this place."""
        self.desk, self.failures, self.stopped = None, Counter(), ""
        self.resume_at, self.probe_until = 0.0, 0.0
        self.unstored, self.gone = False, gone


class Roster:
    """Every tenant's standing. A desk's trouble pauses its tenant and no other.

    The first failure and the recovery are logged, nothing in between. A desk that failed
    `retry.BREAKER` times in a row gets a single call as a probe after each pause, until one works.
    """

    def __init__(self, tenants: Sequence[TenantId], clock: Clock) -> None:
        self._places = {tenant: _Place() for tenant in tenants}
        self._lock = Lock()
        self._choosing = Lock()  # held while the store is asked, which `_lock` never is
        self._turns = count(1)
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - jitter needs no secrecy

    def renew(self, tenant: TenantId) -> None:
        """Begin anew with a tenant, known or not: nothing is connected, paused or stopped."""
        self._begin_anew(tenant, gone=False)

    def remove(self, tenant: TenantId) -> None:
        """Serve a tenant no longer; who works for it now ends what is in hand."""
        self._begin_anew(tenant, gone=True)

    def admit(self, desk: Desk) -> None:
        """Put a connected desk, or a newer state of it, in its tenant's place."""
        with self._lock:
            self._places[desk.tenant].desk = desk

    def amend(self, tenant: TenantId, change: Callable[[Desk], Desk]) -> None:
        """Change a connected desk in one step; whoever works with it now ends with the old one."""
        with self._lock:
            place = self._places[tenant]
            if place.desk is not None:
                place.desk = change(place.desk)

    def desks(self) -> Sequence[Desk]:
        """Give every desk that was connected, paused or not; none of them is to be called."""
        with self._lock:
            return [place.desk for place in self._places.values() if place.desk is not None]

    def desk(self, tenant: TenantId) -> Desk | None:
        """Give the tenant's desk when it is connected and not paused."""
        with self._lock:
            place = self._places[tenant]
            if not self._is_open(place) or (place.busy and _is_broken(place)):
                return None
            self._begin_probe(place)
            return place.desk

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
            desk = None
            if place is not None:
                with self._lock:
                    place.busy, place.served = True, next(self._turns)
                    self._begin_probe(place)
                    desk = place.desk
        try:
            yield desk
        finally:
            if place is not None:
                with self._lock:
                    place.busy, place.probe_until = False, 0.0

    def failed(
        self, tenant: TenantId, doing: Doing, error: TriagedError, desk: Desk | None = None
    ) -> float:
        """Pause a tenant because of an error; give the seconds until it may be tried again.

        `Unauthorized` and `ConfigError` last until a person acts and has the configuration read
        again. A store that fails is not the desk's fault, and pauses nobody. Nor does the failure
        of a `desk` that is no longer its tenant's.
        """
        if retry.then(error) is retry.Then.TRY_ANEW:
            self._not_stored(tenant, error)
            return 0.0
        with self._lock:
            place = self._places[tenant]
            if place.gone or (desk is not None and not _is_of(place, desk)):
                return 0.0
            first = not place.failures.total() and not place.stopped
            place.failures[doing] += 1
            pause = retry.pause(place.failures[doing], error, self._random.uniform)
            place.resume_at = max(place.resume_at, self._clock.monotonic() + pause)
            place.probe_until = 0.0
            if retry.then(error) is retry.Then.STOP_TENANT:
                place.stopped = str(error)
        if first:
            _log.warning("tenant_paused", tenant=tenant, error=str(error))
        return pause

    def _not_stored(self, tenant: TenantId, error: TriagedError) -> None:
        with self._lock:
            place = self._places[tenant]
            first, place.unstored, place.probe_until = not place.unstored, True, 0.0
        if first:
            _log.error("store_failed", tenant=tenant, error=str(error))

    def worked(self, tenant: TenantId, doing: Doing) -> None:
        """Note that the tenant's desk answered; a pause because of another call stays."""
        with self._lock:
            place = self._places[tenant]
            place.probe_until = 0.0
            place.unstored = False
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

    def brake(self, tenants: Collection[TenantId]) -> None:
        """Have no ticket worked on for these tenants; their desks are visited all the same."""
        with self._lock:
            for name, place in self._places.items():
                place.braked = name in tenants

    def connected(self) -> Sequence[TenantId]:
        """Give the tenants whose desk has been connected."""
        with self._lock:
            return [name for name, place in self._places.items() if place.desk]

    def _begin_anew(self, tenant: TenantId, *, gone: bool) -> None:
        with self._choosing, self._lock:
            self._places.setdefault(tenant, _Place()).begin_anew(gone=gone)

    def _free(self) -> Sequence[TenantId]:
        """List the tenants that can be worked on now, the one served longest ago first."""
        with self._lock:
            free = [
                (place.served, tenant)
                for tenant, place in self._places.items()
                if place.desk and not place.busy and not place.braked and self._is_open(place)
            ]
        return [tenant for _, tenant in sorted(free)]

    def _is_open(self, place: _Place) -> bool:
        now = self._clock.monotonic()
        return (
            not place.stopped and not place.gone and now >= max(place.resume_at, place.probe_until)
        )

    def _begin_probe(self, place: _Place) -> None:
        if _is_broken(place) and place.desk is not None:
            place.probe_until = self._clock.monotonic() + PROBE


def _is_of(place: _Place, desk: Desk) -> bool:
    return place.desk is not None and place.desk.adapter is desk.adapter


def _is_broken(place: _Place) -> bool:
    return any(failures >= retry.BREAKER for failures in place.failures.values())
