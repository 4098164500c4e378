"""The tutorial's adapter, taken from the page, installed as a distribution of its own, and run."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path

import click
import pytest
from pages import ROOT, typed
from ruamel.yaml import YAML
from test_how_to import SANDBOX, Terminal, answers
from world import PATIENCE, until

TUTORIAL = ROOT / "docs" / "how-to" / "write-an-adapter.md"
SUITE = 35
"""The least number of tests that the contract has."""

CONFIGURED = (
    "mkdir",
    "echo",
    "curl -s http://127.0.0.1:8480/sandbox/tenant",
    "python3",
    "rm",
    "export",
)
"""How the commands of the other page's step 2 begin."""

_FILE = re.compile(
    r"^`(?P<path>[\w/.]+)`[^\n]*:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def files() -> Mapping[str, str]:
    """Give the files that the page shows, by their paths."""
    return {each["path"]: each["text"] for each in _FILE.finditer(TUTORIAL.read_text("utf-8"))}


def run(*command: str, cwd: Path, **more: str) -> str:
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", **more},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE * 4,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("quill")
    for path, text in files().items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture(scope="module")
def installed(project) -> Path:
    """Give an environment with the adapter's wheel, beside triaged and what both need."""
    pytest.importorskip("hatchling", reason="without it no wheel is built: NOT TRIED")
    paths = ":".join(each for each in sys.path if each)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=project, PYTHONPATH=paths)
    home = project / ".venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(home), cwd=project)
    python = str(home / "bin" / "python")
    [wheel] = project.glob("dist/*.whl")
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", str(wheel), cwd=project, PYTHONPATH=paths)
    [packages] = home.glob("lib/python*/site-packages")
    borrowed = (ROOT, distribution("triaged").locate_file(""), Path(click.__file__).parents[1])
    (packages / "borrowed.pth").write_text("".join(f"{each}\n" for each in borrowed))
    command = home / "bin" / "triaged"
    command.write_text(f'#!/bin/sh\nexec "{python}" -m connector "$@"\n')
    command.chmod(0o755)
    return home


def test_the_adapter_is_a_distribution_of_its_own(installed, project) -> None:
    told = run(
        str(installed / "bin" / "python"),
        "-c",
        "import json, triaged_quill, adapters, importlib.metadata as m; print(json.dumps("
        "[m.version('triaged-quill'), triaged_quill.__file__, adapters.__file__]))",
        cwd=installed,
    )
    version, theirs, ours = json.loads(told)
    assert version == "1.0"
    assert Path(theirs).is_relative_to(installed)
    assert not Path(ours).is_relative_to(project)


def test_the_contract_suite_passes_on_it(installed, project, tmp_path) -> None:
    (tmp_path / "test_quill.py").symlink_to(
        project / "test_quill.py"
    )  # but not the package: only the wheel's
    (tmp_path / ".venv").symlink_to(installed)
    [command] = [each.command for each in typed(TUTORIAL) if " pytest test_quill" in each.command]
    here = command.replace("../triaged", str(ROOT))
    told = run("/bin/sh", "-c", f"{here} -p no:cacheprovider --quiet", cwd=tmp_path)
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None, told
    assert int(passed[1]) >= SUITE
    assert "failed" not in told


def test_its_quality_file_answers_every_rule_of_the_lowest_grade() -> None:
    yaml = YAML(typ="safe", pure=True)
    quality = yaml.load(files()["triaged_quill/quality.yaml"])
    zendesk = yaml.load((ROOT / "adapters" / "zendesk" / "quality.yaml").read_text("utf-8"))
    assert list(quality) == list(zendesk)
    assert list(quality["bronze"]) == list(zendesk["bronze"])
    known = {rule for rules in zendesk.values() for rule in rules}
    states = {rule: state for rules in quality.values() for rule, state in rules.items()}
    assert set(states) <= known
    del quality["about"]
    for rules in quality.values():
        for rule, state in rules.items():
            assert state == "done" or len(state["exempt"]) > 20, rule


@pytest.fixture
def terminal(installed, tmp_path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, installed / "bin")
    yield opened
    opened.close()


def test_the_daemon_triages_a_ticket_of_that_desk(terminal) -> None:
    desk, daemon = (f"http://127.0.0.1:{terminal.ports[port]}" for port in ("8480", "8470"))
    terminal.serve("triaged sandbox quill --listen 127.0.0.1:8480")
    until("the desk", answers(f"{desk}/sandbox/tenant"))
    for each in typed(SANDBOX):
        if each.command.startswith(CONFIGURED):
            terminal.type(each.command)
    terminal.type('sed -i \'s/"2s"/"1h"/\' tenants/sandbox.yaml')  # so that only the webhook tells
    checked = terminal.type("triaged check --online --config triaged.yaml")
    [shown] = [line for line in TUTORIAL.read_text("utf-8").splitlines() if line.startswith("✓")]
    assert shown.removesuffix("…") in checked
    terminal.type("echo 'web: {listen: \"127.0.0.1:8470\"}' >> triaged.yaml")
    terminal.serve("triaged run --config triaged.yaml")
    until("the daemon", answers(f"{daemon}/readyz"))
    log = terminal.folder / "log"
    until("the desk connected", lambda: "tenant_connected" in log.read_text("utf-8"))
    terminal.type(f'curl -s {desk}/sandbox/webhook -d \'{{"url": "{daemon}/hooks/sandbox"}}\'')
    filed = {"subject": "VPN down", "description": "The VPN does not connect.", "hook": True}
    told = terminal.type(f"curl -s {desk}/sandbox/tickets -d '{json.dumps(filed)}'")
    ticket = json.loads(told)["id"]

    def held() -> bool:
        shown = json.loads(terminal.type(f"curl -s {desk}/sandbox/tickets/{ticket}"))
        return bool(shown["writes"] == 1 and shown["fields"]["category"] == "network")

    until("the ticket triaged", held)
    until("the log of it", lambda: '"source": "webhook"' in log.read_text("utf-8"))
