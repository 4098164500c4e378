"""The commands of the how-to pages, run as they stand there."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from pages import BASH, ROOT, Typed, typed
from world import PATIENCE, UPDATE, Daemon, Desk, Site, direct, until

from adapters.zendesk.sandbox import Fault

HOW_TO = ROOT / "docs" / "how-to"
SANDBOX = HOW_TO / "try-the-sandbox.md"
PAGES = sorted([*HOW_TO.glob("*.md"), ROOT / "README.md"])

BESIDE_A_DAEMON = (
    "troubleshoot",
    "tune-the-dial",
    "read-the-report",
    "serve-several-organisations",
    "undo",
    "work-off-the-queue",
    "privacy-and-data-protection",
    "connect-zendesk",
)
"""Pages whose commands are run here, in this order, beside a daemon with a desk."""

ELSEWHERE = {
    r"triaged init\b": "tests/e2e/test_init.py",
    r"triaged secret (set|list|rotate|rm)\b": "tests/e2e/test_secret.py",
    r"triaged models (promote|rollback|list)\b": "tests/e2e/test_bundles.py",
    r"triaged models (show|verify|build)\b": "tests/unit/test_models_commands.py",
    r"triaged models (sign)\b": "tests/unit/test_signature.py",
    r"triaged (train)\b": "tests/unit/test_training.py",
    r"triaged (evaluate)\b": "tests/unit/test_evaluation.py",
    r"triaged (assess)\b": "tests/e2e/test_assess.py",
    r"triaged history (pull)\b": "tests/e2e/test_history.py",
    r"triaged store (migrate)\b": "tests/e2e/test_postgresql.py",
    r"triaged ladder (raise)\b": "tests/e2e/test_ladder.py",
    r"triaged brake (release)\b": "tests/e2e/test_safety.py",
    r"triaged (sandbox quill)\b|-m (pytest) test_quill": "tests/e2e/test_own_adapter.py",
    r"triaged (demo)\b|make (demo)\b": "tests/e2e/test_commands.py",
    r"make (deb)\b|apt install|_COMPLETE=": "tests/e2e/test_packages.py",
}
"""Commands that a test of their own runs, with its file: it has to name the command."""

MACHINE = {
    r"systemctl |journalctl ": "a machine that systemd has booted",
    r"pip install|-m venv ": "what is installed stands in test_packages",
    r"^(mkdir|cp|mv|rm|ln|install|useradd|tar|sqlite3|openssl) ": "the system's own",
    r"^make (test|setup)": "this very run",
    r"^podman ": "an engine for containers",
    r"^-u postgres ": "a database server's owner",
    r"desk\.acme\.example": "a desk of the reader's",
}
"""Commands that need what is not there in a test, and what that is."""


def plain(command: str) -> str:
    """Give a command as it is here: nobody else's rights, and our program on the path."""
    return command.replace("sudo ", "").replace("/opt/triaged/bin/", "").replace(".venv/bin/", "")


def rule(command: str) -> str | None:
    """Give the rule by which a command is not run here."""
    known = (*ELSEWHERE, *MACHINE)
    return next((pattern for pattern in known if re.search(pattern, plain(command))), None)


def test_every_command_of_a_page_is_run_by_some_test() -> None:
    here = {*(HOW_TO / f"{page}.md" for page in BESIDE_A_DAEMON), SANDBOX}
    left = [each for page in PAGES if page not in here for each in typed(page)]
    offline = [each for each in left if rule(each.command) is None]
    harmless = {"--version", "check", "classify", "status"}
    assert {plain(each.command).split(" ")[1] for each in offline} <= harmless


def test_every_rule_is_needed_and_its_test_names_the_command() -> None:
    commands = [plain(each.command) for page in PAGES for each in typed(page)]
    for pattern, file in ELSEWHERE.items():
        found = [match for each in commands if (match := re.search(pattern, each))]
        assert found, pattern
        text = (ROOT / file).read_text("utf-8")
        words = {word for match in found for word in match.groups() if word}
        assert not [word for word in words if word not in text], pattern
    assert not [pattern for pattern in MACHINE if not any(re.search(pattern, c) for c in commands)]


