"""A year of the service on a machine that systemd really booted, and what each thing in it takes.

`TRIAGED_MACHINE="ssh root@lab" python tests/e2e/booted.py` installs this checkout there as the page
"Install" says and connects ten practice desks that run there too. Then come a reboot, a kill, a
loop of each kind that stands still, a broken configuration, a tenant that goes and comes back, a
secret that is changed, an upgrade, and the way back. At the end all secrets and the words of all
tickets are looked for on the whole disk.

The command is one that runs others as root on the machine and passes standard input on. The machine
is a Debian 12 with `python3-venv` that may be thrown away. With `--patient` the loops are frozen
for as long as the shipped daemon bears it, some ten minutes in all; without, they count as stuck
after seconds.
"""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import TypeVar

import click
from freeze import FROZEN
from machine import PREFIX, Desk, Machine, Unit, until

from adapters.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP, signature
from connector import __version__
from connector.model import Secret

ROOT = Path(__file__).parents[2]
PROGRAM = "/opt/triaged"
TRIAGED = f"{PROGRAM}/bin/triaged"
SERVED = "http://127.0.0.1:8470"
TENANTS = "/etc/triaged/tenants"
TESTS = "/opt/triaged-tests"
NEXT = "99.0.0"
"""The version that is upgraded to: this checkout under another number."""

PLATFORMS = ("zendesk", "servicenow", "rt") * 3 + ("zendesk",)
LOOPS = ("worker 1", "web", "store", "timetable")
SLOW = 1.0
"""Seconds that a desk takes for each call while a visit to it is to be met with."""

IMPATIENT = f"""[Service]
ExecStart=
ExecStart={PROGRAM}/bin/python -m impatient run --config /etc/triaged/triaged.yaml --log-format json
Environment=PYTHONPATH={TESTS}
WatchdogSec=4
"""
DoneT = TypeVar("DoneT")

FORGOTTEN_AFTER = 60.0
"""Seconds after the last ticket at which its words are nowhere."""


