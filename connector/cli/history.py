"""`triaged history`: resolved tickets of a desk as a file to learn from."""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from connector import config, history, registry, secrets
from connector.app import adapter_for
from connector.cli import options
from connector.cli.progress import watched
from connector.clock import SystemClock
from connector.errors import ConfigError
from connector.model import FieldValue, TicketId
from connector.ports import Surroundings
from connector.settings import Configuration, TenantSettings
from connector.store import is_begun, look_at_written, place_of

YEAR = timedelta(days=365)


@click.group("history")
def command() -> None:
    """Pull resolved tickets from a desk, to learn from them."""


@command.command("pull")
@options.configuration
@click.argument("tenant")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file (.jsonl) to write; one that exists is never touched.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Tickets resolved since this day (UTC); without it, those of the last year.",
)
@options.as_json
def pull(path: Path, tenant: str, *, output: Path, since: datetime | None, as_json: bool) -> None:
    """Write the resolved tickets of TENANT, as first filed, with the values that people left.

    Personal data is masked. Values that triaged had set itself, and that nobody changed since, are
    left out. Started again after a kill, it goes on. The daemon may be running.
    """
    settings = config.load(path, registry.platforms())
    with watched() as say:
        pulled = pull_from(settings, tenant_of(settings, tenant), (since, output), say)
    if as_json:
        click.echo(json.dumps(_as_json(output, pulled), ensure_ascii=False))
    else:
        _show(output, pulled)


def pull_from(
    settings: Configuration,
    chosen: TenantSettings,
    what: tuple[datetime | None, Path],
    say: history.Say,
) -> history.Pulled:
    """Pull a tenant's tickets to a file: since a day in UTC, or of a year."""
    since, output = what
    surroundings = Surroundings(secret=secrets.resolver(), clock=SystemClock())
    place = place_of(settings.daemon, surroundings.secret)

    def ours(tickets: Sequence[TicketId]) -> Mapping[TicketId, Mapping[str, FieldValue]]:
        return look_at_written(place, chosen.id, tickets) if is_begun(place) else {}

    start = since.replace(tzinfo=UTC) if since else datetime.now(UTC) - YEAR
    with adapter_for(chosen, surroundings) as adapter:
        source = history.Source(
            settings=chosen, adapter=adapter, clock=surroundings.clock, jitter=random.uniform
        )
        return history.pull(source, start, output, ours, say, exact=since is not None)


def tenant_of(settings: Configuration, name: str) -> TenantSettings:
    """Give a tenant's settings by its name; raises `ConfigError`."""
    for tenant in settings.tenants:
        if tenant.tenant == name:
            return tenant
    known = ", ".join(tenant.tenant for tenant in settings.tenants)
    raise ConfigError(f"there is no tenant {name!r}; name one of {known}")


def _as_json(output: Path, pulled: history.Pulled) -> Mapping[str, Any]:
    return {
        "output": str(output),
        "tickets": pulled.tickets,
        "labels": pulled.labels,
        "left_out_as_ours": pulled.ours,
    }


def _show(output: Path, pulled: history.Pulled) -> None:
    table = Table(title=f"{output.name}: {pulled.tickets} resolved tickets", title_justify="left")
    for heading in ("aspect", "with a label", "labels", "commonest", "rarest", "set by triaged"):
        table.add_column(heading)
    for aspect, counts in pulled.labels.items():
        ordered = counts.most_common()
        table.add_row(
            aspect,
            str(counts.total()),
            str(len(counts)),
            _named(ordered[:1]),
            _named(ordered[-1:]),
            str(pulled.ours[aspect]),
        )
    console = Console()
    console.print(table)
    learnable = [f"--label {aspect}={aspect}" for aspect, found in pulled.labels.items() if found]
    if learnable:
        train = f"triaged train {output} --output ours --time created_at"
        console.print(f"Learn from it: {train} {' '.join(learnable)}", soft_wrap=True, markup=False)


def _named(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{label} ({count})" for label, count in counts)
