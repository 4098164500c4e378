"""`triaged demo`: the main job on this machine, with no account and no network."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from time import monotonic

import click
from rich.console import Console

from connector import registry
from connector.cli import options
from connector.demo import show
from connector.demo.play import Answer, Stage
from connector.demo.scenario import Scenario, load
from connector.errors import EXIT_FAILED


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave desks and daemon running until Ctrl-C.")
@options.as_json
def command(*, keep: bool, as_json: bool) -> None:
    """Let some forty tickets arrive at practice desks and be triaged before your eyes.

    Starts a practice desk of each platform and the daemon as real processes on loopback, half of
    the tickets come by webhook and half by poll, and every field is read back from its desk at the
    end. Exit code 1 when one is not as it should be.
    """
    console = Console(file=sys.stderr if as_json else None)
    known = registry.platforms()
    platforms = [name for name in known if known[name].sandbox]
    scenario = load()
    with ExitStack() as resources:
        if keep:
            folder = Path(tempfile.mkdtemp(prefix="triaged-demo-"))
        else:
            temporary = tempfile.TemporaryDirectory(prefix="triaged-demo-")
            folder = Path(resources.enter_context(temporary))
        console.print(f"Starting practice desks ({', '.join(platforms)}) and the daemon …")
        stage = resources.enter_context(Stage(scenario, platforms, folder))
        summary = _play(console, stage, scenario)
        for part in summary.lines():
            console.print(part)
        if as_json:
            click.echo(json.dumps(summary.as_json(), indent=2))
        _where_next(console)
        if keep:
            _keep(console, stage)
    if summary.wrong:
        raise SystemExit(EXIT_FAILED)


def _play(console: Console, stage: Stage, scenario: Scenario) -> show.Summary:
    started = monotonic()
    answers: Sequence[Answer] = list(_shown(console, stage.answers()))
    seconds = monotonic() - started
    proofs = [stage.prove(answer) for answer in answers]
    return show.Summary(tickets=len(scenario.tickets), seconds=seconds, proofs=proofs)


def _shown(console: Console, answers: Iterator[Answer]) -> Iterator[Answer]:
    """Show each answer as it comes."""
    rows = show.Rows(console)
    rows.heading()
    for answer in answers:
        rows.add(answer)
        yield answer


def _where_next(console: Console) -> None:
    program = _program()
    ways = {
        f"{program} classify 'VPN drops every ten minutes'": "ask the model yourself",
        f"{program} demo --keep": "look around in desks and daemon",
        "docs/how-to/try-the-sandbox.md": "the same by hand, step by step",
        "docs/how-to/install.md": "your own desk, in shadow mode first",
    }
    width = max(map(len, ways))
    lines = "\n".join(f"  {what.ljust(width)}   {why}" for what, why in ways.items())
    console.print(f"\nWhere to go next:\n{lines}", highlight=False, soft_wrap=True)


def _program() -> str:
    """Give how our command is called from here: `make demo` puts it on nobody's path."""
    beside = Path(sys.executable).with_name("triaged")
    if which("triaged") or not beside.exists():
        return "triaged"
    inside = beside.is_relative_to(Path.cwd())
    return str(beside.relative_to(Path.cwd()) if inside else beside)


def _keep(console: Console, stage: Stage) -> None:
    for tenant, address in stage.tickets.items():
        console.print(f"\na ticket on the desk of {tenant}: {address}", highlight=False)
    console.print(
        f"daemon: process {stage.daemon.pid}, configuration {stage.config}\n"
        f"  triaged status --config {stage.config}\nCtrl-C ends both.",
        highlight=False,
        soft_wrap=True,
    )
    try:
        for _ in stage.daemon.lines(patience=10**9):
            pass
    except KeyboardInterrupt:
        console.print("ending …")
