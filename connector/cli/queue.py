"""`triaged queue`: look at the work in the inbox, try set-aside work again, or drop it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connector import control
from connector.cli import options
from connector.cli.place import place
from connector.clock import SystemClock
from connector.settings import Duration
from connector.store import Balance, Filter, Row, State, Store, look_at_books, look_at_rows


@click.group("queue")
def command() -> None:
    """Look at the work in the inbox, try set-aside work again, or drop it.

    A running daemon carries `retry` and `drop` out itself; nothing has to be stopped.
    """


class _Age(click.ParamType[timedelta]):
    """A time in the words of the configuration."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Give the time, or say how one is written."""
        try:
            return TypeAdapter(Duration).validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"], param, ctx)


_OPTIONS = (
    options.configuration,
    click.option("--tenant", default="", help="Only this tenant's."),
    click.option("--ticket", default="", help="Only this ticket's, by its number on the desk."),
    click.option(
        "--older-than",
        type=_Age(),
        help="Only what was taken in longer ago than this, such as 30m, 12h or 2d.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=100,
        show_default=True,
        help="At most so many, the oldest first.",
    ),
    options.as_json,
)
_OVER = (State.DONE, State.SUPERSEDED)

_WAITING = click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(("dead", "held")),
    help="Only in this state; may be given twice.",
)


def _filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@command.command("list")
@_filtered
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State]),
    help="Only in this state; may be given several times. Without it, all but `done` and"
    " `superseded`.",
)
def list_rows(path: Path, *, as_json: bool, states: tuple[str, ...], **narrow: Any) -> None:
    """List work by filter, the oldest first."""
    shown = states or tuple(state.value for state in State if state not in _OVER)
    _print(look_at_rows(place(path), _filter(states=shown, **narrow)), as_json=as_json)


@command.command("show")
@options.configuration
@options.as_json
@click.argument("row", type=int)
def show(path: Path, row: int, *, as_json: bool) -> None:
    """Show one piece of work, by the number that `list` gives it."""
    found = look_at_rows(place(path), Filter(row=row))
    if not found:
        raise click.ClickException(f"there is no row {row}; `triaged queue list` names them")
    if as_json:
        _print(found, as_json=True)
        return
    for name, value in asdict(found[0]).items():
        told = _moment(value) if name.endswith("_at") else value
        click.echo(f"{name:12} {told}")


@command.command("retry")
@_filtered
@_WAITING
@click.argument("row", type=int, required=False)
def retry(path: Path, row: int | None, *, as_json: bool, **narrow: Any) -> None:
    """Try set-aside work again: one row by its number, or all that the filters mean."""
    _change("retry", path, _filter(row=row, **narrow), as_json=as_json)


@command.command("drop")
@_filtered
@_WAITING
@click.argument("row", type=int, required=False)
@click.option("--yes", is_flag=True, help="Drop by filter without asking.")
def drop(path: Path, row: int | None, *, yes: bool, as_json: bool, **narrow: Any) -> None:
    """Delete set-aside work for good: one row by its number, or all that the filters mean.

    The ticket stays as it is on the desk, and its next change brings it back.
    """
    if row is None and not yes:
        click.confirm("Drop all set-aside work that the filters mean?", abort=True, err=True)
    _change("drop", path, _filter(row=row, **narrow), as_json=as_json)


@command.command("audit")
@options.configuration
@options.as_json
def audit(path: Path, *, as_json: bool) -> None:
    """Check that the books balance: all that was received is done, set aside, dropped or open.

    Counts events; several may stand for one piece of work. Exits with 1 when any is missing.
    """
    balances = look_at_books(place(path))
    if as_json:
        told = [{**asdict(one), "missing": one.missing} for one in balances]
        click.echo(json.dumps(told, indent=2))
    else:
        Console().print(_books(balances))
    missing = [one.tenant for one in balances if one.missing]
    if missing:
        raise click.ClickException(
            f"the books of {', '.join(missing)} do not balance: restore the last backup, or have"
            " the desk's changes read again, and report it to us"
        )


def _books(balances: Sequence[Balance]) -> Table:
    accounts = [*(state.value for state in State), "dropped"]
    table = Table()
    for column in ("tenant", "received", *accounts, "missing"):
        table.add_column(column, justify="left" if column == "tenant" else "right")
    for one in balances:
        cells = (one.received, *(one.accounts.get(name, 0) for name in accounts), one.missing)
        table.add_row(one.tenant, *map(str, cells))
    return table


def _filter(*, older_than: timedelta | None, **narrow: Any) -> Filter:
    before = None if older_than is None else (datetime.now(UTC) - older_than).timestamp()
    return Filter(received_before=before, **narrow)


def _change(action: str, path: Path, which: Filter, *, as_json: bool) -> None:
    """Have the daemon do it, or do it here when none runs."""
    where = place(path)
    changed = control.ask(where.directory, action, which)
    if changed is None:
        with Store(where, SystemClock()) as store:
            changed = control.act(store.queue, action, which)
    _print(changed, as_json=as_json)
    if not as_json:
        click.echo(f"{len(changed)} {'tried again' if action == 'retry' else 'dropped'}")


def _print(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    if not rows:
        return
    table = Table()
    for column in ("row", "tenant", "ticket", "state", "tries", "taken in", "detail"):
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = (row.id, row.tenant, row.ticket or "-", row.state, row.attempts)
        table.add_row(*map(str, cells), _moment(row.received_at), escape(row.detail))
    Console().print(table)


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
