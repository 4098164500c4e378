"""`triaged run`: the daemon, in the foreground as systemd wants it."""

from pathlib import Path

import click

from connector import config, logs, registry
from connector.app import Daemon
from connector.cli import options


@click.command("run")
@options.configuration
@click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "text"]),
    default="auto",
    show_default=True,
    help="How events are written to standard error; auto means text on a terminal.",
)
def command(path: Path, log_format: str) -> None:
    """Run the daemon until SIGTERM or SIGINT; tickets in hand are finished first."""
    logs.configure(json=None if log_format == "auto" else log_format == "json")
    settings = config.load(path, registry.platforms())
    with Daemon(settings) as daemon:
        daemon.wait()
