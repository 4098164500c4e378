"""A count of calls in windows of equal length, which is how desks limit them."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from adapters.practice.exchange import Refusal, Reply

MINUTE, HOUR = 60.0, 3600.0


class Window:
    """Counts calls; a window begins whenever the clock shows a multiple of its seconds."""

    def __init__(self, now: Callable[[], datetime], seconds: float) -> None:
        self._now = now
        self._seconds = seconds
        self._window, self._used = 0, 0

    def take(self) -> int:
        """Count a call; give how many there were before it in this window."""
        window = int(self._now().timestamp() // self._seconds)
        self._used = self._used if window == self._window else 0
        self._window, self._used = window, self._used + 1
        return self._used - 1

    @property
    def ends_at(self) -> float:
        """The Unix time at which the window of the last call ends."""
        return (self._window + 1) * self._seconds

    @property
    def left(self) -> int:
        """The whole seconds until then: 1 at least."""
        return max(int(self.ends_at - self._now().timestamp()), 1)

    def hold(self, granted: int) -> None:
        """Count a call, and refuse it over what is granted; 0 grants all."""
        if self.take() >= granted > 0:
            wait = {"Retry-After": str(self.left)}
            raise Refusal(Reply(status=HTTPStatus.TOO_MANY_REQUESTS, headers=wait))
