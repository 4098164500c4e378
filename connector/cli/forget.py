"""`triaged forget`: deletes what is kept about a requester's tickets, and says what remains."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connector import config, control, registry, secrets
from connector.app import adapter_for
from connector.cli import options
from connector.clock import SystemClock
from connector.errors import EXIT_FAILED, ConfigError, Retry
from connector.model import TenantId, TicketId
from connector.ports import Adapter, Clock, Surroundings
from connector.settings import SQLITE, Configuration, TenantSettings
from connector.store import AT_ONCE, Erased, Place, Store, look_at_tickets, place_of

READ_AT_ONCE = 100
"""Tickets of one call to the desk, as its adapter would ask for them."""

TRIES, PAUSE, LONGEST_PAUSE = 5, 5.0, 120.0
"""How often a desk that cannot answer is asked again, and after how many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The tickets that are to be forgotten, and those that the desk no longer has."""

    theirs: tuple[TicketId, ...]
    gone: tuple[TicketId, ...]
    known: int


@click.command("forget")
@options.configuration
@click.argument("tenant")
@click.argument("requesters", nargs=-1, metavar="[REQUESTER-ID]...")
@click.option(
    "--ticket", "tickets", multiple=True, help="This ticket too, by its number on the desk."
)
@click.option(
    "--gone",
    is_flag=True,
    help="Also every ticket that the desk no longer has, such as those it erased itself.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go, and delete nothing.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@options.as_json
def command(path: Path, tenant: str, *, dry_run: bool, yes: bool, **asked: Any) -> None:
    """Delete all that is kept about the tickets of a requester, by the desk's id of that person.

    The store holds no requesters, so the desk is asked whose the known tickets are. Erase the
    person there afterwards, for a ticket that is still there is decided anew when it changes; what
    was erased there before, --gone forgets. The daemon may be running. Exits with 1 when a ticket
    is in hand just now.
    """
    settings = config.load(path, registry.platforms())
    chosen = _tenant(settings, tenant)
    place = place_of(settings.daemon, secrets.resolver())
    found = _found(chosen, place, asked["requesters"], asked["tickets"], gone=asked["gone"])
    every = tuple(dict.fromkeys((*found.theirs, *(found.gone if asked["gone"] else ()))))
    if not dry_run and every and not yes:
        told = f"Delete all that is kept about {len(every)} of {found.known} tickets?"
        click.confirm(told, abort=True, err=True)
    erased = Erased(rows={}) if dry_run or not every else _erase(place, TenantId(tenant), every)
    remains = list(_remains(place, tenant))
    if asked["as_json"]:
        content = {
            "tickets": every,
            "rows": erased.rows,
            "in_hand": erased.in_hand,
            "gone_from_the_desk": found.gone,
            "remains": remains,
        }
        click.echo(json.dumps(content, indent=2))
    else:
        _show(found, every, erased, remains, dry_run=dry_run)
    if erased.in_hand:
        raise SystemExit(EXIT_FAILED)


def _tenant(settings: Configuration, name: str) -> TenantSettings:
    for tenant in settings.tenants:
        if tenant.tenant == name:
            return tenant
    known = ", ".join(tenant.tenant for tenant in settings.tenants)
    raise ConfigError(f"there is no tenant {name!r}; name one of {known}")


def _found(
    tenant: TenantSettings,
    place: Place,
    requesters: Sequence[str],
    tickets: Sequence[str],
    *,
    gone: bool,
) -> Found:
    """Ask the desk whose the known tickets are; not at all when only numbers were given."""
    known = look_at_tickets(place, tenant.id)
    theirs = [ticket for ticket in known if ticket in tickets]
    if not requesters and not gone:
        if not tickets:
            raise click.UsageError("name a REQUESTER-ID, or --ticket, or --gone")
        return Found(theirs=tuple(theirs), gone=(), known=len(known))
    surroundings = Surroundings(secret=secrets.resolver(), clock=SystemClock())
    missing: list[TicketId] = []
    with adapter_for(tenant, surroundings) as adapter, _progress() as progress:
        bar = progress.add_task("asking the desk", total=len(known))
        for some in _parts(known, READ_AT_ONCE):
            owners = _owners(adapter, some, surroundings.clock)
            theirs += [ticket for ticket, owner in owners.items() if owner in requesters]
            missing += [ticket for ticket in some if ticket not in owners]
            progress.advance(bar, len(some))
    return Found(theirs=tuple(dict.fromkeys(theirs)), gone=tuple(missing), known=len(known))


def _parts(tickets: Sequence[TicketId], size: int) -> Iterator[Sequence[TicketId]]:
    return (tickets[at : at + size] for at in range(0, len(tickets), size))


def _owners(adapter: Adapter, tickets: Sequence[TicketId], clock: Clock) -> Mapping[TicketId, str]:
    """Give the requester of each ticket that the desk still has, waiting while it is busy."""
    for left in reversed(range(TRIES)):
        try:
            return {ticket.id: ticket.requester for ticket in adapter.fetch(tickets)}
        except Retry as error:
            if not left:
                raise
            clock.sleep(min(error.after or PAUSE, LONGEST_PAUSE))
    return {}


def _erase(place: Place, tenant: TenantId, tickets: Sequence[TicketId]) -> Erased:
    """Have the daemon delete them, or do it here when none runs."""
    rows: Counter[str] = Counter()
    in_hand: list[TicketId] = []
    parts = list(_parts(tickets, AT_ONCE))
    with ExitStack() as resources:
        store: Store | None = None
        for number, part in enumerate(parts, 1):
            is_last = number == len(parts)
            done = None
            if store is None:
                done = control.forget(place.directory, tenant, part, is_last=is_last)
            if done is None:
                store = store or resources.enter_context(Store(place, SystemClock()))
                done = store.erasure.forget(tenant, part)
                if is_last:
                    store.erasure.scrub()
            rows.update(done.rows)
            in_hand += done.in_hand
    return Erased(rows=rows, in_hand=tuple(in_hand))


def _remains(place: Place, tenant: str) -> Iterator[str]:
    """Say what this command does not reach, and until when it is there."""
    if place.url == SQLITE:
        yield "the hourly copy in the state directory was made anew: nothing remains in it"
        for each in sorted(place.directory.glob("damaged-*")):
            yield f"{each}, put aside as damaged: yours to delete"
    else:
        yield "PostgreSQL: dead rows until its next vacuum; its archives of changes until they end"
    yield "your own backups of the state: until you delete them"
    yield f"files that `triaged history pull {tenant}` wrote: yours to delete and pull anew"
    yield "bundles trained on such files: no ticket, but pieces of wording; train anew if need be"
    yield "the log: ticket numbers and answers, for as long as journald keeps them"
    yield "the desk itself: the ticket, and the fields and tags that were written"


def _show(
    found: Found, every: Sequence[str], erased: Erased, remains: Sequence[str], *, dry_run: bool
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    count = len(every) - len(erased.in_hand)
    done = "would be forgotten" if dry_run else "forgotten"
    console.print(f"{count} of {found.known} known tickets {done}", markup=False)
    for name, rows in erased.rows.items():
        console.print(f"  {name}: {rows}", markup=False)
    for ticket in erased.in_hand:
        console.print(f"  ticket {ticket} is in hand: run this again in a minute", markup=False)
    if not set(found.gone) <= set(every):
        told = f"{len(found.gone)} known tickets are no longer on the desk; --gone forgets them too"
        console.print(told, markup=False)
    console.print("What remains elsewhere:")
    for line in remains:
        console.print(f"  {line}", markup=False)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
