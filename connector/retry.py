"""The retry policy as data: which error leads to what, how long a pause is, and when it ends."""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from connector.errors import (
    ConfigError,
    Conflict,
    Gone,
    Rejected,
    Retry,
    StateUnusable,
    TriagedError,
    Unauthorized,
)

FIRST_PAUSE = 2.0
"""Seconds: the longest first pause after a failure that named no time."""

LONGEST_PAUSE = 900.0
"""Seconds: a desk that was down all night is asked again at least every quarter of an hour."""

MOST_ATTEMPTS = 12
"""Failures of one ticket's own after which it is set aside for a person to look at."""

LONGEST_TRY = 24 * 3600.0
"""Seconds after which a ticket that failed more than once is set aside, however few its tries."""

BREAKER = 5
"""Failures of a desk in a row after which it gets one call at a time, a probe, until one works."""

Jitter: TypeAlias = Callable[[float, float], float]
"""Gives a number between two bounds, as `random.Random.uniform` does."""


class Then(Enum):
    """What happens next after an error."""

    PAUSE_TENANT = "the tenant pauses, and all its work waits"
    STOP_TENANT = "the tenant stops until a person acts"
    RETRY_TICKET = "this ticket is tried again later, and others go on"
    SET_ASIDE = "this ticket is set aside for a person"
    CLOSE_TICKET = "nothing is left to do for this ticket"
    TRY_ANEW = "the store failed and not the desk: the next look or batch tries again"


TENANT_WAITS = frozenset({Then.PAUSE_TENANT, Then.STOP_TENANT})
"""What concerns all of a tenant's work, not one ticket."""

AFTER_A_CALL: Mapping[type[Exception], Then] = MappingProxyType(
    {
        Retry: Then.PAUSE_TENANT,
        # Outside a write this means that the desk no longer lets us read, whatever the ticket.
        Rejected: Then.PAUSE_TENANT,
        Unauthorized: Then.STOP_TENANT,
        ConfigError: Then.STOP_TENANT,
        Conflict: Then.RETRY_TICKET,
        Gone: Then.CLOSE_TICKET,
        StateUnusable: Then.TRY_ANEW,
        Exception: Then.RETRY_TICKET,
    }
)
"""What follows an error of connecting, polling or reading; the nearest class counts."""

AFTER_A_WRITE: Mapping[type[Exception], Then] = MappingProxyType(
    {**AFTER_A_CALL, Rejected: Then.SET_ASIDE}
)
"""What follows an error of writing one ticket."""


def then(error: Exception, policy: Mapping[type[Exception], Then] = AFTER_A_CALL) -> Then:
    """Say what happens next after an error, by the nearest of its classes."""
    return next(policy[kind] for kind in type(error).__mro__ if kind in policy)


def backoff(failures: int, jitter: Jitter) -> float:
    """Give the seconds to wait after this many failures in a row: full jitter.

    Full jitter, a pause drawn from nothing up to a doubling bound, spreads callers best (AWS
    Architecture Blog, "Exponential Backoff And Jitter").
    """
    return jitter(0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(max(failures, 1) - 1, 20)))


def pause(failures: int, error: TriagedError, jitter: Jitter) -> float:
    """Give the seconds to leave a desk alone: what it asked for, or our own back-off."""
    asked = error.after if isinstance(error, Retry) else None
    # A desk that asks for no time at all, or for one that is past by our clock, gets ours.
    return asked if asked is not None and asked >= 1 else backoff(failures, jitter)


def gives_up(failures: int, age: float) -> bool:
    """Tell whether a ticket is set aside that failed this often and was taken in `age` seconds ago.

    Failures of the desk do not count, and one failure alone never suffices: a ticket that waited
    a day for a desk that was down has not been tried yet.
    """
    return failures >= MOST_ATTEMPTS or (failures > 1 and age >= LONGEST_TRY)
