"""How a practice desk misbehaves from now on, and how often each of its paths was called."""

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.practice.exchange import Fault, Reply


class Mishaps:
    """Faults of the next calls, slowness, a limit on calls, and a count; used under a desk's lock.

    `rate_limit` counts the calls of the platform's own window; 0 means that there is no limit.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.calls: dict[str, int] = {}
        self.rate_limit = 0
        self.latency = 0.0

    def set(self, told: Mapping[str, Any]) -> None:
        """Take over what the settings say of slowness and limits."""
        self.rate_limit = int(told.get("rate_limit", self.rate_limit))
        self.latency = float(told.get("latency", self.latency))

    def add(self, body: Any) -> Reply:
        """Let what a control call describes go wrong; raises `TypeError` when it describes none."""
        rows: Iterable[Any] = body if isinstance(body, list) else [body]
        self.faults.extend([Fault(**row) for row in rows])
        return Reply(body={})

    def count(self, call: str) -> None:
        """Note that a path was called."""
        self.calls[call] = self.calls.get(call, 0) + 1

    def meet(self, call: str) -> Fault | None:
        """Take the first fault that a call meets; it is used up after its times."""
        met = next((each for each in self.faults if call.startswith(each.match)), None)
        if met is not None:
            met.times -= 1
            if met.times < 1:
                self.faults.remove(met)
        return met
