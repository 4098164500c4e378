"""What every desk over HTTP can be asked: the time of its answers."""

from adapters.http import DeskSession


class ClockInspection:
    """Tells how far the desk's clock is from ours."""

    def __init__(self, session: DeskSession) -> None:
        self._session = session

    def clock_skew(self) -> float | None:
        """Give the seconds that the desk's clock is ahead, by the header `Date` of its answers."""
        return self._session.skew
