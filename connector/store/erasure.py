"""What is kept about single tickets, deleted for good from every table that names tickets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Table, delete, select, union

from connector.model import TenantId, TicketId
from connector.store import books
from connector.store.database import Database, Place, reading
from connector.store.schema import State, inbox, metadata

AT_ONCE = 500
"""Tickets that go with one commit: webhooks and workers wait for no more."""

IN_HAND = (State.LEASED, State.PLANNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows went from each table, and the tickets that somebody works on just now."""

    rows: Mapping[str, int]
    in_hand: tuple[TicketId, ...] = ()


def tables() -> Sequence[Table]:
    """List the tables that name tickets: one that is added later is among them by its columns."""
    return [each for each in metadata.sorted_tables if {"tenant", "ticket"} <= set(each.c.keys())]


def look_at_tickets(place: Place, tenant: TenantId) -> Sequence[TicketId]:
    """List every ticket of a tenant that anything is kept about; raises `StateUnusable`."""
    named = union(*(select(each.c.ticket).where(each.c.tenant == tenant) for each in tables()))
    with reading(place) as connection:
        found = connection.execute(named).scalars().all()
    return sorted({TicketId(ticket) for ticket in found if ticket})


class Erasure:
    """Deletes what a database holds about tickets; each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, tenant: TenantId, tickets: Sequence[TicketId]) -> Erased:
        """Delete everything about tickets, but those in hand: their work would write it anew.

        At most `AT_ONCE`. Their events stay counted, so that the books balance.
        """
        busy = select(inbox.c.ticket).where(
            inbox.c.tenant == tenant, inbox.c.ticket.in_(tickets), inbox.c.state.in_(IN_HAND)
        )
        rows: Counter[str] = Counter()
        with self._database.write() as connection:
            in_hand = {TicketId(each) for each in connection.execute(busy).scalars()}
            going = [each for each in tickets if each not in in_hand]
            for table in tables():
                if table is inbox:
                    rows[table.name] += books.erase(connection, tenant, going)
                    continue
                gone = delete(table).where(table.c.tenant == tenant, table.c.ticket.in_(going))
                rows[table.name] += connection.execute(gone).rowcount
        return Erased(rows=rows, in_hand=tuple(sorted(in_hand)))

    def scrub(self) -> None:
        """Leave nothing of what was deleted in files of ours, copies among them."""
        self._database.scrub()
