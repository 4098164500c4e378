"""`triaged store`: where the daemon's work is kept."""

import json
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connector import secrets
from connector.cli import options
from connector.cli.place import place
from connector.ports import SecretName
from connector.settings import StoreUrl
from connector.store import Place, transfer


class _Checked(click.ParamType[str]):
    """A value in the words of the configuration."""

    def __init__(self, name: str, kind: TypeAdapter[str]) -> None:
        self.name = name
        self._kind = kind

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the value, or say how one is written."""
        try:
            return self._kind.validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"], param, ctx)


@click.group("store")
def command() -> None:
    """Move the daemon's work to another database."""


@command.command("migrate")
@options.configuration
@click.option(
    "--to",
    "url",
    required=True,
    type=_Checked("store", TypeAdapter(StoreUrl)),
    help="Where to: `sqlite`, or postgresql+psycopg://USER@HOST/DATABASE, which must be empty.",
)
@click.option(
    "--to-password",
    "password",
    type=_Checked("secret:name", TypeAdapter(SecretName)),
    help="The name of the secret that is that database user's password, as `secret:NAME`.",
)
@options.as_json
def migrate(path: Path, *, url: str, password: str | None, as_json: bool) -> None:
    """Move inbox, positions, ledger and case book to another database, both ways.

    All daemons must be stopped. The old database stays as it is; name the new one in `store:`
    afterwards. If it is cut short, nothing is in the new one.
    """
    source = place(path)
    secret = secrets.resolver()(password) if password is not None else None
    target = Place(source.directory, url, secret)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as progress:
        bar = progress.add_task("rows", total=None)
        counts = transfer(
            source, target, lambda done, total: progress.update(bar, completed=done, total=total)
        )
    if as_json:
        click.echo(json.dumps(counts, indent=2))
        return
    for name, count in counts.items():
        click.echo(f"{name:12} {count}")
    click.echo(f"All is in the new database. Now write `store: {url}` into {path}, of each daemon.")
