"""A machine that systemd runs, reached by a command: what is installed there, what its units do."""

import json
import os
import secrets
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from io import StringIO
from threading import Event
from time import monotonic
from types import MappingProxyType
from typing import Any, TypeVar

from ruamel.yaml import YAML

PREFIX = "TRIAGED_MACHINE"
"""The variable with the command that runs others as root on the machine, such as `ssh root@lab`."""

REBOOT = "TRIAGED_MACHINE_REBOOT"
"""The variable with a command that boots the machine anew from outside, for a container whose
keeper ends with it; without it, `systemctl reboot` is run inside."""

PATIENCE = 120.0
"""Seconds after which an awaited thing is taken as not coming; where more is normal it is said."""

LOOK_AGAIN = 0.2
FIRST_PORT = 9100
BOOT = "/proc/sys/kernel/random/boot_id"
WORDS = "/run/triaged-words"
NONE: Mapping[str, str] = MappingProxyType({})

CALL = """
import json, sys, urllib.request
method, url, body, headers = json.load(sys.stdin)
data = None if body is None else body.encode()
headers = {"Content-Type": "application/json", **headers}
made = urllib.request.Request(url, data, headers, method=method)
try:
    answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(made, timeout=60)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, answer.read().decode()]))
"""
"""A call over HTTP from the machine itself, told on standard input: no secret is an argument."""

FoundT = TypeVar("FoundT")


class Failed(Exception):
    """A command on the machine ended with an error."""


