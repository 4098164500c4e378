"""`triaged undo`: takes back what triaged wrote, where nobody changed it since."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from connector import config, control, registry, restore, secrets
from connector.app import adapter_for
from connector.cli import options
from connector.cli.moment import Moment
from connector.clock import SystemClock
from connector.errors import EXIT_FAILED, ConfigError, StateInUse
from connector.model import TAGS, Aspect, TenantId
from connector.ports import Surroundings
from connector.settings import Configuration, TenantSettings
from connector.store import Entry, Place, Store, Undoings, is_begun, look_at_writes, place_of
from connector.undo import Ending, Intent, Result, Wish, intents

SHOWN = 20
"""Tickets that the report names on a terminal; `--json` names all."""


@click.command("undo")
@options.configuration
@click.argument("tenant", required=False)
@click.option("--tenant", "named", help="The tenant, where it is not named as TENANT.")
@click.option("--since", type=Moment(), help="Only what was written at that time or later.")
@click.option("--until", type=Moment(), help="Only what was written before that time.")
@click.option(
    "--model",
    default="",
    metavar="NAME[@VERSION]",
    help="Only what this bundle had answered; `*` stands for anything.",
)
@click.option(
    "--aspect",
    type=click.Choice([aspect.value for aspect in Aspect]),
    help="Only this aspect's.",
)
@click.option(
    "--class", "label", default="", help="Only this answer's: its label, or the value written."
)
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and write nothing.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@options.as_json
def command(path: Path, *, dry_run: bool, yes: bool, as_json: bool, **asked: Any) -> None:
    """Put back what was there before triaged wrote to TENANT's tickets.

    What a person changed since is left alone, and what is taken back is not set again. The daemon
    may be running. Started again after a kill, it goes on. Times are a day, a day with a time (UTC
    unless it says), or how long ago, such as 2h. Exits with 1 when the desk refused something.
    """
    settings = config.load(path, registry.platforms())
    tenant = _tenant(settings, asked["named"], asked["tenant"])
    resolver = secrets.resolver()
    where = place_of(settings.daemon, resolver)
    wish = _wish(asked)
    history = (
        look_at_writes(where, tenant.id, since=wish.since, until=wish.until)
        if is_begun(where)
        else ()
    )
    wanted = tuple(intents(history, wish))
    if wanted and not (dry_run or yes):
        click.confirm(_question(tenant.id, wanted), abort=True, err=True)
    with ExitStack() as resources:
        surroundings = Surroundings(secret=resolver, clock=SystemClock())
        errand = restore.Errand(
            tenant=tenant.id,
            adapter=resources.enter_context(adapter_for(tenant, surroundings)),
            clock=surroundings.clock,
            jitter=random.uniform,
            scribe=_Scribe(where, resources),
            say=lambda told: click.echo(told, err=True),
        )
        results = _watched(errand, wanted, dry_run=dry_run)
    _report(tenant.id, results, dry_run=dry_run, as_json=as_json)
    if any(result.ending is Ending.FAILED for result in results):
        raise SystemExit(EXIT_FAILED)


def _tenant(settings: Configuration, *names: str | None) -> TenantSettings:
    given = {name for name in names if name}
    if len(given) != 1:
        raise click.UsageError("name one tenant: `triaged undo TENANT`")
    [name] = given
    for tenant in settings.tenants:
        if tenant.tenant == name:
            return tenant
    known = ", ".join(tenant.tenant for tenant in settings.tenants)
    raise ConfigError(f"there is no tenant {name!r}; name one of {known}")


def _wish(asked: dict[str, Any]) -> Wish:
    aspect = asked["aspect"]
    return Wish(
        since=asked["since"],
        until=asked["until"],
        model=asked["model"],
        aspect=Aspect(aspect) if aspect else None,
        label=asked["label"],
    )


def _question(tenant: TenantId, wanted: Sequence[Intent]) -> str:
    values = sum(len(intent.steps) for intent in wanted)
    return f"Take back up to {values} values on {len(wanted)} tickets of {tenant}?"


def _watched(
    errand: restore.Errand, wanted: Sequence[Intent], *, dry_run: bool
) -> Sequence[Result]:
    """Carry it out, or only look, with a bar on the terminal."""
    act = restore.preview if dry_run else restore.carry_out
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        total = sum(len(intent.steps) + len(intent.out_of_reach) for intent in wanted)
        return list(progress.track(act(errand, wanted), total=total, description="values"))


@dataclass(slots=True)
class _Scribe:
    """Has the daemon note undos in its ledger, or does so itself while none runs."""

    place: Place
    resources: ExitStack
    own: Undoings | None = field(default=None)

    def begin(self, tenant: TenantId, entry: Entry) -> None:
        """Note what is about to be taken back."""
        if not self._told(tenant, entry, None):
            self._undoings(tenant, entry, None)

    def end(self, tenant: TenantId, entry: Entry, restored: frozenset[str]) -> None:
        """Note what was."""
        if not self._told(tenant, entry, restored):
            self._undoings(tenant, entry, restored)

    def _told(self, tenant: TenantId, entry: Entry, restored: frozenset[str] | None) -> bool:
        directory = self.place.directory
        return self.own is None and control.note_undo(directory, tenant, entry, restored)

    def _undoings(self, tenant: TenantId, entry: Entry, restored: frozenset[str] | None) -> None:
        """Become the owner of the ledger until the end; a daemon that started just now stays it."""
        if self.own is None:
            try:
                store = self.resources.enter_context(Store(self.place, SystemClock()))
            except StateInUse:
                if self._told(tenant, entry, restored):
                    return
                raise
            self.own = store.undoings
        if restored is None:
            self.own.begin(tenant, entry)
        else:
            self.own.end(tenant, entry, restored)


def _report(tenant: TenantId, results: Sequence[Result], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        counts = Counter(result.ending for result in results)
        told = {
            "tenant": tenant,
            "dry_run": dry_run,
            **{ending.value: counts[ending] for ending in Ending},
            "values": [_as_json(result) for result in results],
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    if not results:
        click.echo(f"triaged wrote nothing to {tenant} that is meant; nothing was done")
        return
    console = Console()
    console.print(_sums(tenant, results, dry_run=dry_run))
    refused = [result for result in results if result.ending is Ending.FAILED]
    for result in refused[:SHOWN]:
        step = result.step
        line = f"ticket {step.ticket}, {step.prediction.aspect}: {result.reason}"
        console.print(line, markup=False, soft_wrap=True)
    if len(refused) > SHOWN:
        console.print(f"and {len(refused) - SHOWN} more; --json names all")


def _as_json(result: Result) -> dict[str, Any]:
    step = result.step
    return {
        "ticket": step.ticket,
        "aspect": step.prediction.aspect,
        "field": step.field,
        "class": step.prediction.label,
        "bundle": step.bundle,
        "ours": step.ours,
        "before": step.before,
        "ending": result.ending,
        "reason": result.reason,
    }


def _sums(tenant: TenantId, results: Iterable[Result], *, dry_run: bool) -> Table:
    title = f"{tenant}: what would be taken back" if dry_run else f"{tenant}: taken back"
    table = Table(title=title, title_justify="left")
    for column in ("aspect", "values", "what became of them", "why"):
        table.add_column(column, justify="right" if column == "values" else "left")
    sums = Counter(
        (
            str(one.step.prediction.aspect),
            one.ending.value,
            "" if one.ending is Ending.FAILED else one.reason,
            one.step.field == TAGS,
        )
        for one in results
    )
    for (aspect, ending, why, by_tag), count in sorted(sums.items()):
        told = f"would be {ending}" if dry_run and ending == Ending.RESTORED else ending
        table.add_row(f"{aspect} (tag)" if by_tag else aspect, str(count), told, escape(why))
    return table
