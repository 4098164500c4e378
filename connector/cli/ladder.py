"""`triaged ladder`: where each class stands, and a class that is raised again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connector import config, control, registry, secrets
from connector.cli import options
from connector.cli.history import tenant_of
from connector.clock import SystemClock
from connector.desk import rules_of
from connector.ladder import LADDER, Standing, standings
from connector.model import TAGS, Aspect, FieldInfo, FieldKind, Mode
from connector.settings import TenantSettings
from connector.store import Place, Store, look_at_levels, look_at_trials, place_of


@click.group("ladder")
def command() -> None:
    """See how far each class goes, and raise one that was demoted.

    A class whose answers turn out right less often than `precision` asks is taken down a step by
    itself, from `auto` to `suggest` to `shadow`. Up it goes by this command, or by the tenant's
    file, and never by itself.
    """


@command.command("list")
@options.configuration
@options.as_json
@click.argument("tenant")
def list_classes(path: Path, tenant: str, *, as_json: bool) -> None:
    """List TENANT's classes that were judged or demoted, and which could be raised."""
    settings = config.load(path, registry.platforms())
    where = place_of(settings.daemon, secrets.resolver())
    found = tuple(standing_of(tenant_of(settings, tenant), where))
    if as_json:
        click.echo(json.dumps([as_told(one) for one in found], indent=2))
    elif not found:
        click.echo(f"{tenant}: no class was demoted, and none was judged by a `precision` yet")
    else:
        _show(found)


@command.command("raise")
@options.configuration
@click.argument("tenant")
@click.argument("aspect", type=click.Choice([aspect.value for aspect in Aspect]))
@click.argument("label", metavar="[CLASS]", default="")
@click.option(
    "--to",
    "mode",
    type=click.Choice([Mode.SUGGEST.value, Mode.AUTO.value]),
    help="How far; without it, one step.",
)
def raise_class(path: Path, tenant: str, aspect: str, label: str, mode: str | None) -> None:
    """Raise a CLASS of TENANT that was demoted; without CLASS, the whole ASPECT if that was.

    What happened before is no longer held against it. It never goes further than the tenant's file
    says: to go further, change `mode` there. The daemon may be running.
    """
    settings = config.load(path, registry.platforms())
    chosen = tenant_of(settings, tenant)
    where = place_of(settings.daemon, secrets.resolver())
    one = _demoted(chosen, where, Aspect(aspect), label)
    to = Mode(mode) if mode else one.above
    if LADDER.index(to) <= LADDER.index(one.mode):
        raise click.UsageError(f"it is at {one.mode} already")
    to = min(to, one.wanted, key=LADDER.index)
    # At the file's own mode nothing bounds it: a later change of the file counts at once.
    bound = Mode.AUTO if to is one.wanted else to
    if not control.put_level(where.directory, chosen.id, one.aspect, label, bound):
        with Store(where, SystemClock()) as store:
            control.raised_by_hand(store, chosen.id, one.aspect, label, bound)
    click.echo(f"{_named(one)}: {to} from now on, was {one.mode}")


def standing_of(tenant: TenantSettings, place: Place) -> Iterator[Standing]:
    """Tell where a tenant's classes stand, by its file and its store; raises `StateUnusable`."""
    # The desk is not asked: what its fields are called and take is of no matter here.
    fields = [FieldInfo(id=TAGS, title=TAGS, kind=FieldKind.TAGS)]
    levels, trials = look_at_levels(place, tenant.id), look_at_trials(place, tenant.id)
    return standings(rules_of(tenant, fields), levels, trials)


def as_told(one: Standing) -> Mapping[str, Any]:
    """Give a standing for programs."""
    told = asdict(one)
    del told["below"], told["above"]
    told["lately"] = {"right": one.lately[0], "judged": one.lately[1]}
    told["proposed"] = one.above if one.could_rise else None
    return {**told, "class": told.pop("label")}


def advice(one: Standing) -> str:
    """Say what was done about a class, or could be."""
    if one.could_rise and one.is_lowered:
        return f"ready to be raised to {one.above}"
    if one.could_rise:
        return f"ready for {one.above}: set `mode` in the tenant's file"
    return one.reason if one.is_lowered else ""


def _demoted(tenant: TenantSettings, place: Place, aspect: Aspect, label: str) -> Standing:
    for one in standing_of(tenant, place):
        if (one.aspect, one.label) == (aspect, label):
            if one.is_lowered:
                return one
            raise click.UsageError(
                f"{_named(one)} is at {one.mode}, as {tenant.tenant}'s file says; to go further,"
                " set another `mode` there"
            )
    named = f"{aspect} {label}".strip()
    raise click.UsageError(
        f"{named!r} was not demoted; `triaged ladder list {tenant.tenant}` names what was"
    )


def _named(one: Standing) -> str:
    return f"{one.aspect} {one.label}".strip()


def show_advice(found: Sequence[Standing], console: Console) -> None:
    """Print what was done about classes, or could be, a line each."""
    for one in found:
        if told := advice(one):
            since = f" ({datetime.fromtimestamp(one.since, UTC):%Y-%m-%d})" if one.since else ""
            console.print(f"{_named(one)}: {told}{since}", markup=False, highlight=False)


def _show(found: Sequence[Standing]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("aspect", "class", "file", "now"):
        table.add_column(heading)
    for heading in ("right", "asked", "evidence"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        table.add_row(
            one.aspect,
            escape(one.label) or "(all)",
            one.wanted,
            f"[bold]{one.mode}[/bold]" if one.is_lowered else one.mode,
            f"{one.right} of {one.judged}",
            f"{one.asked:g}",
            f"{one.evidence:.1f}",
        )
    console = Console()
    console.print(table)
    console.print("evidence: 20 is 95 % certainty that less than `asked` is right", style="dim")
    show_advice(found, console)
