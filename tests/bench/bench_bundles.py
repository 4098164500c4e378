"""Measures several bundles in a process, and a daemon's change from one to the next at work.

Bundles with the shipped one's parts and golden tickets of their own, under other versions; one with
another window has an encoder of its own. `--short` takes fewer of all.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from likes_of_shipped import TEXTS, alike
from world import Daemon, Desk, Site, triaged, until

import classifiers
from classifiers.bundle import SHIPPED, open_bundle

MEBIBYTE = 1 << 20
STARTS = 5
TICKETS = 60
"""Filed one after the other while a daemon rests, and while it changes its bundle."""


def with_encoder(folder: Path, version: str, tokens: int = 0) -> Path:
    """Make a bundle; another number of tokens is another encoder."""
    encoders = open_bundle(SHIPPED).manifest.model_dump(mode="json")["encoders"]
    for part in encoders.values():
        part["tokens"] = tokens or part["tokens"]
    return alike(folder / version, version, golden=() if tokens else None, encoders=encoders)


def memory_of_each(folders: Sequence[str]) -> None:
    """Load one bundle after the other, and print what each adds to the resident memory."""
    process, kept = psutil.Process(), []
    sizes = [process.memory_info().rss]
    for folder in folders:
        engine = classifiers.kind.load(folder, 1)
        classifier = engine.classifier({})
        classifier.predict(TEXTS * 5)
        kept.append(classifier)
        gc.collect()
        sizes.append(process.memory_info().rss)
    added = [after - before for before, after in pairwise(sizes)]
    # The first one pays for the libraries and the languages too.
    print(*(f"{one / MEBIBYTE:.1f}" for one in added[1:]))


def memory(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """Measure further bundles in processes of their own."""
    shared = [with_encoder(folder, f"s{number}") for number in range(count)]
    own = [with_encoder(folder, f"o{number}", 200 + number) for number in range(count)]
    for what, made in (("the same encoder", shared), ("an encoder of its own", own)):
        told = subprocess.run(
            [sys.executable, __file__, "--memory", *map(str, made)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        figures = [float(each) for each in told]
        each = f"{median(figures[1:]):.1f} MiB (the first {figures[0]:.1f})"
        yield f"a further bundle with {what}, of {len(figures)}", each


def at_work(folder: Path, changes: int) -> Iterator[tuple[str, str]]:
    """Promote beside a daemon that is given tickets all the time."""
    with ExitStack() as resources:
        desk = resources.enter_context(Desk())
        site = Site(folder, resources)
        site.tenant("acme", desk, bundle="ours")
        made = [with_encoder(folder, str(number)) for number in range(changes + 1)]
        promote(site, made[0])
        yield "start to ready with the shipped bundle", start(site, desk, {})
        yield "start to ready with a promoted one", start(site, desk, {"bundle": "ours"})
        daemon = site.daemon().ready("acme")
        rest = times(desk, daemon)
        before = psutil.Process(daemon.pid).memory_info().rss
        stop, busy = Event(), list[float]()
        client = Thread(target=keep_filing, args=(desk, daemon, stop, busy))
        client.start()
        waits = [changed(site, daemon, one) for one in made[1:]]
        stop.set()
        client.join()
        after = psutil.Process(daemon.pid).memory_info().rss
        wrote = until("all", lambda: daemon.told("ticket_triaged"))
        yield f"promoted → it serves, median of {changes}", f"{median(waits):.1f} s"
        yield f"arrival → written by poll at rest, median of {len(rest)}", f"{median(rest):.2f} s"
        yield f"the same while bundles change, of {len(busy)}", f"{median(busy):.2f} s"
        yield "the slowest of these, at rest and meanwhile", f"{max(rest):.2f} s, {max(busy):.2f} s"
        yield "tickets whose handling failed", str(len(daemon.told("ticket_failed")))
        yield f"memory after {len(wrote)} tickets", f"{after / MEBIBYTE:.0f} MiB"
        yield f"of it since {changes} changes before", f"{(after - before) / MEBIBYTE:.0f} MiB"


def start(site: Site, desk: Desk, named: Mapping[str, str]) -> str:
    """Give the median of some starts, from the process's own beginning of its work."""
    site.tenant("acme", desk, **named)
    seconds = []
    for _ in range(STARTS):
        with site.daemon() as daemon:
            seconds.append(float(daemon.event("ready")["seconds"]))
    return f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def promote(site: Site, folder: Path) -> None:
    """Promote by the command."""
    done = triaged("models", "promote", str(folder), "--config", str(site.config))
    assert done.returncode == 0, done.stderr


def changed(site: Site, daemon: Daemon, folder: Path) -> float:
    """Promote a bundle; give the seconds from then until it serves."""
    promote(site, folder)
    began = monotonic()
    title = f"ours@{folder.name}"
    until(title, lambda: any(e["bundle"] == title for e in daemon.told("bundle_serving")))
    return monotonic() - began


def times(desk: Desk, daemon: Daemon) -> Sequence[float]:
    """Give the seconds from the arrival of each of some tickets until it is written."""
    return [one_time(desk, daemon) for _ in range(TICKETS)]


def one_time(desk: Desk, daemon: Daemon) -> float:
    """File a ticket and wait for its write."""
    began = monotonic()
    daemon.event("ticket_triaged", ticket=desk.arrive("VPN down", f"{TEXTS[0]} ({began})"))
    return monotonic() - began


def keep_filing(desk: Desk, daemon: Daemon, stop: Event, busy: list[float]) -> None:
    """File tickets until told to stop."""
    while not stop.is_set():
        busy.append(one_time(desk, daemon))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer bundles")
    parser.add_argument("--memory", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        memory_of_each(options.memory)
        return
    count = 3 if options.short else 6
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    title = f"bundles on {cores} cores, load before {load:.1f}"
    table = Table("what", "figure", title=title, title_justify="left")
    for measure in (memory, at_work):
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(Path(folder), count):
                table.add_row(*row)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
