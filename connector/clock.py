"""The one real clock: its sleep ends early when the daemon stops."""

import time
from datetime import UTC, datetime
from threading import Event


class SystemClock:
    """The machine's time; `stop` cuts every sleep short."""

    def __init__(self, stop: Event | None = None) -> None:
        self._stop = stop or Event()

    def now(self) -> datetime:
        """Give the time of day, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, or return as soon as the daemon is stopping."""
        self._stop.wait(seconds)