@pytest.fixture
def program(tmp_path) -> Path:
    """Give a folder with `triaged` in it, as it is on a reader's path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "triaged"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m connector "$@"\n')
    command.chmod(0o755)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Terminal:
    """A reader's terminals: what one exports stays, and servers run on in the background."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        self.ports = {"8480": str(free_port()), "8470": str(free_port())}
        self._environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
        self._servers: list[subprocess.Popen[bytes]] = []

    def type(self, command: str) -> str:
        """Run a command to its end."""
        script = f"set -e\n{self._here(command)}\nexport -p > .exported"
        ended = subprocess.run(
            [BASH, "-c", f"if [ -e .exported ]; then . ./.exported; fi\n{script}"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def serve(self, command: str) -> None:
        """Start what runs until it is stopped."""
        script = f"if [ -e .exported ]; then . ./.exported; fi\nexec {self._here(command)}"
        with (self.folder / "log").open("a") as log_file:
            process = subprocess.Popen(
                [BASH, "-c", script],
                cwd=self.folder,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log_file,
            )
        self._servers.append(process)

    def close(self) -> None:
        """Stop the servers, the latest first."""
        for process in reversed(self._servers):
            process.terminate()
            process.wait(PATIENCE)

    def _here(self, command: str) -> str:
        for port, ours in self.ports.items():
            command = command.replace(f":{port}", f":{ours}")
        return command


@pytest.fixture
def terminal(tmp_path, program) -> Iterator[Terminal]:
    folder = tmp_path / "reader"
    folder.mkdir()
    opened = Terminal(folder, program)
    yield opened
    opened.close()


def answers(address: str) -> Callable[[], bool]:
    def look() -> bool:
        with direct() as session:
            try:
                return session.get(address, timeout=PATIENCE).ok
            except OSError:
                return False

    return look


def compare(each: Typed, told: str, terminal: Terminal) -> None:
    """Hold what a page shows against what was told; `…` stands for anything."""
    lines = told.splitlines()
    for shown in each.shown:
        here = shown.replace(":8480", f":{terminal.ports['8480']}")
        wanted = re.compile(".*".join(map(re.escape, here.split("…"))))
        assert any(map(wanted.fullmatch, lines)), f"{each.place}: {shown!r} is not in\n{told}"


def test_the_page_on_the_sandbox_does_what_it_says(terminal) -> None:
    desk, daemon = (f"http://127.0.0.1:{terminal.ports[port]}" for port in ("8480", "8470"))
    commands = [each for each in typed(SANDBOX) if "8481" not in each.command]
    assert len(commands) > 10
    for each in commands:
        if each.command == "triaged sandbox zendesk":
            terminal.serve(f"{each.command} --listen 127.0.0.1:8480")
            until("the desk", answers(f"{desk}/sandbox/tenant"))
            continue
        if each.command.startswith("triaged run"):
            terminal.type("echo 'web: {listen: \"127.0.0.1:8470\"}' >> triaged.yaml")
            terminal.serve(each.command)
            until("the daemon", answers(f"{daemon}/readyz"))
            until("the desk connected", lambda: "tenant_connected" in log(terminal))
            continue
        compare(each, terminal.type(each.command), terminal)
        if '"hook": true' in each.command:
            until("the ticket", lambda: "ticket_triaged" in log(terminal))
            seen = terminal.type("curl -s http://127.0.0.1:8480/sandbox/tickets/1003")
            assert '"360001": "network"' in seen
    until("the second ticket", lambda: log(terminal).count("ticket_triaged") >= 2)


def log(terminal: Terminal) -> str:
    return (terminal.folder / "log").read_text("utf-8")


def substitutes(row: str) -> Mapping[str, str]:
    """Give what stands here for the numbers and names of the pages."""
    return {
        "globex": "acme",
        " 17": f" {row}",
        "361234567": "900",
        "4711": "1003",
        "4712": "1004",
        "2026-05-04T22:00": "1h",
    }


def set_aside(desk: Desk, daemon: Daemon, inside: Callable[..., Any], site: Site) -> Sequence[str]:
    """Have the desk refuse a ticket for good; give it and its row's number."""
    desk.break_next(Fault(match=UPDATE, status=422))
    ticket = desk.arrive("VPN down", f"The VPN does not connect at desk {os.urandom(4).hex()}.")
    daemon.event("ticket_set_aside", ticket=ticket)
    told = inside("queue", "list", "--json", "--ticket", ticket, site=site).stdout
    return ticket, str(json.loads(told)[0]["id"])


def test_the_commands_beside_a_daemon_do_what_their_pages_say(
    tenanted, desk, inside, monkeypatch
) -> None:
    monkeypatch.chdir(tenanted.folder)
    daemon = tenanted.daemon().ready("acme")
    daemon.event("ticket_triaged", ticket=desk.arrive("VPN down", "The VPN does not connect."))
    ran = []
    for page in BESIDE_A_DAEMON:
        for each in typed(HOW_TO / f"{page}.md"):
            if rule(each.command):
                continue
            ticket, row = "", ""
            if re.search(r"queue (show|retry|drop)", each.command):
                ticket, row = set_aside(desk, daemon, inside, tenanted)
            command = plain(each.command).replace("\\\n", " ")
            for theirs, ours in substitutes(row).items():
                command = command.replace(theirs, ours)
            ended = run(inside, tenanted, command)
            assert ended.returncode == 0, f"{each.place}: {command}\n{ended.stderr}{ended.stdout}"
            if " retry " in command:
                daemon.event("ticket_triaged", ticket=ticket)
            ran.append(command)
    assert len(ran) > 20


def run(inside, site: Site, command: str) -> CompletedProcess[str]:
    [program, *words] = shlex.split(command)
    assert program == "triaged", command
    answer: CompletedProcess[str] = inside(*words, site=site, given="y\n")
    return answer
