"""The first hour of a new administrator, typed by a script and timed step by step.

`python tests/e2e/first_hour.py [FOLDER]` clones this repository, installs it into an environment of
its own as "Install" says (in FOLDER instead of under /opt and /etc, so without sudo), connects a
practice desk by `triaged init`, starts the daemon and files a ticket. It ends when the desk shows
the first field that the daemon wrote, and prints the time of each step.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from urllib.request import Request, urlopen

import click

ROOT = Path(__file__).parents[2]
DESK = "127.0.0.1:8489"
LISTEN = "127.0.0.1:8479"
PATIENCE = 60.0


class Hour:
    """A clean folder, what is typed in it, and how long that took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "triaged"
        self.home = folder / "opt"
        self.steps: list[tuple[str, float]] = []
        self.servers: list[subprocess.Popen[bytes]] = []
        self._credentials = folder / "credentials"
        self._environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            "CREDENTIALS_DIRECTORY": str(self._credentials),
            "TRIAGED_CONFIG": str(folder / "etc" / "triaged.yaml"),
        }

    def step(self, title: str, do: Callable[[], object]) -> None:
        """Do a step and note how long it took."""
        began = monotonic()
        do()
        self.steps.append((title, monotonic() - began))
        click.echo(f"{self.steps[-1][1]:6.1f} s  {title}")

    def type(self, *command: str, given: str = "") -> None:
        """Run a command to its end; a failure ends the hour."""
        subprocess.run(
            command,
            cwd=self.checkout if self.checkout.is_dir() else self.folder,
            env=self._environment,
            input=given,
            encoding="utf-8",
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def serve(self, *arguments: str) -> None:
        """Start what runs on."""
        command = [str(self.home / "bin" / "triaged"), *arguments]
        with (self.folder / "log").open("a") as log:
            self.servers.append(
                subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
            )

    def connect(self) -> None:
        """Store the desk's credential, and let `triaged init` do the rest."""
        tenant = asked("/sandbox/tenant")
        self._credentials.mkdir(mode=0o700)
        [token] = [value for name, value in tenant["secrets"].items() if name.endswith("token")]
        (self._credentials / "acme.zendesk-token").write_text(token)
        desk = ("--platform", "zendesk", "--tenant", "acme", "--url", f"http://{DESK}")
        who = ("--account", tenant["desk"]["account"], "--mode", "auto", "--non-interactive")
        self.type(str(self.home / "bin" / "triaged"), "init", *desk, *who)
        main = self.folder / "etc" / "triaged.yaml"
        text = main.read_text("utf-8").replace("/var/lib/triaged", str(self.folder / "state"))
        main.write_text(text.replace("127.0.0.1:8470", LISTEN), "utf-8")

    def first_field(self) -> None:
        """File a ticket and wait until the desk shows what was written to it."""
        told = asked(
            "/sandbox/tickets",
            {"requester": "Ada", "subject": "VPN down", "description": "The VPN does not connect."},
        )
        until(lambda: asked(f"/sandbox/tickets/{told['id']}")["fields"]["360001"] == "network")


def asked(path: str, content: object = None) -> dict[str, object]:
    """Ask the practice desk, or tell it something."""
    body = None if content is None else json.dumps(content).encode()
    with urlopen(Request(f"http://{DESK}{path}", body), timeout=PATIENCE) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def until(look: Callable[[], object]) -> None:
    """Wait for a true answer."""
    deadline = monotonic() + PATIENCE * 3
    while True:
        try:
            if look():
                return
        except OSError:
            pass
        if monotonic() > deadline:
            raise SystemExit("it did not come about; see `log` in the folder")
        Event().wait(0.2)


def walk(hour: Hour) -> None:
    """Go from nothing to the first field."""
    pip = (str(hour.home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
    lock = ("--require-hashes", "--requirement", "requirements.lock")
    hour.step("clone", lambda: hour.type("git", "clone", "--quiet", str(ROOT), "triaged"))
    hour.step("environment", lambda: hour.type(sys.executable, "-m", "venv", str(hour.home)))
    hour.step("dependencies, downloaded", lambda: hour.type(*pip, *lock))
    hour.step("triaged", lambda: hour.type(*pip, "--no-deps", "."))
    hour.serve("sandbox", "zendesk", "--listen", DESK)
    hour.step("a practice desk", lambda: until(lambda: asked("/sandbox/tenant")))
    asked("/sandbox/settings", {"export_delay": 0})
    hour.step("triaged init", hour.connect)
    hour.serve("run")
    ready = f"http://{LISTEN}/readyz"
    hour.step(
        "start to ready", lambda: until(lambda: urlopen(ready, timeout=PATIENCE).close() or 1)
    )
    hour.step("first field written, by poll", hour.first_field)


def main() -> None:
    """Walk, and print the sum."""
    with TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        hour = Hour(Path(folder))
        try:
            walk(hour)
        finally:
            for server in hour.servers:
                server.terminate()
                server.wait(PATIENCE)
        seconds = sum(took for _, took in hour.steps)
        click.echo(
            f"{seconds:6.1f} s  from nothing to the first field ({seconds / 60:.1f} minutes)"
        )


if __name__ == "__main__":
    main()
