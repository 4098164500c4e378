"""Three daemons share a PostgreSQL server while one thing after the other is done to them.

Each is killed with work in hand and left dead until others have done it, stopped for longer than
its lease and let go on, and started with a clock that is an hour wrong. The server is
stopped without warning, and all its connections are cut. Tickets come all the while: to one desk
whose webhooks go to one of the three at random, and to one that is polled. At the end all three may
finish. Then:

- lost: a ticket whose webhook was answered 202, or that the export shows, and that has no value;
- wrong: a category other than the right one;
- repeated: a ticket that a desk changed for us more than once;
- resumed: the longest time from a kill to the writing of what the dead daemon had in hand, by
  another one, in seconds.

`--minutes 10`. A lost answer of the desk is not among the troubles: `kill9.py` has those.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple

import quick
from kill9 import NEVER, UNLIMITED, Watch, end, free_port
from postgresql import PASSWORD, PostgresServer, a_server
from powercut import compiler
from rich.console import Console
from world import Daemon, Desk, Site

NODES = 3
LONGER_THAN_A_LEASE = 36.0
QUIET = 60.0
"""Seconds without one more written ticket after which the rest is taken as lost."""

HOUR = 3600
ACCEPTED = 202
TENANTS = ("hooked", "polled")


class Sums(NamedTuple):
    """What a run showed."""

    kills: int
    stops: int
    server_stops: int
    cuts: int
    wrong_clocks: int
    acknowledged: int
    polled: int
    puts: int
    lost: int
    wrong: int
    repeated: int
    resumed: float

    @property
    def clean(self) -> bool:
        """Tell whether the promise was kept."""
        return not (self.lost or self.wrong or self.repeated)


class Machine:
    """One of the machines: a state directory, a port, and the daemon that runs there, if any."""

    def __init__(self, folder: Path, resources: ExitStack, url: str) -> None:
        folder.mkdir()
        self.port = free_port()
        self.site = Site(folder, resources)
        self.site.secret("database", PASSWORD)
        web = {"listen": f"127.0.0.1:{self.port}"}
        self.site.configure(web=web, store=url, store_password="secret:database")
        self.daemon: Daemon | None = None

    def start(self, environment: dict[str, str]) -> None:
        """Start a daemon, and return at once."""
        self.daemon = self.site.daemon(**environment)

    def kill(self) -> None:
        """Kill the daemon, which may be dead already, or stopped."""
        if self.daemon is not None:
            end(self.daemon.pid)
            self.daemon.left()
            self.daemon = None


class Cluster:
    """The machines, the database server and the desks, and everything that can go wrong."""

    def __init__(self, folder: Path, resources: ExitStack, seed: int) -> None:
        self.draw = random.Random(seed)
        self.environment = dict(quick.installed(folder / "plugin"))
        self.shim = shim(folder)
        self.server: PostgresServer = resources.enter_context(a_server())
        self.url = self.server.fresh()
        self.watches = [Watch(resources.enter_context(Desk())) for _ in TENANTS]
        for watch, delay in zip(self.watches, (NEVER, 0), strict=True):
            watch.desk.set(export_delay=delay, rate_limit=UNLIMITED)
        self.machines = [
            Machine(folder / f"machine-{number}", resources, self.url) for number in range(NODES)
        ]
        for machine in self.machines:
            for name, watch in zip(TENANTS, self.watches, strict=True):
                machine.site.tenant(
                    name, watch.desk, aspects=quick.ASPECTS, brake={"writes_per_hour": UNLIMITED}
                )
        self.right: dict[tuple[int, str], str] = {}
        self.done = dict.fromkeys(("kills", "stops", "server_stops", "cuts", "wrong_clocks"), 0)
        self.resumed = 0.0
        self.over = Event()
        self._threads: list[Thread] = []

    def begin(self) -> None:
        """Start all daemons, and let tickets come from now on."""
        for machine in self.machines:
            machine.start(self.environment)
        for machine in self.machines:
            assert machine.daemon is not None
            machine.daemon.ready(*TENANTS)
        self._threads.append(Thread(target=self._file, daemon=True))
        self._threads[-1].start()

    def _file(self) -> None:
        while not self.over.wait(self.draw.uniform(0.1, 0.6)):
            for which, watch in enumerate(self.watches):
                category = self.draw.choice(quick.CATEGORIES)
                port = self.draw.choice(self.machines).port
                watch.desk.post("webhook", {"url": f"http://127.0.0.1:{port}/hooks/hooked"})
                text = f"Somebody asks about {category}, {len(self.right)}."
                hook = which == 0
                ticket = watch.desk.arrive(f"A {category} matter", text, hook=hook)
                self.right[which, ticket] = category

    def kill_with_work_in_hand(self, machine: Machine) -> None:
        """Kill a daemon, and leave it dead until another has written what it had in hand."""
        in_hand: list[tuple[int, str]] = []
        self._await(lambda: in_hand.extend(self._in_hand(machine)) or bool(in_hand), QUIET)
        machine.kill()
        died = monotonic()
        self.done["kills"] += 1
        # Some of it may have been written and not noted: then it is only read back.
        self._await(lambda: not self._in_hand(machine), QUIET)
        self._await(lambda: all(self._is_written(*key) for key in in_hand), QUIET)
        self.resumed = max(self.resumed, monotonic() - died)
        machine.start(self.environment)

    def _in_hand(self, machine: Machine) -> Sequence[tuple[int, str]]:
        """Name the tickets that are claimed in the machine's name."""
        *_, name = (machine.site.state / "node").read_text().split()
        with self.server.ask(self.url) as connection:
            rows = connection.execute(
                "SELECT tenant, ticket FROM inbox"
                " WHERE state IN ('leased', 'planned') AND owner = %s",
                [name],
            ).fetchall()
        return [(TENANTS.index(str(tenant)), str(ticket)) for tenant, ticket in rows]

    def _is_written(self, which: int, ticket: str) -> bool:
        return ticket in self.watches[which].carried_out

    def stop(self, machine: Machine) -> None:
        """Stop a daemon for longer than its lease, and let it go on as if nothing had been."""
        assert machine.daemon is not None
        machine.daemon.signal(signal.SIGSTOP)
        self._pause(LONGER_THAN_A_LEASE)
        machine.daemon.signal(signal.SIGCONT)
        self.done["stops"] += 1

    def stop_server(self) -> None:
        """Pull the database server's plug for some seconds."""
        self.server.stop("immediate")
        self._pause(self.draw.uniform(0.5, 8.0))
        self.server.start()
        self.done["server_stops"] += 1

    def cut(self) -> None:
        """Cut all connections to the database."""
        with self.server.ask(self.url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        self.done["cuts"] += 1

    def turn_clock(self, machine: Machine) -> None:
        """Start a daemon anew, an hour before or after its time."""
        machine.kill()
        self.done["kills"] += 1
        shift = str(self.draw.choice((-HOUR, HOUR)))
        machine.start({**self.environment, "LD_PRELOAD": str(self.shim), "CLOCK_SHIFT": shift})
        self.done["wrong_clocks"] += 1

    def trouble(self) -> None:
        """Do one thing to it, drawn by lot."""
        machine = self.draw.choice([one for one in self.machines if one.daemon is not None])
        troubles: Sequence[Callable[[], None]] = (
            lambda: self.kill_with_work_in_hand(machine),
            lambda: self.stop(machine),
            self.stop_server,
            self.cut,
            lambda: self.turn_clock(machine),
        )
        self.draw.choice(troubles)()
        self._pause(self.draw.uniform(1.0, 5.0))

    def finish(self) -> Sums:
        """Let no more tickets come and all daemons work off what is left, and count."""
        self.over.set()
        for thread in self._threads:
            thread.join()
        self._wait()
        puts = sum(len(tries) for watch in self.watches for tries in watch.tried.values())
        effects = [count for watch in self.watches for count in watch.carried_out.values()]
        return Sums(
            **self.done,
            acknowledged=len(self._acknowledged()),
            polled=sum(which for which, _ in self.right),
            puts=puts,
            lost=len(self._owed()),
            wrong=len(self._wrong()),
            repeated=sum(count - 1 for count in effects),
            resumed=round(self.resumed, 1),
        )

    def _acknowledged(self) -> frozenset[str]:
        calls = self.watches[0].desk.sandbox.hooks.invocations
        return frozenset(call.ticket for call in calls if call.status == ACCEPTED)

    def _owed(self) -> Sequence[tuple[int, str]]:
        known = self._acknowledged()
        owed = [key for key in self.right if key[0] or key[1] in known]
        return [key for key in owed if key[1] not in self.watches[key[0]].carried_out]

    def _wait(self) -> None:
        left, since = len(self._owed()), monotonic()
        while left and monotonic() - since < QUIET:
            self._pause(0.2)
            if (now := len(self._owed())) != left:
                left, since = now, monotonic()
        self._pause(2.0)  # a repetition would come now

    def _wrong(self) -> Sequence[tuple[int, str]]:
        return [
            (which, ticket)
            for (which, ticket), category in self.right.items()
            if self.watches[which].desk.ticket(ticket)["fields"]["360001"] not in {category, None}
        ]

    def _await(self, seen: Callable[[], bool], patience: float) -> None:
        deadline = monotonic() + patience
        while not seen() and monotonic() < deadline:
            self._pause(0.05)

    def _pause(self, seconds: float) -> None:
        Event().wait(seconds)


def shim(folder: Path) -> Path:
    """Build what gives a process a wrong time of day."""
    built = folder / "clock_shift.so"
    source = Path(__file__).with_name("clock_shift.c")
    command = [compiler() or "cc", "-shared", "-fPIC", "-O2", "-o", str(built), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return built


def play(folder: Path, *, minutes: float, seed: int = 1) -> Sums:
    """Do things to the cluster for so long, each of them once at the least, and count."""
    with ExitStack() as resources:
        cluster = Cluster(folder, resources, seed)
        cluster.begin()
        until = monotonic() + minutes * 60
        for number, each in enumerate(
            (cluster.turn_clock, cluster.stop, cluster.kill_with_work_in_hand)
        ):
            each(cluster.machines[number])
        cluster.stop_server()
        cluster.cut()
        while monotonic() < until:
            cluster.trouble()
        return cluster.finish()


def main() -> None:
    """Play, print; exit code 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sums = play(Path(folder), minutes=told.minutes, seed=told.seed)
    for name, figure in sums._asdict().items():
        Console().print(f"{name.replace('_', ' '):>14} {figure}")
    sys.exit(0 if sums.clean else 1)


if __name__ == "__main__":
    main()