class Machine:
    """Runs commands as root on a machine."""

    def __init__(self, prefix: Sequence[str]) -> None:
        self._prefix = tuple(prefix)

    @classmethod
    def named(cls) -> "Machine | None":
        """Give the machine that the environment names."""
        told = shlex.split(os.environ.get(PREFIX, ""))
        return cls(told) if told else None

    def begin(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command that runs on."""
        return subprocess.Popen([*self._prefix, *command], text=True, **options)

    def try_to(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever that is."""
        return subprocess.run(
            [*self._prefix, *command],
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=1800,
        )

    def run(self, *command: str, given: str = "") -> str:
        """Run a command to its end; raises `Failed` with what it said."""
        ended = self.try_to(*command, given=given)
        if ended.returncode:
            said = f"{ended.stdout}{ended.stderr}".strip()
            raise Failed(f"{shlex.join(command)}: exit code {ended.returncode}\n{said}")
        return ended.stdout

    def shell(self, script: str) -> str:
        """Run lines of shell; the first that fails ends them."""
        return self.run("bash", "-euc", script)

    def put(self, place: str, content: bytes) -> None:
        """Write a file."""
        subprocess.run(
            [*self._prefix, "bash", "-c", f"cat > {shlex.quote(place)}"],
            input=content,
            check=True,
            timeout=300,
        )

    def call(
        self, method: str, url: str, body: str | None = None, headers: Mapping[str, str] = NONE
    ) -> tuple[int, str]:
        """Make an HTTP call from the machine itself; give status and body."""
        told = json.dumps([method, url, body, dict(headers)])
        status, text = json.loads(self.run("python3", "-c", CALL, given=told))
        return status, text

    def reboot(self) -> None:
        """Boot it anew, and wait until it is up."""
        if outside := shlex.split(os.environ.get(REBOOT, "")):
            subprocess.run(outside, check=True, timeout=300)
        else:
            before = self.run("cat", BOOT)
            self.try_to("systemctl", "reboot")
            until("it has gone down", lambda: self.try_to("cat", BOOT).stdout != before)
        until("it is up again", self.is_up)

    def is_up(self) -> bool:
        """Tell whether it has booted."""
        state = self.try_to("systemctl", "is-system-running").stdout.strip()
        return state in {"running", "degraded"}

    def clock(self) -> float:
        """Give the seconds of its steady clock, by which systemd notes what happens."""
        return float(self.run("python3", "-c", "import time; print(time.monotonic())"))

    def grep(self, words: Sequence[str]) -> list[str]:
        """List where one of these words stands: files on its disk and in /tmp, and the journal."""
        self.put(WORDS, ("\n".join(words) + "\n").encode())
        # Not /run: there the service has its secrets in memory, as it should.
        left_out = [f"--exclude-dir={name}" for name in ("proc", "sys", "dev", "run")]
        search = ("grep", "-rlaF", "--devices=skip", "-f", WORDS, *left_out, "/")
        found = self.try_to(*search).stdout.splitlines()
        journal = f"journalctl --output export --all --no-pager | grep -caF -f {WORDS} || true"
        lines = int(self.run("bash", "-c", journal))
        self.run("rm", WORDS)
        return [*found, *["journal"] * lines]


class Desk:
    """A practice desk that runs on the machine."""

    def __init__(self, machine: Machine, number: int, platform: str) -> None:
        self.name, self.platform = f"desk-{number}", platform
        self.canary = f"canary{secrets.token_hex(8)}"
        self._machine = machine
        self._listen = f"127.0.0.1:{FIRST_PORT + number}"
        self._filed = 0

    def begin(self, *program: str) -> None:
        """Start it; what it prints is nobody's business."""
        self._machine.run(
            *("systemd-run", "--quiet", "--unit", f"practice-{self.name}"),
            *("--property", "StandardOutput=null", "--property", "StandardError=null"),
            *(*program, "sandbox", self.platform, "--listen", self._listen),
        )

    def ask(self, path: str, content: object = None) -> Any:
        """Ask its control API, or tell it something."""
        method, body = ("GET", None) if content is None else ("POST", json.dumps(content))
        status, text = self._machine.call(method, f"http://{self._listen}/sandbox/{path}", body)
        if status >= HTTPStatus.BAD_REQUEST:
            raise Failed(f"{self.name} {path}: {status} {text}")
        return json.loads(text)

    def is_up(self) -> bool:
        """Tell whether it answers."""
        try:
            return bool(self.ask("tenant"))
        except Failed:
            return False

    @property
    def settings(self) -> dict[str, Any]:
        """Give what a tenant file says to reach it."""
        told: dict[str, Any] = self.ask("tenant")
        return told

    @property
    def secrets(self) -> dict[str, str]:
        """Give its secrets, each by a name of its own."""
        return {f"{self.name}.{name}": value for name, value in self.settings["secrets"].items()}

    def tenant_file(self, **changes: object) -> bytes:
        """Give its tenant file, with sections that differ."""
        told = self.settings
        text = json.dumps(told)
        for name in told["secrets"]:
            text = text.replace(f"secret:{name}", f"secret:{self.name}.{name}")
        content = {**json.loads(text), "tenant": self.name, **changes}
        del content["secrets"]
        made = StringIO()
        YAML(typ="safe", pure=True).dump(content, made)
        return made.getvalue().encode()

    def arrive(self, served: str) -> str:
        """File a ticket whose words are found again wherever they are kept, and call who hears."""
        self._filed += 1
        if served:
            self.ask("webhook", {"url": f"{served}/hooks/{self.name}"})
        subject = f"VPN down, {self.canary}"
        body = f"The VPN does not connect since this morning ({self.canary}), case {self._filed}."
        filed = {"subject": subject, "description": body, "hook": bool(served)}
        return str(self.ask("tickets", filed)["id"])

    def is_written(self, ticket: str) -> bool:
        """Tell whether a ticket has been given fields."""
        return int(self.ask(f"tickets/{ticket}")["writes"]) > 0


class Unit:
    """A service of a machine."""

    def __init__(self, machine: Machine, name: str) -> None:
        self._machine = machine
        self.name = name

    def told(self, key: str) -> str:
        """Give a property as systemd has it."""
        return self._machine.run("systemctl", "show", "-P", key, self.name).strip()

    @property
    def pid(self) -> int:
        """Give the main process's id."""
        return int(self.told("MainPID"))

    def is_up(self) -> bool:
        """Tell whether it is ready, as systemd sees it."""
        return self.told("ActiveState") == "active"

    def seconds(self, key: str) -> float:
        """Give a moment of its life, in seconds of the machine's steady clock."""
        return int(self.told(f"{key}TimestampMonotonic")) / 1e6

    def events(self, since: str) -> list[Mapping[str, Any]]:
        """Give what it logged since a cursor of the journal, as events."""
        lines = self._machine.run(
            *("journalctl", "--unit", self.name, "--output", "cat", "--after-cursor", since)
        )
        return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]

    def now(self) -> str:
        """Give the journal's present cursor."""
        said = self._machine.run(
            *("journalctl", "--quiet", "--lines", "0", "--show-cursor", "--no-pager")
        )
        return said.strip().partition("-- cursor: ")[2]


def until(what: str, look: Callable[[], FoundT], patience: float = PATIENCE) -> FoundT:
    """Give the first true answer of `look`; fail naming `what` when none comes in time."""
    deadline = monotonic() + patience
    while not (found := look()):
        assert monotonic() < deadline, f"still waiting: {what}"
        Event().wait(LOOK_AGAIN)
    return found
