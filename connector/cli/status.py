"""`triaged status`: where each tenant's work stands."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from connector.cli import options
from connector.cli.place import place
from connector.store import TenantOverview, look

OPEN_STATES = ("ready", "retry", "leased", "planned")


@click.command("status")
@options.configuration
@options.as_json
def command(path: Path, *, as_json: bool) -> None:
    """Show each tenant's open, done and set-aside work, read from its store.

    The daemon need not be running; if it is, nothing is disturbed.
    """
    overviews = look(place(path))
    if as_json:
        click.echo(json.dumps([asdict(overview) for overview in overviews], indent=2))
        return
    console = Console()
    console.print(_table(overviews))
    for overview in overviews:
        for trouble in overview.trouble:
            name = f"{overview.tenant} ticket {trouble.ticket or '(unreadable webhook)'}"
            console.print(f"{name}: {trouble.state}: {trouble.detail}", markup=False)


def _table(overviews: Sequence[TenantOverview]) -> Table:
    table = Table(title="triaged")
    for column in ("tenant", "open", "done", "written", "set aside", "held"):
        table.add_column(column, justify="left" if column == "tenant" else "right")
    table.add_column("last poll")
    table.add_column("last ticket")
    for one in overviews:
        is_open = sum(one.states.get(state, 0) for state in OPEN_STATES)
        table.add_row(
            one.tenant,
            str(is_open),
            str(one.states.get("done", 0)),
            str(one.outcomes.get("written", 0)),
            str(one.states.get("dead", 0)),
            str(one.states.get("held", 0)),
            _ago(one.polled_at),
            _ago(one.finished_at),
        )
    return table


def _ago(when: float | None) -> str:
    if when is None:
        return "never"
    seconds = max(0, int(datetime.now(UTC).timestamp() - when))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
