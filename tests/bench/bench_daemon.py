"""Measures the daemon as a process: start to ready, memory, webhook to written, a backlog's rate.

The desk is a sandbox process on the same machine that answers at once: its share of the processor
is in the figures, a real desk's time is not. `--short` takes fewer starts and tickets.
"""

import argparse
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from threading import Event
from time import monotonic
from typing import NamedTuple

import psutil
import requests
from rich.console import Console
from rich.table import Table

from connector.demo.processes import PracticeDesk
from connector.demo.scenario import load

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from world import Daemon, Site, direct

LOOK = 0.002
"""Seconds between two looks at /readyz: the grain of the start's figure."""

MEBIBYTE = 1 << 20
UNLIMITED = 10_000_000
NO_BRAKE = {"writes_per_hour": UNLIMITED}
"""Calls a minute: the daemon keeps to a desk's budget, and the backlog is not to measure that."""
HOOK_NAME = "sandbox.zendesk-webhook"


class Sizes(NamedTuple):
    """How much is measured."""

    starts: int
    tickets: int
    backlog: int


LONG, SHORT = Sizes(starts=7, tickets=200, backlog=500), Sizes(starts=3, tickets=40, backlog=60)


class Row(NamedTuple):
    """A figure, as it is printed, beside its goal."""

    what: str
    figure: str
    goal: str = ""


class Bench:
    """A desk process, and a folder on which daemons are started and measured."""

    def __init__(self, folder: Path, sizes: Sizes, resources: ExitStack) -> None:
        self._desk = resources.enter_context(PracticeDesk("zendesk", folder))
        self._desk.post("settings", {"export_delay": 0, "rate_limit": UNLIMITED})
        self._site = Site(folder, resources)
        self._site.tenant("acme", self._desk, brake=NO_BRAKE)
        self._texts = [(ticket.subject, ticket.body) for ticket in load().tickets]
        self._sizes = sizes
        self._filed = 0

    def start(self) -> Sequence[Row]:
        """Measure from the process's start until /readyz answers 200."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = f"127.0.0.1:{probe.getsockname()[1]}"
        self._site.configure(web={"listen": listen})
        starts = self._sizes.starts
        seconds = [self._one_start(listen) for _ in range(starts)]
        figure = f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
        return (Row(f"start to ready, median of {starts}", figure, "≤ 2 s"),)

    def _one_start(self, listen: str) -> float:
        pause, began = Event(), monotonic()
        with self._site.daemon(), direct() as session:
            while not is_ready(session, listen):
                pause.wait(LOOK)
            return monotonic() - began

    def webhooks(self) -> Sequence[Row]:
        """File tickets one by one, each when the one before is written; none by poll."""
        with self._hooked() as daemon:
            self._one_by_webhook(daemon)  # the first opens connections and loads the languages
            times = [self._one_by_webhook(daemon) * 1000 for _ in range(self._sizes.tickets)]
            memory = psutil.Process(daemon.pid).memory_info().rss / MEBIBYTE
            inner = [event["milliseconds"] for event in daemon.told("ticket_triaged")[1:]]
        return (
            Row("webhook → fields written, p50", f"{percentile(times, 50):.0f} ms", "≤ 150 ms"),
            Row("webhook → fields written, p99", f"{percentile(times, 99):.0f} ms", "≤ 500 ms"),
            Row("of which from its receipt, p50", f"{percentile(inner, 50):.0f} ms"),
            Row("of which from its receipt, p99", f"{percentile(inner, 99):.0f} ms"),
            Row(f"RSS after {len(times)} tickets", f"{memory:.0f} MiB", "≤ 350 MB"),
        )

    def _hooked(self) -> Daemon:
        webhook = {"secret": f"secret:acme.{HOOK_NAME}"}
        self._site.tenant(
            "acme", self._desk, intake={"poll": "1h", "webhook": webhook}, brake=NO_BRAKE
        )
        daemon = self._site.daemon().ready("acme")
        self._desk.post("webhook", {"url": f"{daemon.address}/hooks/acme"})
        return daemon

    def _one_by_webhook(self, daemon: Daemon) -> float:
        began = monotonic()
        daemon.event("ticket_triaged", ticket=self._file(hook=True))
        return monotonic() - began

    def backlog(self) -> Sequence[Row]:
        """Let a daemon find many tickets that came while it was away."""
        tickets = [self._file(hook=False) for _ in range(self._sizes.backlog)]
        with self._site.daemon().ready("acme") as daemon:
            began = monotonic()
            for ticket in tickets:
                daemon.event("ticket_triaged", ticket=ticket)
            rate = len(tickets) / (monotonic() - began)
        return (Row(f"backlog of {len(tickets)} tickets found by poll", f"{rate:.1f} tickets/s"),)

    def _file(self, *, hook: bool) -> str:
        """File one of the demonstration's tickets, a little different each time."""
        self._filed += 1
        subject, body = self._texts[self._filed % len(self._texts)]
        subject = f"{subject} ({self._filed})"
        content = {"subject": subject, "description": body, "hook": hook}
        return str(self._desk.post("tickets", content)["id"])


def percentile(values: Sequence[float], part: int) -> float:
    """Give the value that so many per cent stay at or below."""
    return quantiles(values, n=100, method="inclusive")[part - 1]


def is_ready(session: requests.Session, listen: str) -> bool:
    """Ask /readyz once."""
    try:
        return session.get(f"http://{listen}/readyz", timeout=1).ok
    except requests.ConnectionError:
        return False


def processor() -> str:
    """Name the processor's model."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return "unknown processor"


def measured(sizes: Sizes) -> Sequence[Row]:
    """Measure everything, each on a desk and a folder of its own."""
    rows: list[Row] = []
    for measure in (Bench.start, Bench.webhooks, Bench.backlog):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as resources:
            rows.extend(measure(Bench(Path(folder), sizes, resources)))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer starts and tickets")
    sizes = SHORT if parser.parse_args().short else LONG
    cores = len(os.sched_getaffinity(0))
    load_before = os.getloadavg()[0]
    title = f"the daemon on {cores} cores of {processor()}, load before {load_before:.1f}"
    table = Table(*("what", "figure", "goal"), title=title, title_justify="left")
    for row in measured(sizes):
        table.add_row(*row)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
