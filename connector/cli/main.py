"""The command line's root: finds commands, turns errors into a message and an exit code."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click
from rich.console import Console

from connector import namesakes, registry
from connector.errors import ConfigError, TriagedError

_OWN = (
    "assess",
    "backfill",
    "brake",
    "check",
    "classify",
    "demo",
    "doctor",
    "evaluate",
    "forget",
    "history",
    "init",
    "ladder",
    "models",
    "queue",
    "report",
    "run",
    "sandbox",
    "secret",
    "status",
    "store",
    "train",
    "undo",
)
"""Our commands, a module each, imported when they are asked for: `--help` must not load a model."""

_REPORTS_NAMESAKES = "doctor"
"""The command that lists namesakes among its findings, and is therefore not refused for them."""


class _Commands(click.Group):
    """Our own commands, and those that installed packages add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted({*_OWN, *registry.commands()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name in _OWN:
            command: click.Command = import_module(f"connector.cli.{cmd_name}").command
            return command
        added: click.Command | None = registry.commands().get(cmd_name)
        return added


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=namesakes.DISTRIBUTION, prog_name="triaged")
def triaged() -> None:
    """Classify help-desk tickets on this machine and write the answers back as fields."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 usage, 78 configuration."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] != [_REPORTS_NAMESAKES]:
            namesakes.require_none()  # no later message would tell why it fails
        code = triaged.main(
            args=words,
            prog_name="triaged",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = 130
    except ConfigError as error:
        _complain(error)
        code = error.exit_code
    except TriagedError as error:
        _complain(error)
        code = error.exit_code
    except BrokenPipeError:
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: TriagedError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    problems = error.problems if isinstance(error, ConfigError) else ()
    if len(problems) > 1:
        console.print(f"triaged: {len(problems)} problems in the configuration", style="bold red")
        for problem in problems:
            console.print(f"  {problem}", markup=False)
    else:
        console.print("triaged: ", style="bold red", end="")
        console.print(str(error), markup=False)
