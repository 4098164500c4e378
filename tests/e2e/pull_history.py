"""Pulls a long history from each practice desk through random faults and kills, and counts.

Calls are answered 429 or 500, cut off, or left unanswered until the command gives up waiting.
People change resolved tickets meanwhile. `triaged history pull` is ended by SIGKILL at random
calls, and started again until it is done. At the end every resolved ticket must be in the file
once, with the value that was left on it, and nothing else.

`--tickets 10000`; `--platform rt` for one of them.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from world import Desk, Site

from adapters.practice.exchange import Reply, Request
from adapters.rest.sandbox import PLAIN, RestSandbox
from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox
from adapters.zendesk.sandbox import ZendeskSandbox
from connector.demo.processes import PATIENCE

DAYS = 20
"""Over which the tickets of a history are spread, some of them many in one second."""

OPEN_IN = 10
"""One ticket of so many is still open, and must not come."""

TOO_LONG = 31.0
"""Seconds that an answer is late so that the command gives up waiting: it waits for thirty."""

LONG = 5000
"""Tickets from which on a history has whole pages, and some forty faults instead of five: each
costs a second or more."""

CATEGORIES = ("hardware", "software", "network", "security", "account")


class Kind(NamedTuple):
    """A platform's practice desk, its category field, and roughly the calls that a ticket takes.

    `query` asks the desk for other options than its usual ones.
    """

    sandbox: Callable[..., Any]
    category: str
    calls: float
    query: str = ""


KINDS: Mapping[str, Kind] = {
    "zendesk": Kind(ZendeskSandbox, "360001", 0.01),
    "servicenow": Kind(ServiceNowSandbox, "category", 0.01),
    "rt": Kind(RtSandbox, "Category", 0.04),
    "rest": Kind(RestSandbox, "category", 0.01),
    "rest, plain": Kind(RestSandbox, "category", 2.0, f"?dialect={PLAIN}"),
}


class Sums(NamedTuple):
    """What a pull showed."""

    platform: str
    resolved: int
    rows: int
    missing: int
    twice: int
    foreign: int
    wrong: int
    kills: int
    faults: int
    calls: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Tell whether every id came once and none is missing, in spite of faults and kills."""
        broken = self.missing or self.twice or self.foreign or self.wrong
        return not broken and self.kills > 0 and self.faults > 0


