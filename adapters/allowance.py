"""A desk's budget of calls as its own answers tell it, shared by all threads that call the desk."""

import math
import threading

from adapters.limits import Limit
from connector.ports import Clock

RESERVE = 0.05
"""Share of a limit that is left to the desk's other users: an account's limit counts for people's
browsers and other programs too, and a refused call costs all of them."""

FREE = 0.25
"""Share of a limit above which calls go out at once; below it, the rest is spread out."""

LONGEST_WAIT = 1.0
"""Seconds that a call waits in its thread at most to keep pace: the thread is needed by other
tenants. What that does not save, the empty bucket does: the tenant pauses until the reset."""

SAME_WINDOW = 5.0
"""Seconds by which the told end of one window may differ from call to call, by both clocks' grain:
windows are a minute or an hour long."""


class Allowance:
    """A bucket of calls that the desk's headers fill; without them, nothing is held back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left = math.inf
        self._spread_below = 0.0
        self._reset_at = -math.inf
        self._next_at = -math.inf
        self._away_until = -math.inf

    def note(self, limit: Limit) -> None:
        """Take over what the desk told last."""
        with self._lock:
            reset_at = self._clock.monotonic() + limit.reset
            remaining = limit.remaining
            if remaining is None:
                if abs(reset_at - self._reset_at) < SAME_WINDOW:
                    return  # counted by `take` since the window began
                remaining = limit.limit - 1
            self._left = remaining - math.floor(limit.limit * RESERVE)
            self._spread_below = limit.limit * FREE
            self._reset_at = reset_at

    def pause(self, seconds: float) -> None:
        """Let no call out for so many seconds; a pause that was told before is not shortened."""
        with self._lock:
            self._away_until = max(self._away_until, self._clock.monotonic() + seconds)

    def closed(self) -> float:
        """Give the seconds until any call may go at all; 0 when calls may go now."""
        with self._lock:
            now = self._clock.monotonic()
            empty_until = self._reset_at if self._left < 1 else now
            return max(self._away_until - now, empty_until - now, 0.0)

    def take(self) -> float:
        """Take one call out of the bucket; give the seconds to wait before it goes."""
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._reset_at:
                self._left = math.inf
                return 0.0
            scarce = self._left <= self._spread_below
            wait = min(max(0.0, self._next_at - now), LONGEST_WAIT) if scarce else 0.0
            self._next_at = now + wait + (self._reset_at - now) / max(self._left, 1)
            self._left -= 1
            return wait
