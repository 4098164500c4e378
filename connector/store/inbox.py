"""The inbox: which tickets to look at, and how far a desk's stream of changes has been read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, bindparam, case, delete, insert, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert

from connector.errors import StateUnusable
from connector.model import Cursor, TenantId, TicketId, TicketRef
from connector.ports import Clock
from connector.store import books
from connector.store.claim import IS_OPEN, Job, claim, recover
from connector.store.engine import Database
from connector.store.group import Work, commit
from connector.store.schema import State, cursors, deliveries, inbox
from connector.store.settlement import Settlement, due_again, settle

KEPT = 90 * 86400.0
"""Seconds for which a finished row is kept; the ledger keeps what was decided."""

REPLAY_WINDOW = 72 * 3600.0
"""Seconds for which a delivery id is remembered: longer than any platform retries a webhook."""


def _marking() -> Insert:
    """Open a row, or count one more event on the one that the index `inbox_open` finds."""
    [index] = [each for each in inbox.indexes if each.name == "inbox_open"]
    row = upsert(inbox).values({name: bindparam(name) for name in _MARKED})
    newer = row.excluded.version
    return row.on_conflict_do_update(
        index_elements=[inbox.c.tenant, inbox.c.ticket],
        index_where=index.dialect_options["sqlite"]["where"],
        set_={
            "marks": inbox.c.marks + 1,
            "version": case((newer == "", inbox.c.version), else_=newer),
        },
    )


# Made once: to build these two for each webhook cost three times as much as to run them.
_MARKED = ("tenant", "ticket", "state", "source", "received_at", "due_at", "version")
_MARK = _marking()
_NOTE = upsert(deliveries).on_conflict_do_nothing()


class Received(Enum):
    """What became of a webhook delivery."""

    NEW = "new"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A verified delivery; `unreadable` says why it names no ticket and is to be held."""

    tenant: TenantId
    delivery: str
    tickets: Collection[TicketId] = ()
    unreadable: str = ""