@dataclass
class Weather:
    """Stands before a desk: lets calls go wrong, people come between, and kills the caller."""

    desk: Desk
    draw: random.Random
    often: float
    late: int
    lock: Lock = field(default_factory=Lock)
    kill_at: int = 0
    pid: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    resolved: Sequence[str] = ()

    def __post_init__(self) -> None:
        # A killed command's connections break: nothing to print a traceback about.
        self.desk.sandbox._server.handle_error = lambda *_: None
        self._answer = self.desk.sandbox.desk.answer
        self.desk.sandbox.desk.answer = self.answer

    def answer(self, request: Request) -> Reply:
        """Stand in for the desk's own answer."""
        if request.path.startswith("/sandbox/"):
            return self._answer(request)
        with self.lock:
            self.calls += 1
            strikes = self.calls == self.kill_at
            loses = self.draw.random() < 0.5
            fault = self._fault()
            touches = self.draw.random() < 2 * self.often
        if touches:
            self._touch(request)
        if strikes and loses:
            self._strike()
        reply = fault(request) if fault else self._answer(request)
        if strikes and not loses:
            self._strike()
        return reply

    def _fault(self) -> Callable[[Request], Reply] | None:
        if self.draw.random() >= self.often:
            return None
        kinds = {"429": self._busy, "500": self._broken, "cut": self._cut}
        if self.faults["late"] < self.late:
            kinds["late"] = self._late
        name = self.draw.choice(sorted(kinds))
        self.faults[name] += 1
        return kinds[name]

    def _busy(self, _request: Request) -> Reply:
        return Reply(status=429, body="slow down", headers={"Retry-After": "1"})

    def _broken(self, _request: Request) -> Reply:
        return Reply(status=500, body="oops")

    def _cut(self, _request: Request) -> Reply:
        return Reply(dropped=True)

    def _late(self, request: Request) -> Reply:
        time.sleep(TOO_LONG)  # as a desk that hangs
        return self._answer(request)

    def _touch(self, request: Request) -> None:
        """Have an agent change a resolved ticket, which moves it in lists by time."""
        ticket = self.draw.choice(self.resolved)
        self.control(request.base, f"tickets/{ticket}", {"tags": ["looked_at"]})

    def _strike(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def control(self, base: str, path: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a control call without going through HTTP."""
        reply = self._answer(
            Request(method="POST", path=f"/sandbox/{path}", query={}, body=told, base=base)
        )
        assert reply.status < 300, reply.body
        body: Mapping[str, Any] = reply.body
        return body


class Past:
    """The desk's clock while its history is made: it goes to the present in leaps."""

    def __init__(self, tickets: int, draw: random.Random) -> None:
        self._draw = draw
        self._leap = DAYS * 86400 / tickets
        self._at: datetime | None = datetime.now(UTC) - timedelta(days=DAYS)

    def now(self) -> datetime:
        """Give the time."""
        return self._at or datetime.now(UTC)

    def passes(self) -> None:
        """Go on, or stay in the same second."""
        if self._at is not None and self._draw.random() < 0.4:
            self._at += timedelta(seconds=self._draw.uniform(0, 4.5) * self._leap)
            self._at = min(self._at, datetime.now(UTC) - timedelta(hours=1))

    def is_over(self) -> None:
        """Be in the present from now on."""
        self._at = None


def filed(weather: Weather, past: Past, tickets: int, field_name: str) -> dict[str, str]:
    """File tickets over time; give the category of each that was resolved."""
    resolved = {}
    for number in range(tickets):
        past.passes()
        category = weather.draw.choice(CATEGORIES)
        told = {
            "subject": f"Matter {number}",
            "description": f"Somebody asks about matter {number}.",
            "fields": {field_name: category},
            "status": "open" if number % OPEN_IN == 0 else "solved",
        }
        ticket = str(weather.control(weather.desk.url, "tickets", told)["id"])
        if number % OPEN_IN:
            resolved[ticket] = category
    past.is_over()
    weather.resolved = tuple(resolved)
    return resolved


def pulled(site: Site, weather: Weather, output: Path, kills: int, calls: int) -> int:
    """Pull in so many calls, killing the command so often; give how often it died."""
    died = 0
    since = (datetime.now(UTC) - timedelta(days=DAYS + 1)).strftime("%Y-%m-%d")
    command = [sys.executable, "-m", "connector", "history", "pull", "acme", "--config"]
    command += [str(site.config), "--output", str(output), "--since", since]
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(site.secrets)}
    for _ in range(kills + 20):
        with weather.lock:
            ahead = max(calls // (kills + 1), 3)
            weather.kill_at = weather.calls + weather.draw.randint(2, ahead) if kills > died else 0
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        weather.pid = child.pid
        code = child.wait(PATIENCE * 60)
        assert code in {0, -signal.SIGKILL}, f"the command ended by itself with {code}"
        if code == 0:
            return died
        died += 1
    raise AssertionError(f"{output} is still not there after {died} kills")


@dataclass(frozen=True)
class Asked:
    """A desk that is asked for its tenant file's content in a way of its own."""

    desk: Desk
    query: str

    def get(self, path: str) -> Any:
        """Ask the control API."""
        return self.desk.get(path + self.query)


def play(
    folder: Path, platform: str, tickets: int, *, kills: int = 3, late: int = 0, seed: int = 1
) -> Sums:
    """File tickets at a desk of a platform, pull them through bad weather, and compare."""
    draw, kind = random.Random(seed), KINDS[platform]
    page, faults = (100, 40) if tickets >= LONG else (20, 5)
    past = Past(tickets, draw)
    with ExitStack() as resources:
        desk = resources.enter_context(Desk(kind.sandbox(now=past.now)))
        desk.set(page_size_cap=page)
        calls = int(tickets * max(kind.calls, min(kind.calls, 1) * 100 / page)) + 4
        weather = Weather(desk, draw, min(faults / calls, 0.25), late)
        resolved = filed(weather, past, tickets, kind.category)
        site = Site(folder, resources)
        site.tenant("acme", Asked(desk, kind.query))
        output = folder / "acme.jsonl"
        began = monotonic()
        died = pulled(site, weather, output, kills, calls)
        seconds = monotonic() - began
    assert not [path for path in folder.iterdir() if path.name.startswith(".")], "pieces are left"
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    times = Counter(row["id"] for row in rows)
    return Sums(
        platform=platform,
        resolved=len(resolved),
        rows=len(rows),
        missing=len(resolved.keys() - times.keys()),
        twice=sum(count > 1 for count in times.values()),
        foreign=len(times.keys() - resolved.keys()),
        wrong=sum(row["category"] != resolved.get(row["id"]) for row in rows),
        kills=died,
        faults=weather.faults.total(),
        calls=weather.calls,
        seconds=seconds,
    )


def main() -> None:
    """Pull, count, print; exit code 1 when anything is missing, twice or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickets", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--late", type=int, default=1, help="answers that never come in time")
    parser.add_argument("--platform", choices=KINDS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    table = Table()
    for name in Sums._fields:
        table.add_column(name, justify="left" if name == "platform" else "right")
    clean = True
    for platform in told.platform or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            sums = play(
                Path(folder),
                platform,
                told.tickets,
                kills=told.kills,
                late=told.late,
                seed=told.seed,
            )
        clean = clean and sums.clean
        table.add_row(*(f"{each:.0f}" if isinstance(each, float) else str(each) for each in sums))
    Console(width=140).print(table)
    sys.exit(0 if clean else 1)


if __name__ == "__main__":
    main()
