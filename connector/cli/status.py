"""`triaged status`: where each tenant's work stands, and what needs a person."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector import config, registry, secrets
from connector.cli import options
from connector.cli.ladder import advice, as_told, standing_of
from connector.ladder import Standing
from connector.store import TenantOverview, look, place_of

OPEN_STATES = ("ready", "retry", "leased", "planned")

NAMED = 5
"""Classes of a line; `triaged ladder list` names all."""

_Classes = Mapping[str, Sequence[Standing]]


@click.command("status")
@options.configuration
@options.as_json
def command(path: Path, *, as_json: bool) -> None:
    """Show each tenant's open, done and set-aside work, and what waits for a person.

    That is: a brake that was pulled, options that the desk lost, classes that were demoted or could
    be raised, and tickets in trouble. The daemon need not be running; if it is, nothing is
    disturbed.
    """
    settings = config.load(path, registry.platforms())
    where = place_of(settings.daemon, secrets.resolver())
    overviews = look(where)
    known = {tenant.tenant: tenant for tenant in settings.tenants}
    classes = {
        one.tenant: [each for each in standing_of(known[one.tenant], where) if advice(each)]
        for one in overviews
        if one.tenant in known
    }
    if as_json:
        click.echo(json.dumps([_told(one, classes) for one in overviews], indent=2))
        return
    console = Console()
    console.print(_table(overviews))
    for overview in overviews:
        for line, style in _matters(overview, classes.get(overview.tenant, ())):
            console.print(Text(f"{overview.tenant} {line}", style=style))


def _told(overview: TenantOverview, classes: _Classes) -> Mapping[str, object]:
    found = classes.get(overview.tenant, ())
    return {**asdict(overview), "classes": [as_told(each) for each in found]}


def _matters(one: TenantOverview, classes: Sequence[Standing]) -> Iterator[tuple[str, str]]:
    """Yield what a person should look at, and how it is shown; what stops most comes first."""
    if one.brake is not None:
        since = f"{datetime.fromtimestamp(one.brake.pulled_at, UTC):%Y-%m-%d %H:%M} UTC"
        told = f"is stopped since {since}: {one.brake.detail}; look at what was written, then"
        yield f"{told} triaged brake release {one.tenant}", "bold red"
    for lost in one.gone:
        what = f"option {lost.value!r} ({lost.label})" if lost.label else f"field {lost.value!r}"
        yield f"{lost.aspect}: the desk has no {what} any more; this is paused", "red"
    for each in classes:
        if each.is_lowered:
            yield f"{each.aspect} {each.label or '(all)'}: {each.mode}: {advice(each)}", "yellow"
    yield from ((line, "") for line in _ready([each for each in classes if not each.is_lowered]))
    for trouble in one.trouble:
        ticket = f"ticket {trouble.ticket or '(unreadable webhook)'}"
        yield f"{ticket}: {trouble.state}: {trouble.detail}", ""


def _ready(classes: Sequence[Standing]) -> Iterator[str]:
    """Yield a line for all classes of an aspect that the tenant's file may take a step up."""
    steps = dict.fromkeys((each.aspect, each.above) for each in classes)
    for aspect, above in steps:
        labels = [
            each.label or "(all)"
            for each in classes
            if (each.aspect, each.above) == (aspect, above)
        ]
        more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
        named = ", ".join(labels[:NAMED])
        yield f"{aspect} {named}{more}: ready for {above}: set `mode` in the tenant's file"


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
