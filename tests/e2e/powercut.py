"""Cuts the power of a recorded daemon at random points and opens what the disk may then hold.

A real daemon takes webhooks and triages under a recorder of every write, sync, truncation, creation
and removal of its SQLite files (`powercut_shim.c`); each 202 is noted in the same record. Then the
record is replayed up to a random point, half of the points just behind a 202. What was not synced
by then is kept, dropped, written in part, or torn by sectors, each write for itself. SQLite opens
the result: it must be whole, and hold every delivery that was acknowledged before.

`--cuts 2000 --webhooks 600`; `--synchronous NORMAL` shows that the cuts can do harm.
"""

import argparse
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import quick
from powercut_disk import Disk, Step, acknowledge, read
from rich.console import Console
from world import Desk, Site, direct

from adapters.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP, signature

NAME = "triaged.db"
CALLERS = 4
ACCEPTED = 202

LESS_SAFE = """
import sqlite3

class Connection(sqlite3.Connection):
    def execute(self, sql, *more):
        return super().execute(sql.replace("synchronous = FULL", "synchronous = NORMAL"), *more)

connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, **{**k, "factory": Connection})
"""
"""Run at the start of the daemon's interpreter, to show what the proof says of another setting."""


class Damage(NamedTuple):
    """What so many cuts did; `lost` counts cuts after which an acknowledged delivery was gone."""

    cuts: int
    webhooks: int
    steps: int
    syncs: int
    checkpoints: int
    corrupt: int
    lost: int


def compiler() -> str | None:
    """Name a C compiler."""
    return shutil.which("cc") or shutil.which("gcc")


def recorder(folder: Path) -> Path:
    """Compile the recorder."""
    library = folder / "powercut_shim.so"
    source = Path(__file__).with_name("powercut_shim.c")
    options = ("-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl", "-lpthread")
    subprocess.run([compiler() or "cc", *options], check=True)
    return library


def record(folder: Path, *, webhooks: int, synchronous: str = "FULL") -> Path:
    """Run a daemon that takes so many webhooks and triages their tickets; give its record."""
    trace = folder / "trace"
    plugin = folder / "plugin"
    environment = {
        **quick.installed(plugin),
        "LD_PRELOAD": str(recorder(folder)),
        "TRACE": str(trace),
        "TRACED_DIRECTORY": str(folder / "state"),
        "TRACED_NAME": NAME,
    }
    if synchronous == "NORMAL":
        (plugin / "sitecustomize.py").write_text(LESS_SAFE)
    with ExitStack() as resources:
        desk = resources.enter_context(Desk())
        site = Site(folder, resources)
        site.tenant("acme", desk, aspects=quick.ASPECTS)
        daemon = site.daemon(**environment).ready("acme")
        tickets = [desk.arrive(f"A network matter, {number}") for number in range(webhooks)]

        def call(some: Sequence[str]) -> None:
            with direct() as session:
                for ticket in some:
                    content = f'{{"ticket_id": "{ticket}"}}'.encode()
                    headers = signed(desk, content, f"D{ticket}")
                    url = f"{daemon.address}/hooks/acme"
                    answer = session.post(url, data=content, headers=headers, timeout=60)
                    assert answer.status_code == ACCEPTED
                    acknowledge(trace, f"D{ticket}")

        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(call, [tickets[part::CALLERS] for part in range(CALLERS)]))
    return trace


def signed(desk: Desk, body: bytes, delivery: str) -> Mapping[str, str]:
    """Sign a call as the desk does, under a delivery id of ours."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    right = signature(desk.sandbox.webhook_secret, moment, body)
    return {INVOCATION: delivery, TIMESTAMP: moment, SIGNATURE: right}


def cut(folder: Path, trace: Path, *, cuts: int, seed: int = 1) -> Damage:
    """Replay the record to so many points, and look what SQLite makes of it."""
    draw = random.Random(seed)
    steps = list(read(trace))
    points = sorted(chosen(steps, cuts, draw))
    disk, done, corrupt, lost = Disk(), 0, 0, 0
    for point in points:
        for step in steps[done:point]:
            disk.take(step)
        done = max(done, point)
        whole, present = opened(folder, disk.cut(draw, draw.choice(("", "", "", "dropped"))))
        corrupt += not whole
        lost += not disk.acknowledged <= present
    of = [step.done for step in steps]
    return Damage(
        cuts=cuts,
        webhooks=of.count("A"),
        steps=len(steps),
        syncs=of.count("S"),
        checkpoints=checkpoints(steps),
        corrupt=corrupt,
        lost=lost,
    )


def chosen(steps: Sequence[Step], cuts: int, draw: random.Random) -> Iterable[int]:
    """Choose the points: half of them anywhere, half just behind an acknowledgement."""
    behind = [number + 1 for number, step in enumerate(steps) if step.done == "A"]
    for number in range(cuts):
        yield draw.choice(behind) if number % 2 else draw.randrange(len(steps)) + 1


def checkpoints(steps: Sequence[Step]) -> int:
    """Count how often the write-ahead log went into the database between acknowledgements."""
    answers = [number for number, step in enumerate(steps) if step.done == "A"]
    between = steps[answers[0] : answers[-1]]
    return sum((step.done, step.name) == ("S", NAME) for step in between)


def opened(folder: Path, files: Mapping[str, bytes]) -> tuple[bool, frozenset[str]]:
    """Tell whether SQLite finds the files whole, and which deliveries it finds in them."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for name, content in files.items():
            Path(place, name).write_bytes(content)
        connection = sqlite3.connect(Path(place, NAME))
        try:
            connection.execute("PRAGMA synchronous = OFF")  # this look need not last
            [[told]] = connection.execute("PRAGMA integrity_check(1)").fetchall()
            known = {"deliveries", "inbox"}
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not known <= {name for (name,) in tables}:
                return told == "ok", frozenset()
            rows = connection.execute(
                "SELECT delivery FROM deliveries"
                " WHERE substr(delivery, 2) IN (SELECT ticket FROM inbox)"
            )
            return told == "ok", frozenset(delivery for (delivery,) in rows)
        except sqlite3.DatabaseError:
            return False, frozenset()
        finally:
            connection.close()


def prove(folder: Path, *, cuts: int, webhooks: int, synchronous: str = "FULL") -> Damage:
    """Record a daemon and cut its power."""
    trace = record(folder, webhooks=webhooks, synchronous=synchronous)
    return cut(folder, trace, cuts=cuts)


def main() -> None:
    """Record, cut, count, print; exit code 1 when something was corrupt or lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=2000)
    parser.add_argument("--webhooks", type=int, default=600)
    parser.add_argument("--synchronous", choices=("FULL", "NORMAL"), default="FULL")
    told = parser.parse_args()
    began = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        damage = prove(Path(folder), **vars(told))
    for name, figure in damage._asdict().items():
        Console().print(f"{name:>14} {figure}")
    Console().print(f"{'seconds':>14} {monotonic() - began:.0f}")
    sys.exit(1 if damage.corrupt or damage.lost else 0)


if __name__ == "__main__":
    main()
