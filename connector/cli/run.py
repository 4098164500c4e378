"""`triaged run`: the daemon, in the foreground as systemd wants it."""

import faulthandler
import sys
from functools import partial
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
    """Run the daemon until SIGTERM or SIGINT; tickets in hand are finished first.

    SIGHUP has it read its configuration again, unless it runs in a terminal; one with an error is
    refused, and changes nothing.
    """
    logs.configure(json=None if log_format == "auto" else log_format == "json")
    # Should the watchdog strike: lines of code, thread by thread, and no values.
    faulthandler.enable()
    read = partial(config.load, path, registry.platforms())
    # From a terminal SIGHUP says that it was closed, and nobody would see the daemon again.
    with Daemon(read(), None if sys.stdin.isatty() else read) as daemon:
        daemon.wait()