class Inbox:
    """At most one open row per tenant and ticket; every change is one durable transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def take_in(self, deliveries: Sequence[Arrived]) -> Sequence[Received | StateUnusable]:
        """Take webhook deliveries in with one commit; an error is the result of its own delivery.

        A delivery id that was seen before changes nothing.
        """
        now = self._now()
        return commit(self._database, [_taking(each, now) for each in deliveries])

    def receive(
        self, tenant: TenantId, tickets: Collection[TicketId], *, delivery: str
    ) -> Received:
        """Take one delivery in; raises `StateUnusable`."""
        return self._take_one(Arrived(tenant=tenant, tickets=tickets, delivery=delivery))

    def hold(self, tenant: TenantId, detail: str, *, delivery: str) -> Received:
        """Keep a delivery that was signed but could not be read, for a person to look at."""
        return self._take_one(Arrived(tenant=tenant, delivery=delivery, unreadable=detail))

    def _take_one(self, arrived: Arrived) -> Received:
        [result] = self.take_in([arrived])
        if isinstance(result, StateUnusable):
            raise result
        return result

    def receive_page(self, tenant: TenantId, refs: Sequence[TicketRef], cursor: Cursor) -> int:
        """Take a page of changes in with the cursor that covers it; give how many were new.

        A reference in a version that was taken in before is an overlap and skipped.
        """
        now = self._now()
        with self._database.write() as connection:
            new = [ref for ref in refs if not _is_known(connection, tenant, ref)]
            books.receive(connection, tenant, len(new))
            for ref in new:
                _mark(connection, ref, tenant, "poll", now)
            position = upsert(cursors).values(tenant=tenant, cursor=cursor, moved_at=now)
            connection.execute(
                position.on_conflict_do_update(
                    index_elements=[cursors.c.tenant],
                    set_={"cursor": position.excluded.cursor, "moved_at": now},
                )
            )
        return len(new)

    def cursor(self, tenant: TenantId) -> Cursor | None:
        """Give the stored position in a tenant's stream, `None` before the first page."""
        with self._database.read() as connection:
            found = connection.execute(
                select(cursors.c.cursor).where(cursors.c.tenant == tenant)
            ).scalar()
        return None if found is None else Cursor(found)

    def has_open(self, tenant: TenantId, count: int) -> bool:
        """Tell whether a tenant has at least that many open rows."""
        rows = select(inbox.c.id).where(inbox.c.tenant == tenant, IS_OPEN)
        with self._database.read() as connection:
            last = connection.execute(rows.limit(1).offset(count - 1)).scalar()
        return last is not None

    def claim(
        self, limit: int, *, tenants: Sequence[TenantId], shaky: Collection[TenantId] = ()
    ) -> Sequence[Job]:
        """Lease up to `limit` due rows of the first of `tenants` that has any, oldest first.

        `tenants` are those that nobody works on just now. A leased row of theirs was left behind
        by a crash or a full disk, and is due again. Of a tenant that is `shaky` only one row is
        leased, so that a ticket that its desk chokes on does not fail others with it; and a row
        during whose work the process died comes alone, when nothing else is left.
        """
        with self._database.write() as connection:
            return claim(connection, limit, self._now(), tenants=tenants, shaky=shaky)

    def recover(self, suspects: Collection[int]) -> int:
        """Take over what a process that died had in hand; give how many rows were put on hold.

        For the rows that are `suspects` the death counts: their tickets may have been the cause.
        A row that has one twice in a row is held.
        """
        with self._database.write() as connection:
            return recover(connection, suspects, self._now())

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """End claimed rows, and note how their plans ended, as `settlement.settle` says."""
        if settlements:
            with self._database.write() as connection:
                settle(connection, settlements, self._now())

    def done(self, job: Job, detail: str = "") -> None:
        """Close a row, or make it ready again when further events came while it was leased."""
        self.settle([Settlement(job=job, detail=detail)])

    def dead(self, job: Job, detail: str) -> None:
        """Set a row aside that would fail again; it stays visible until a person acts."""
        self.settle([Settlement(job=job, state=State.DEAD, detail=detail)])

    def again(self, job: Job, *, delay: float, detail: str, counts: bool = True) -> None:
        """Make a row due again after `delay` seconds, with or without spending an attempt."""
        self.settle([due_again(job, delay=delay, detail=detail, counts=counts)])

    def forget_deliveries(self) -> None:
        """Drop delivery ids older than the replay window."""
        oldest = self._now() - REPLAY_WINDOW
        with self._database.write() as connection:
            connection.execute(delete(deliveries).where(deliveries.c.received_at < oldest))

    def forget_finished(self) -> None:
        """Drop rows that were finished long ago, and keep their number in the books."""
        with self._database.write() as connection:
            books.purge(connection, finished_before=self._now() - KEPT)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _taking(arrived: Arrived, now: float) -> Work[Received]:
    def take(connection: Connection) -> Received:
        if not _is_first(connection, arrived.tenant, arrived.delivery, now):
            return Received.REPLAY
        tickets = dict.fromkeys(arrived.tickets)
        books.receive(connection, arrived.tenant, len(tickets) + bool(arrived.unreadable))
        for ticket in tickets:
            _mark(connection, TicketRef(id=ticket, version=""), arrived.tenant, "webhook", now)
        if arrived.unreadable:
            values = _row(arrived.tenant, TicketId(""), State.HELD, "webhook", now)
            held = insert(inbox).values(**values, detail=arrived.unreadable, finished_at=now)
            connection.execute(held)
        return Received.NEW

    return take


def _row(
    tenant: TenantId, ticket: TicketId, state: State, source: str, now: float
) -> dict[str, object]:
    return {
        "tenant": tenant,
        "ticket": ticket,
        "state": state,
        "source": source,
        "received_at": now,
        "due_at": now,
    }


def _mark(
    connection: Connection, ref: TicketRef, tenant: TenantId, source: str, now: float
) -> None:
    """Open a row for the ticket, or note one more event on the row that is open."""
    row = _row(tenant, ref.id, State.READY, source, now)
    connection.execute(_MARK, {**row, "version": ref.version})


def _is_known(connection: Connection, tenant: TenantId, ref: TicketRef) -> bool:
    if not ref.version:
        return False
    same = select(inbox.c.id).where(
        inbox.c.tenant == tenant, inbox.c.ticket == ref.id, inbox.c.version == ref.version
    )
    return connection.execute(same.limit(1)).scalar() is not None


def _is_first(connection: Connection, tenant: TenantId, delivery: str, now: float) -> bool:
    noted = {"tenant": tenant, "delivery": delivery, "received_at": now}
    return connection.execute(_NOTE, noted).rowcount == 1
