"""Kills the daemon with SIGKILL, again and again, and counts what the desk and its callers saw.

One tenant hears by webhook alone (its desk's export stays empty, so that no poll can make good what
a lost webhook lost), one by poll alone. Half of the kills come at a random time, half at a random
call to a desk, before or after the desk has carried it out. At the end a daemon may finish. Then:

- lost: a ticket whose webhook was answered 202, or that the export shows, and that has no value;
- wrong: a category other than the right one, or two calls for one ticket with different values;
- repeated: a PUT for a ticket after the desk had carried one out.

`--kills 200`; with `--store postgresql` on a server that is started for it.
"""

import argparse
import json
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import NamedTuple

import quick
from postgresql import PASSWORD, a_server
from rich.console import Console
from world import Daemon, Desk, Site

from adapters.zendesk.sandbox.exchange import Reply, Request

NEVER = 10_000_000
"""Seconds by which the export lags at the desk whose tickets come by webhook alone."""

UNLIMITED = 10_000_000
"""Calls a minute: a daemon that keeps to a desk's budget would otherwise mostly wait."""

QUIET = 30.0
"""Seconds without one more written ticket after which the rest is taken as lost."""

ACCEPTED = 202


class Sums(NamedTuple):
    """What a run showed; `in_calls` are the kills that a call to a desk set off."""

    kills: int
    in_calls: int
    acknowledged: int
    polled: int
    puts: int
    lost: int
    wrong: int
    repeated: int

    @property
    def clean(self) -> bool:
        """Tell whether the promise was kept."""
        return not (self.lost or self.wrong or self.repeated)


@dataclass
class Strike:
    """A kill at the so-manieth call from now, before or after the desk has carried it out.

    `of` is how the calls begin that count; `lose` keeps the call from the desk.
    """

    pid: int
    of: str
    calls: int
    after: bool
    lose: bool


@dataclass
class Watch:
    """Notes every PUT with its values, and kills on a call."""

    desk: Desk
    lock: Lock = field(default_factory=Lock)
    strike: Strike | None = None
    struck: int = 0
    tried: dict[str, list[str]] = field(default_factory=dict)
    carried_out: dict[str, int] = field(default_factory=dict)
    repeated: int = 0

    def __post_init__(self) -> None:
        # A killed daemon's connections break: nothing to print a traceback about.
        self.desk.sandbox._server.handle_error = lambda *_: None
        self._answer = self.desk.sandbox.desk.answer
        self.desk.sandbox.desk.answer = self.answer

    def answer(self, request: Request) -> Reply:
        """Stand in for the desk's own answer."""
        if request.path.startswith("/sandbox/"):
            return self._answer(request)
        strike = self._due(request.method)
        put = self._note(request) if request.method == "PUT" else ""
        if strike and not strike.after:
            end(strike.pid)
            if strike.lose:  # the call never came to the desk
                return Reply(dropped=True)
        reply = self._answer(request)
        if put and reply.status < 300:
            with self.lock:
                self.carried_out[put] = self.carried_out.get(put, 0) + 1
        if strike and strike.after:
            end(strike.pid)
        return reply

    def _due(self, method: str) -> Strike | None:
        with self.lock:
            if self.strike is None or not method.startswith(self.strike.of):
                return None
            self.strike.calls -= 1
            if self.strike.calls > 0:
                return None
            strike, self.strike = self.strike, None
            self.struck += 1
            return strike

    def _note(self, request: Request) -> str:
        ticket = request.path.split("/")[4].removesuffix(".json")
        told = request.body["ticket"]
        values = json.dumps(told.get("custom_fields"), sort_keys=True)
        with self.lock:
            self.tried.setdefault(ticket, []).append(values)
            self.repeated += ticket in self.carried_out
        return ticket


