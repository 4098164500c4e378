"""The commands that come with triaged and their options, from the command line itself."""

from collections.abc import Iterator, Sequence

import click

from connector.cli.main import triaged

COMMANDS = """\
Every command prints results on standard output, and messages on standard error. `-h` is the same
as `--help`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed: the message says what, and the remedy |
| 2 | usage: no such command, option or value |
| 78 | configuration: nothing was started; systemd does not try it again |
| 130 | interrupted with Ctrl-C |"""


def our_commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands that come with triaged, by name."""
    for name in triaged.list_commands(context):
        command = triaged.get_command(context, name)
        if command is not None and _is_ours(command):
            yield name, command


def _is_ours(command: click.Command) -> bool:
    module = getattr(command.callback, "__module__", "")
    return module.partition(".")[0] in {"connector", "adapters", "classifiers"}


def children(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands of a group, by name; none of one that is no group."""
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield child, found


def options(command: click.Command, context: click.Context) -> Iterator[Sequence[str]]:
    """Yield each option: how it is written, what it is by default, what it means."""
    for option in command.get_params(context):
        if not isinstance(option, click.Option):
            continue
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        takes = "" if option.is_flag else f" `{option.make_metavar(context)}`"
        default = option.get_default(context)
        shown = "" if option.is_flag or not option.show_default else f"`{default}`"
        shown = "required" if option.required else shown
        variable = f" Environment: `{option.envvar}`." if option.envvar else ""
        yield f"{names}{takes}", shown, f"{option.help or ''}{variable}"
