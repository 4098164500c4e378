"""The past on its way through the inbox: tickets that wait until nothing newer does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from connector.model import TenantId, TicketId, TicketRef
from connector.store import books
from connector.store.database import Database, Place, reading
from connector.store.inbox import mark, row_of
from connector.store.ledger import Outcome
from connector.store.schema import LAST_OF_ALL, State, inbox, ledger

BACKFILL = "backfill"
"""What the log and `triaged queue list` call these tickets' source."""

_OVER = (State.DONE, State.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What a page of the past means here: how many tickets are new, and how many are not.

    `decided` were triaged before; `waiting` are in the inbox already, or set aside there.
    """

    new: int = 0
    decided: int = 0
    waiting: int = 0

    def __add__(self, other: "Sorted") -> "Sorted":
        return Sorted(
            new=self.new + other.new,
            decided=self.decided + other.decided,
            waiting=self.waiting + other.waiting,
        )


def look_at_backlog(place: Place, tenant: TenantId, refs: Sequence[TicketRef]) -> Sorted:
    """Tell what would be taken in, of a store that daemons may be using; raises `StateUnusable`."""
    with reading(place) as connection:
        return _sorted(connection, tenant, refs)[0]


class Backlog:
    """Takes the past in. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_in(self, tenant: TenantId, refs: Sequence[TicketRef]) -> Sorted:
        """Put the tickets into the inbox that are not there and were never decided, behind others.

        A few hundred at a time: webhooks and workers wait for no more.
        """
        now = self._database.clock.now().timestamp()
        with self._database.write() as connection:
            told, new = _sorted(connection, tenant, refs)
            books.receive(connection, tenant, len(new))
            rows = [row_of(tenant, ref.id, BACKFILL, now, version=ref.version) for ref in new]
            mark(connection, [{**row, "due_at": LAST_OF_ALL} for row in rows])
        return told


def _sorted(
    connection: Connection, tenant: TenantId, refs: Iterable[TicketRef]
) -> tuple[Sorted, Sequence[TicketRef]]:
    found = {ref.id: ref for ref in refs}
    # A refused write may be allowed now: that ticket is tried again.
    was_decided = select(ledger.c.ticket).where(
        ledger.c.tenant == tenant,
        ledger.c.ticket.in_(found),
        ledger.c.outcome != Outcome.REJECTED,
    )
    is_there = select(inbox.c.ticket).where(
        inbox.c.tenant == tenant, inbox.c.ticket.in_(found), inbox.c.state.not_in(_OVER)
    )
    waiting = {TicketId(each) for each in connection.execute(is_there).scalars()}
    decided = {TicketId(each) for each in connection.execute(was_decided).scalars()} - waiting
    new = [ref for ref in found.values() if ref.id not in waiting | decided]
    return Sorted(new=len(new), decided=len(decided), waiting=len(waiting)), new