class World:
    """Two desks, one state directory, and the daemons that were killed on it."""

    def __init__(self, folder: Path, resources: ExitStack, store: str, seed: int) -> None:
        self.draw = random.Random(seed)
        self.environment = quick.installed(folder / "plugin")
        self.hooked, self.polled = (Watch(resources.enter_context(Desk())) for _ in range(2))
        self.hooked.desk.set(export_delay=NEVER, rate_limit=UNLIMITED)
        self.polled.desk.set(rate_limit=UNLIMITED)
        self.port = free_port()
        self.site = Site(folder, resources)
        web = {"listen": f"127.0.0.1:{self.port}"}
        self.site.configure(web=web, **self._kept_in(store, resources))
        self.right: dict[tuple[int, str], str] = {}
        self.kills = 0
        for name, watch in (("hooked", self.hooked), ("polled", self.polled)):
            self.site.tenant(
                name, watch.desk, aspects=quick.ASPECTS, brake={"writes_per_hour": UNLIMITED}
            )
        hook = f"http://127.0.0.1:{self.port}/hooks/hooked"
        self.hooked.desk.post("webhook", {"url": hook})
        self.start = min(self._time_of_a_start(), 2.0)  # a busy machine must not draw it out

    def _kept_in(self, store: str, resources: ExitStack) -> Mapping[str, str]:
        if store == "sqlite":
            return {}
        server = resources.enter_context(a_server())
        self.site.secret("database", PASSWORD)
        return {"store": server.fresh(), "store_password": "secret:database"}

    def _time_of_a_start(self) -> float:
        began = monotonic()
        with self.daemon() as daemon:
            daemon.ready("hooked", "polled")
            return monotonic() - began

    def daemon(self) -> Daemon:
        """Start a daemon."""
        return self.site.daemon(**self.environment)

    def file(self, count: int) -> None:
        """Let tickets arrive at both desks."""
        for which, watch in enumerate((self.hooked, self.polled)):
            for _ in range(count):
                category = self.draw.choice(quick.CATEGORIES)
                number = len(self.right)
                ticket = watch.desk.arrive(
                    f"A {category} matter", f"Somebody asks about {category}, {number}.", hook=True
                )
                self.right[which, ticket] = category

    def kill(self) -> None:
        """Start a daemon, give it work, and end it at a random moment."""
        self.file(self.draw.randint(1, 3))
        daemon = self.daemon()
        lives = self.draw.uniform(self.start * 0.5, self.start * 1.5)
        if self.draw.random() < 0.5:
            lives += self.start * 2
            self._strike(daemon.pid)
        deadline = monotonic() + lives
        pause = Event()
        while monotonic() < deadline and daemon._child._process.poll() is None:
            pause.wait(self.draw.uniform(0.0, 0.1))
            if self.draw.random() < 0.3:
                self.file(1)
        with daemon:
            end(daemon.pid)
        code = daemon.left()
        assert code == -signal.SIGKILL, f"ended by itself with {code}: {daemon.text()}"
        for watch in (self.hooked, self.polled):
            with watch.lock:
                watch.strike = None
        self.kills += 1

    def _strike(self, pid: int) -> None:
        """Have the daemon killed in a call to one of the desks, every other time in a write."""
        watch = self.draw.choice((self.hooked, self.polled))
        of, most = self.draw.choice((("", 12), ("PUT", 4)))
        after, lose = self.draw.random() < 0.5, self.draw.random() < 0.5
        with watch.lock:
            calls = self.draw.randint(1, most)
            watch.strike = Strike(pid=pid, of=of, calls=calls, after=after, lose=lose)

    def finish(self) -> Sums:
        """Let a last daemon work off what is left, and count."""
        with self.daemon() as daemon:
            daemon.ready("hooked", "polled")
            lost = self._wait()
        acknowledged = self.acknowledged()
        watches = (self.hooked, self.polled)
        return Sums(
            kills=self.kills,
            in_calls=sum(watch.struck for watch in watches),
            acknowledged=len(acknowledged),
            polled=sum(which for which, _ in self.right),
            puts=sum(len(tries) for watch in watches for tries in watch.tried.values()),
            lost=len(lost),
            wrong=len(self._wrong()),
            repeated=sum(watch.repeated for watch in watches),
        )

    def acknowledged(self) -> frozenset[str]:
        """Name the tickets whose webhook was answered 202."""
        calls = self.hooked.desk.sandbox.hooks.invocations
        return frozenset(call.ticket for call in calls if call.status == ACCEPTED)

    def _owed(self) -> Sequence[tuple[int, str]]:
        known = self.acknowledged()
        owed = [key for key in self.right if key[0] or key[1] in known]
        carried_out = (self.hooked.carried_out, self.polled.carried_out)
        return [key for key in owed if key[1] not in carried_out[key[0]]]

    def _wait(self) -> Sequence[tuple[int, str]]:
        pause, left, since = Event(), self._owed(), monotonic()
        while left and monotonic() - since < QUIET:
            pause.wait(0.1)
            now = self._owed()
            if len(now) != len(left):
                left, since = now, monotonic()
        pause.wait(1.0)  # a repetition would come now, with our own writes in the next polls
        return self._owed()

    def _wrong(self) -> Sequence[tuple[int, str]]:
        wrong = []
        for which, watch in enumerate((self.hooked, self.polled)):
            for ticket, tries in watch.tried.items():
                value = watch.desk.ticket(ticket)["fields"]["360001"]
                if len(set(tries)) > 1 or value not in {self.right[which, ticket], None}:
                    wrong.append((which, ticket))
        return wrong


def end(process: int) -> None:
    """Kill a process that may have been killed already."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def play(folder: Path, *, kills: int, store: str = "sqlite", seed: int = 1) -> Sums:
    """Kill so many daemons on one state directory, let the last one finish, and count."""
    with ExitStack() as resources:
        world = World(folder, resources, store, seed)
        for _ in range(kills):
            world.kill()
        return world.finish()


def main() -> None:
    """Kill, count, print; exit code 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    began = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sums = play(Path(folder), kills=told.kills, store=told.store, seed=told.seed)
    figures: Mapping[str, int] = sums._asdict()
    for name, figure in figures.items():
        Console().print(f"{name.replace('_', ' '):>14} {figure}")
    Console().print(f"{'seconds':>14} {monotonic() - began:.0f}")
    sys.exit(0 if sums.clean else 1)


if __name__ == "__main__":
    main()
