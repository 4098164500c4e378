"""How far a walk through a desk's past has come, by the times that it has passed."""

from datetime import datetime


def share(reached: datetime, since: datetime, now: datetime) -> float:
    """Give the part of the time from `since` to `now` that lies before `reached`, 0..1."""
    whole = (now - since).total_seconds()
    if whole <= 0:
        return 1.0
    return min(max((reached - since).total_seconds() / whole, 0.0), 1.0)
