"""`triaged backfill`: the open tickets that a desk had before triaged are triaged too."""

import json
import random
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from connector import backfill, config, control, history, registry, secrets
from connector.app import adapter_for
from connector.backfill import Bookmark, TakeIn
from connector.cli import options
from connector.cli.history import tenant_of
from connector.cli.moment import Moment
from connector.cli.progress import watched
from connector.clock import SystemClock
from connector.errors import StateInUse
from connector.model import TicketRef
from connector.ports import ListsBacklog, Surroundings
from connector.settings import TenantSettings
from connector.store import Place, Sorted, Store, is_begun, look_at_backlog, place_of
from connector.worker import BACKLOG_SHARE


@click.command("backfill")
@options.configuration
@click.argument("tenant")
@click.option(
    "--since",
    type=Moment(),
    required=True,
    help="Tickets that were filed or changed since then: a day, or how long ago, such as 30d.",
)
@click.option("--dry-run", is_flag=True, help="Count them, and take none in.")
@options.as_json
def command(path: Path, tenant: str, *, since: float, dry_run: bool, as_json: bool) -> None:
    """Take in TENANT's open tickets that came before triaged, in the modes of its file.

    They are worked off when nothing newer waits, at most as many in an hour as half of
    `brake.writes_per_hour`. What was triaged before is left alone. The daemon may be running;
    without one they wait for it. Started again after a kill, it goes on.
    """
    settings = config.load(path, registry.platforms())
    chosen = tenant_of(settings, tenant)
    surroundings = Surroundings(secret=secrets.resolver(), clock=SystemClock())
    where = place_of(settings.daemon, surroundings.secret)
    with ExitStack() as resources:
        adapter = resources.enter_context(adapter_for(chosen, surroundings))
        if not isinstance(adapter, ListsBacklog):
            raise click.ClickException(
                f"the adapter for {chosen.desk.platform} cannot tell which tickets were left open;"
                " they are triaged when something changes on them"
            )
        source = history.Source(
            settings=chosen, adapter=adapter, clock=surroundings.clock, jitter=random.uniform
        )
        begin = backfill.Place(since=datetime.fromtimestamp(since, UTC))
        say = resources.enter_context(watched())
        if dry_run:
            end = _only_counted(source, adapter, begin, where, say)
        else:
            end = _taken_in(source, adapter, begin, where, say)
    _report(chosen, end, dry_run=dry_run, as_json=as_json)


def _only_counted(
    source: history.Source,
    adapter: ListsBacklog,
    begin: backfill.Place,
    where: Place,
    say: history.Say,
) -> backfill.Place:
    def look(refs: Sequence[TicketRef]) -> Sorted:
        if not is_begun(where):
            return Sorted(new=len(refs))
        return look_at_backlog(where, source.settings.id, refs)

    *_, end = (begin, *backfill.fill(source, adapter, begin, look, say))
    return end


def _taken_in(
    source: history.Source,
    adapter: ListsBacklog,
    begin: backfill.Place,
    where: Place,
    say: history.Say,
) -> backfill.Place:
    take_in = _intake(source.settings, where)
    take_in(())  # whether the state can be used at all, before the desk is asked for anything
    bookmark = Bookmark(where.directory / f"backfill-{source.settings.tenant}.json")
    with bookmark.held():
        place = bookmark.read(begin.since)
        if place.cursor is not None:
            say(history.Told(words=f"going on after {place.found} open tickets"))
        for reached in backfill.fill(source, adapter, place, take_in, say):
            place = reached
            bookmark.keep(place)
        bookmark.end()
    return place


def _intake(tenant: TenantSettings, where: Place) -> TakeIn:
    """Have the daemon take tickets in, or do it here while none runs."""

    def take_in(refs: Sequence[TicketRef]) -> Sorted:
        told = control.take_in(where.directory, tenant.id, refs)
        if told is not None:
            return told
        try:
            with Store(where, SystemClock()) as store:
                return store.backlog.take_in(tenant.id, refs)
        except StateInUse:  # a daemon that started just now
            told = control.take_in(where.directory, tenant.id, refs)
            if told is None:
                raise
            return told

    return take_in


def _report(tenant: TenantSettings, end: backfill.Place, *, dry_run: bool, as_json: bool) -> None:
    sums, an_hour = end.sums, int(tenant.brake.writes_per_hour * BACKLOG_SHARE)
    if as_json:
        told = {
            "tenant": tenant.tenant,
            "since": end.since.isoformat(),
            "dry_run": dry_run,
            "found": end.found,
            "taken_in": sums.new,
            "decided_before": sums.decided,
            "waiting_already": sums.waiting,
            "most_an_hour": an_hour,
        }
        click.echo(json.dumps(told, indent=2))
        return
    verb = "would be taken in" if dry_run else "taken in"
    click.echo(
        f"{tenant.tenant}: {end.found} open tickets since {end.since:%Y-%m-%d %H:%M} UTC:"
        f" {sums.new} {verb}, {sums.decided} were triaged before, {sums.waiting} wait already"
    )
    if sums.new and not dry_run:
        click.echo(
            f"The daemon works them off when nothing newer waits, at most {an_hour} an hour"
            " (half of brake.writes_per_hour); `triaged status` counts them"
        )