class Life:
    """The service's life; each step says what it took."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.unit = Unit(machine, "triaged.service")
        self.desks: list[Desk] = []
        self.secrets: dict[str, str] = {}
        self.hidden: list[str] = []
        self.words: list[str] = []

    def install(self, wheel: Path) -> None:
        """Install a wheel as the how-to says."""
        self.machine.run("mkdir", "-p", TESTS)
        for file in (wheel, ROOT / "requirements.lock", *HELP):
            self.machine.put(f"{TESTS}/{file.name}", file.read_bytes())
        self.machine.shell(
            f"rm -rf {PROGRAM}; python3 -m venv {PROGRAM}; cd {TESTS};"
            f"{PROGRAM}/bin/pip install -q --require-hashes --requirement requirements.lock;"
            f"{PROGRAM}/bin/pip install -q --no-deps {wheel.name}"
        )

    def furnish(self) -> None:
        """Begin ten desks that nobody has worked for yet; earlier ones are gone."""
        first = len(self.words) + 1
        self.desks = [Desk(self.machine, n, each) for n, each in enumerate(PLATFORMS, first)]
        for desk in self.desks:
            desk.begin(f"{PROGRAM}-desks/bin/python", "-m", "connector")
        for desk in self.desks:
            until(f"{desk.name} answers", desk.is_up)
            self.words.append(desk.canary)
            self.hidden += desk.secrets.values()

    def configure(self) -> None:
        """Connect the first desk as the how-to says, then all of them by files."""
        first = self.desks[0]
        place, token = first.settings["desk"], next(iter(first.secrets.values()))
        self.machine.run(
            *(TRIAGED, "init", "--non-interactive", "--platform", first.platform),
            *("--tenant", first.name, "--url", place["url"], "--account", place["account"]),
            given=token,
        )
        self.connect_all()
        self.machine.run(TRIAGED, "check", "--online")

    def connect_all(self) -> None:
        """Have these desks as tenants, and no others."""
        self.machine.shell(f"rm -f {TENANTS}/*.yaml")
        for desk in self.desks:
            self.connect(desk)

    def connect(self, desk: Desk, **changes: object) -> None:
        """Write a desk's tenant file, and store its secrets."""
        for name, value in desk.secrets.items():
            if self.secrets.get(name) != value:
                self.secrets[name] = value
                self.machine.run(TRIAGED, "secret", "set", name, given=value)
        self.machine.put(f"{TENANTS}/{desk.name}.yaml", desk.tenant_file(**changes))

    def start(self) -> None:
        """Enable the unit as the how-to says."""
        self.machine.put("/etc/systemd/system/triaged.service", UNIT.read_bytes())
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "enable", "--now", "triaged")
        took = self.unit.seconds("ActiveEnter") - self.unit.seconds("InactiveExit")
        say("start to ready", f"{took:.2f} s, all {len(self.desks)} tenants")
        rated = self.machine.run("systemd-analyze", "security", "--no-pager", "triaged")
        say("exposure", rated.strip().splitlines()[-1].rpartition(": ")[2])

    def works(self, *, hooks: bool = True) -> None:
        """Have every desk file a ticket by webhook, and see its fields written."""
        filed = [(desk, desk.arrive(SERVED if hooks else "")) for desk in self.desks]
        for desk, ticket in filed:
            until(f"{desk.name}'s fields are written", lambda d=desk, t=ticket: d.is_written(t))

    def reboot(self) -> None:
        """Boot the machine anew; the desks are gone with it, and others begin."""
        self.machine.reboot()
        until("the service is ready", self.unit.is_up)
        began = int(self.machine.run("systemctl", "show", "-P", "UserspaceTimestampMonotonic"))
        say("boot to ready", f"{self.unit.seconds('ActiveEnter') - began / 1e6:.2f} s")
        self.furnish()
        self.connect_all()
        self.machine.run("systemctl", "restart", "triaged")

    def kill(self) -> None:
        """Kill the process; systemd starts it anew."""
        _, _, ready = self.restarted_by(lambda: self.machine.run("kill", "-9", str(self.unit.pid)))
        say("restart after kill -9", f"{ready:.1f} s to ready, of which 5 s are RestartSec")

    def freeze(self, loop: str) -> None:
        """Let one loop stand still until the watchdog has struck."""
        cursor = self.unit.now()
        held, ended, ready = self.restarted_by(
            lambda: until(f"{loop} is frozen", lambda: self._frozen(loop))
        )
        held.communicate()
        told = [event for event in self.unit.events(cursor) if event["event"] == "loop_stuck"]
        assert loop in {event["loop"] for event in told}, (loop, told)
        seconds = told[0]["seconds"]
        say(
            f"watchdog, {loop}",
            f"named after {seconds} s, ended {ended:.0f} s, ready {ready:.0f} s",
        )

    def freeze_visit(self) -> None:
        """The same for a visit to a desk, which has to last until it is met with."""
        desk = self.desks[0]
        desk.ask("settings", {"latency": SLOW})
        self.freeze(f"visit {desk.name}")
        desk.ask("settings", {"latency": 0.0})

    def _frozen(self, loop: str) -> "subprocess.Popen[str] | None":
        python = f"{PROGRAM}/bin/python"
        command = (python, f"{TESTS}/freeze.py", str(self.unit.pid), loop)
        debugger = self.machine.begin(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert debugger.stdout is not None
        if debugger.stdout.readline().strip() == FROZEN:
            return debugger
        debugger.communicate()
        return None

    def restarted_by(self, act: Callable[[], DoneT]) -> tuple[DoneT, float, float]:
        """Do what ends the process; give that, and the seconds to its end and to the next ready."""
        self.machine.run("systemctl", "reset-failed", "triaged")  # not the limit of starts is tried
        before, began = self.unit.pid, self.machine.clock()
        done = act()
        until("it has ended", lambda: self.unit.pid != before, 400)
        ended = self.machine.clock()
        until("it is ready again", lambda: self.unit.is_up() and self.unit.pid not in {0, before})
        return done, ended - began, self.unit.seconds("ActiveEnter") - began

    def break_configuration(self) -> None:
        """Reload a file with an error by systemd, and past it."""
        file = f"{TENANTS}/{self.desks[0].name}.yaml"
        right, cursor, before = self.machine.run("cat", file), self.unit.now(), self.unit.pid
        self.machine.put(file, right.replace("aspects:", "aspcets:").encode())
        assert self.machine.try_to("systemctl", "reload", "triaged").returncode
        self.machine.run("kill", "-HUP", str(before))
        refused = until("the daemon refuses it", lambda: self._told(cursor, "reload_refused"))
        assert all(str(event["error"]).startswith(f"{file}:") for event in refused), refused
        self.works()
        self.machine.put(file, right.encode())
        self.machine.run("systemctl", "reload", "triaged")
        until("it is read again", lambda: self._told(cursor, "reloaded"))
        assert self.unit.pid == before
        say("broken configuration", f"refused, old one serves: {refused[0]['error'][:70]}…")

    def come_and_go(self) -> None:
        """Take a tenant out and in again while the daemon runs."""
        desk, cursor, before = self.desks[-1], self.unit.now(), self.unit.pid
        self.machine.run("rm", f"{TENANTS}/{desk.name}.yaml")
        self.machine.run("systemctl", "reload", "triaged")
        [gone] = until("it is removed", lambda: self._told(cursor, "reloaded"))
        assert gone["removed"] == [desk.name]
        cursor = self.unit.now()
        self.connect(desk)
        self.machine.run("systemctl", "reload", "triaged")
        [back] = until("it is added", lambda: self._told(cursor, "reloaded"))
        assert (back["added"], self.unit.pid) == ([desk.name], before)
        until("it is connected", lambda: self._told(cursor, "tenant_connected"))
        self.works()
        say("tenants", "one taken out and in by reload, the others undisturbed")

    def rotate(self) -> None:
        """Change a webhook's secret: both are good until the old one is taken away."""
        desk, fresh = self.desks[0], secrets.token_urlsafe(30)
        old = next(name for name in desk.secrets if "webhook" in name)
        self.machine.run(TRIAGED, "secret", "rotate", old, given=fresh)
        self.hidden.append(fresh)
        webhook = {"secret": f"secret:{old}", "previous_secret": f"secret:{old}-before"}
        self.connect(desk, intake={"poll": "2s", "webhook": webhook})
        self.machine.run("systemctl", "restart", "triaged")
        self.works()  # still signed with the one before
        answers = [self._signed(desk, key) for key in (fresh, self.secrets[old], "another")]
        assert answers == [202, 202, 401], answers
        say("secret rotated", "calls signed with the old and the new one are taken, others refused")

    def _signed(self, desk: Desk, key: str) -> int:
        body, now = '{"detail": {"id": "1"}}', datetime.now(UTC).isoformat(timespec="seconds")
        sign = signature(Secret(key), now, body.encode())
        headers = {SIGNATURE: sign, TIMESTAMP: now, INVOCATION: secrets.token_hex(8)}
        return self.machine.call("POST", f"{SERVED}/hooks/{desk.name}", body, headers)[0]

    def upgrade(self, wheel: Path) -> None:
        """Go to the next version and back as the how-to says; what comes meanwhile is not lost."""
        self.machine.put(f"{TESTS}/{wheel.name}", wheel.read_bytes())
        self.machine.run("systemctl", "stop", "triaged")
        waiting = [(desk, desk.arrive("")) for desk in self.desks]
        began = monotonic()
        self.machine.run("mv", PROGRAM, f"{PROGRAM}-old")
        self.install(wheel)
        self.machine.run("systemctl", "start", "triaged")
        assert NEXT in self.machine.run(TRIAGED, "--version")
        for desk, ticket in waiting:
            until(f"{desk.name}'s is done", lambda d=desk, t=ticket: d.is_written(t))
        self.works()
        say("upgrade", f"{monotonic() - began:.0f} s, what came meanwhile is written")
        self.machine.run("systemctl", "stop", "triaged")
        self.machine.shell(f"rm -rf {PROGRAM}; mv {PROGRAM}-old {PROGRAM}")
        self.machine.run("systemctl", "start", "triaged")
        assert __version__ in self.machine.run(TRIAGED, "--version")
        self.works()
        say("roll back", f"{__version__} serves again")

    def search(self) -> None:
        """Look for secrets and for tickets' words wherever something could have been kept."""
        Event().wait(FORGOTTEN_AFTER)
        status, metrics = self.machine.call("GET", f"{SERVED}/metrics")
        assert status == 200
        self.prove_search()
        canaries = [*self.hidden, *self.words]
        found = self.machine.grep(canaries)
        found += ["metrics"] * any(word in metrics for word in canaries)
        assert not found, found
        say("canaries", f"{len(self.hidden)} secrets, {len(self.words)} texts: found nowhere")

    def prove_search(self) -> None:
        """See that the search finds what lies in a file, and what is in the journal."""
        word = f"canary{secrets.token_hex(8)}"
        self.machine.put("/var/lib/proof", word.encode())
        self.machine.run("systemd-cat", "echo", word)
        until("the journal has it", lambda: "journal" in self.machine.grep([word]))
        assert "/var/lib/proof" in self.machine.grep([word])
        self.machine.run("rm", "/var/lib/proof")

    def _told(self, cursor: str, event: str) -> list[dict[str, object]]:
        return [each for each in self.unit.events(cursor) if each["event"] == event]


HELP = tuple(Path(__file__).with_name(f"{name}.py") for name in ("freeze", "impatient"))
UNIT = ROOT / "systemd" / "triaged.service"


def wheel_of(version: str, folder: Path) -> Path:
    """Build this checkout's wheel under a version's number."""
    source = folder / f"source-{version}"
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=ignored)
    place = source / "connector" / "__init__.py"
    text = place.read_text("utf-8")
    place.write_text(text.replace(f'"{__version__}"', f'"{version}"'), "utf-8")
    build = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
    )
    subprocess.run([*build, str(source)], check=True)
    return next(folder.glob(f"triaged-{version}-*.whl"))


