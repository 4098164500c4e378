"""Sends many tickets through one daemon at a desk that fails now and then, and balances the books.

Tickets come by webhook and by poll. One call in `--every` fails: refused for the rate, answered
with an error of the desk's own, overtaken by somebody, cut off before the desk has carried it out,
or behind it. At the end every ticket must have been written once, nothing may be open or set aside,
and the daemon's memory and open files are held against those at a quarter of the way.

`--tickets 100000` is the full size.
"""

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from time import monotonic
from typing import NamedTuple

import psutil
import quick
from kill9 import UNLIMITED, Watch
from rich.console import Console
from world import Daemon, Desk, Site, until

from adapters.zendesk.sandbox.exchange import Reply, Request
from connector.store import Place, look

AHEAD = 400
"""Tickets that may be filed and not yet written: a backlog, but no burst of all of them."""

STUCK = 300.0
"""Seconds without one more written ticket that end the soak."""

KINDS = ("rate", "error", "unavailable", "overtaken", "cut before", "cut behind")


class Sums(NamedTuple):
    """What a soak showed; memory in MiB, at a quarter of the tickets and at the end."""

    tickets: int
    faults: int
    puts: int
    written: int
    repeated: int
    left_open: int
    set_aside: int
    memory_quarter: float
    memory_end: float
    files_quarter: int
    files_end: int
    rate: float

    @property
    def balanced(self) -> bool:
        """Tell whether every ticket was written once and nothing is left."""
        left = self.repeated or self.left_open or self.set_aside
        return self.written == self.tickets and not left


@dataclass
class Troubled(Watch):
    """A watched desk of whose calls every so-manieth fails."""

    every: int = 100
    draw: random.Random = field(default_factory=lambda: random.Random(1))
    faults: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._calls = count(1)

    def answer(self, request: Request) -> Reply:
        """Fail, or answer as the desk does."""
        if request.path.startswith("/sandbox/") or next(self._calls) % self.every:
            return super().answer(request)
        self.faults += 1
        kind = self.draw.choice(KINDS)
        if kind == "cut behind":
            super().answer(request)
        if kind.startswith("cut"):
            return Reply(dropped=True)
        if kind == "rate":
            return Reply(status=429, body="", headers={"Retry-After": "1"})
        if kind == "overtaken" and request.method == "PUT":
            return Reply(status=409, body={"error": "UpdateConflict"})
        return Reply(status=503 if kind == "unavailable" else 500, body="")


def soak(folder: Path, *, tickets: int, every: int) -> Sums:
    """Send so many tickets through, and count."""
    with ExitStack() as resources:
        desk = resources.enter_context(Desk())
        desk.set(rate_limit=UNLIMITED)
        watch = Troubled(desk, every=every)
        site = Site(folder, resources)
        site.tenant("acme", desk, aspects=quick.ASPECTS, brake={"writes_per_hour": UNLIMITED})
        daemon = site.daemon(**quick.installed(folder / "plugin")).ready("acme")
        desk.hook_to(daemon)
        began = monotonic()
        file_and_wait(watch, tickets // 4)
        quarter = measured(daemon)
        file_and_wait(watch, tickets - tickets // 4)
        rate = tickets / (monotonic() - began)
        end = measured(daemon)
        until("nothing is open", lambda: not still_open(site))
        [overview] = look(Place(site.state))
        aside = sum(overview.states.get(state, 0) for state in ("dead", "held"))
        return Sums(
            tickets=tickets,
            faults=watch.faults,
            puts=sum(len(tries) for tries in watch.tried.values()),
            written=len(watch.carried_out),
            repeated=watch.repeated,
            left_open=still_open(site),
            set_aside=aside,
            memory_quarter=quarter[0],
            memory_end=end[0],
            files_quarter=quarter[1],
            files_end=end[1],
            rate=round(rate, 1),
        )


def file_and_wait(watch: Troubled, tickets: int) -> None:
    """File so many tickets, never far ahead of the daemon, and wait until all are written."""
    pause, since = Event(), monotonic()
    target, filed = len(watch.carried_out) + tickets, len(watch.carried_out)
    written = filed
    while written < target:
        if filed < target and filed - written < AHEAD:
            category = watch.draw.choice(quick.CATEGORIES)
            watch.desk.arrive(f"A {category} matter", f"About {category}, {filed}.", hook=True)
            filed += 1
        else:
            pause.wait(0.05)
        if len(watch.carried_out) != written:
            written, since = len(watch.carried_out), monotonic()
        assert monotonic() - since < STUCK, f"{written} of {target} tickets are written"


def measured(daemon: Daemon) -> tuple[float, int]:
    """Give the daemon's memory in MiB and its open files that are no connections."""
    process = psutil.Process(daemon.pid)
    return round(process.memory_info().rss / (1 << 20), 1), len(process.open_files())


def still_open(site: Site) -> int:
    """Count the rows that are still to be worked off."""
    [overview] = look(Place(site.state))
    ended = ("done", "dead", "held", "superseded")
    return sum(number for state, number in overview.states.items() if state not in ended)


def main() -> None:
    """Soak, count, print; exit code 1 when the books do not balance."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=500)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sums = soak(Path(folder), **vars(told))
    for name, figure in sums._asdict().items():
        Console().print(f"{name.replace('_', ' '):>16} {figure}")
    sys.exit(0 if sums.balanced else 1)


if __name__ == "__main__":
    main()
