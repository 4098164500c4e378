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
from how_to import BESIDE_A_DAEMON, HOW_TO, SANDBOX, plain, rule
from pages import BASH, Typed, typed
from world import PATIENCE, UPDATE, Daemon, Desk, Site, direct, until

from adapters.zendesk.sandbox import Fault


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