def say(what: str, told: str) -> None:
    click.echo(f"{what:24} {told}")


def live(machine: Machine, folder: Path, *, patient: bool) -> None:
    life = Life(machine)
    began = monotonic()
    machine.shell("mkdir -p /var/log/journal; systemctl restart systemd-journald")
    machine.shell(
        f"systemctl stop triaged || true; rm -rf /etc/triaged /var/lib/triaged {PROGRAM}*"
    )
    life.install(wheel_of(__version__, folder))
    installed = monotonic()
    machine.run("cp", "-a", PROGRAM, f"{PROGRAM}-desks")
    life.furnish()
    furnished = monotonic()
    life.configure()
    life.start()
    life.works()
    own = installed - began + monotonic() - furnished
    say("nothing to first fields", f"{own / 60:.1f} min, {installed - began:.0f} s of it pip")
    life.reboot()
    life.works()
    life.kill()
    life.works()
    drop_in = "/etc/systemd/system/triaged.service.d/90-impatient.conf"
    if not patient:
        machine.put(drop_in, IMPATIENT.encode())
        machine.shell("systemctl daemon-reload; systemctl restart triaged")
    for loop in LOOPS:
        life.freeze(loop)
        life.works()
    life.freeze_visit()
    life.works()
    machine.shell(f"rm -f {drop_in}; systemctl daemon-reload; systemctl restart triaged")
    life.break_configuration()
    life.come_and_go()
    life.rotate()
    life.upgrade(wheel_of(NEXT, folder))
    life.search()


def main() -> None:
    machine = Machine.named()
    if machine is None:
        raise SystemExit(f"{PREFIX} names no machine: set it to a command that runs others there")
    with TemporaryDirectory() as folder:
        live(machine, Path(folder), patient="--patient" in sys.argv)


if __name__ == "__main__":
    main()
