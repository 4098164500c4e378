"""The inbox: which tickets to look at, and how far a desk's stream of changes has been read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, bindparam, case, insert, select, text
from sqlalchemy.sql.dml import Insert

from connector.errors import StateUnusable
from connector.model import Cursor, TenantId, TicketId, TicketRef
from connector.store import books, dialect
from connector.store.claim import IS_BACKLOG, IS_OPEN, Job, claim, is_due, recover
from connector.store.database import Database
from connector.store.group import commit
from connector.store.schema import OPEN, OPEN_STATES, State, cursors, deliveries, inbox
from connector.store.settlement import Settlement, due_again, settle


def _marking(row: Any) -> Insert:
    """Open a row, or count one more event on the one that the index `inbox_open` finds."""
    newer = row.excluded.version
    marked: Insert = row.values({name: bindparam(name) for name in _MARKED}).on_conflict_do_update(
        index_elements=[inbox.c.tenant, inbox.c.ticket],
        index_where=text(OPEN),
        set_={
            "marks": inbox.c.marks + 1,
            "version": case((newer == "", inbox.c.version), else_=newer),
            # What waits behind all others is news now; a pause of its own stays.
            "due_at": case((IS_BACKLOG, row.excluded.due_at), else_=inbox.c.due_at),
        },
    )
    return marked


def _moving(row: Any) -> Insert:
    moved: Insert = row.on_conflict_do_update(
        index_elements=[cursors.c.tenant],
        set_={"cursor": row.excluded.cursor, "moved_at": row.excluded.moved_at},
    )
    return moved


_MARKED = ("tenant", "ticket", "state", "source", "received_at", "due_at", "version")
_MARK = dialect.upserts(inbox, _marking)
_MOVE = dialect.upserts(cursors, _moving)
_NOTE = dialect.upserts(
    deliveries, lambda row: row.on_conflict_do_nothing().returning(deliveries.c.delivery)
)


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

    def __init__(self, database: Database) -> None:
        self._database = database

    def take_in(self, deliveries: Sequence[Arrived]) -> Sequence[Received | StateUnusable]:
        """Take webhook deliveries in with one commit; an error is the result of its own delivery.

        A delivery id that was seen before changes nothing.
        """
        return commit(self._database, deliveries, partial(_take, now=self._now()))

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
            rows = [row_of(tenant, ref.id, "poll", now, version=ref.version) for ref in new]
            mark(connection, rows)
            position = {"tenant": tenant, "cursor": cursor, "moved_at": now}
            connection.execute(dialect.of(connection, _MOVE), position)
        return len(new)

    def cursor(self, tenant: TenantId) -> Cursor | None:
        """Give the stored position in a tenant's stream, `None` before the first page."""
        with self._database.read() as connection:
            found = connection.execute(
                select(cursors.c.cursor).where(cursors.c.tenant == tenant)
            ).scalar()
        return None if found is None else Cursor(found)

    def has_open(self, tenant: TenantId, count: int) -> bool:
        """Tell whether a tenant has at least that many open rows, its backlog not counted."""
        rows = select(inbox.c.id).where(inbox.c.tenant == tenant, IS_OPEN, ~IS_BACKLOG)
        with self._database.read() as connection:
            last = connection.execute(rows.limit(1).offset(count - 1)).scalar()
        return last is not None

    def claim(
        self, limit: int, *, tenants: Sequence[TenantId], shaky: Collection[TenantId] = ()
    ) -> Sequence[Job]:
        """Lease up to `limit` due rows of the first of `tenants` that has any, oldest first.

        `tenants` are those that nobody in this process works on just now. A row of theirs that it
        leased was left behind by a full disk, and is due again; so is one of a process that died.
        Of a tenant that is `shaky` only one row is
        leased, so that a ticket that its desk chokes on does not fail others with it; and a row
        during whose work the process died comes alone, when nothing else is left.
        """
        with self._database.write() as connection:
            owner = self._database.owner
            now = is_due(self._now())
            return claim(connection, limit, now, tenants=tenants, shaky=shaky, owner=owner)

    def claim_backlog(
        self, limit: int, tenant: TenantId, *, is_shaky: bool = False
    ) -> Sequence[Job]:
        """Lease up to `limit` rows of the tenant that wait until nothing newer does."""
        shaky = [tenant] if is_shaky else []
        with self._database.write() as connection:
            owner = self._database.owner
            return claim(connection, limit, IS_BACKLOG, tenants=[tenant], shaky=shaky, owner=owner)

    def with_backlog(self, tenants: Sequence[TenantId]) -> Sequence[TenantId]:
        """Give those of the tenants that have rows which wait until nothing newer does."""
        query = select(inbox.c.tenant).where(
            inbox.c.tenant.in_(tenants), inbox.c.state.in_(OPEN_STATES), IS_BACKLOG
        )
        with self._database.read() as connection:
            found = set(connection.execute(query.distinct()).scalars())
        return [tenant for tenant in tenants if tenant in found]

    def recover(self, suspects: Collection[int]) -> int:
        """Take over what the process before this one had in hand; give how many rows were held.

        For the rows that are `suspects` the death counts: their tickets may have been the cause.
        A row that has one twice in a row is held.
        """
        with self._database.write() as connection:
            held = recover(connection, suspects, self._database.left, self._now())
        self._database.took_over()
        return held

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

    def _now(self) -> float:
        return self._database.clock.now().timestamp()


def _take(connection: Connection, arrivals: Sequence[Arrived], *, now: float) -> Sequence[Received]:
    """Take deliveries in, locking rows in the one order that all writers keep."""
    results = [Received.REPLAY] * len(arrivals)
    places = sorted(
        range(len(arrivals)), key=lambda at: (arrivals[at].tenant, arrivals[at].delivery)
    )
    first = [at for at in places if _is_first(connection, arrivals[at], now)]
    for at in first:
        results[at] = Received.NEW
    new = [arrivals[at] for at in first]
    for tenant, group in groupby(new, key=lambda one: one.tenant):
        events = sum(len(set(one.tickets)) + bool(one.unreadable) for one in group)
        books.receive(connection, tenant, events)
    mark(
        connection,
        [row_of(one.tenant, ticket, "webhook", now) for one in new for ticket in set(one.tickets)],
    )
    held = [
        {
            **row_of(one.tenant, TicketId(""), "webhook", now),
            "state": State.HELD,
            "detail": one.unreadable,
            "finished_at": now,
        }
        for one in new
        if one.unreadable
    ]
    if held:
        connection.execute(insert(inbox), held)
    return results


def row_of(
    tenant: TenantId, ticket: TicketId, source: str, now: float, *, version: str = ""
) -> dict[str, object]:
    """Give a new row that is due at once."""
    return {
        "tenant": tenant,
        "ticket": ticket,
        "state": State.READY,
        "source": source,
        "version": version,
        "received_at": now,
        "due_at": now,
    }


def mark(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Open a row for each ticket, or note one more event on the row that is open."""
    if rows:
        ordered = sorted(rows, key=lambda row: (row["tenant"], row["ticket"]))
        connection.execute(dialect.of(connection, _MARK), ordered)
        dialect.ring(connection)


def _is_known(connection: Connection, tenant: TenantId, ref: TicketRef) -> bool:
    if not ref.version:
        return False
    same = select(inbox.c.id).where(
        inbox.c.tenant == tenant, inbox.c.ticket == ref.id, inbox.c.version == ref.version
    )
    return connection.execute(same.limit(1)).scalar() is not None


def _is_first(connection: Connection, arrived: Arrived, now: float) -> bool:
    noted = {"tenant": arrived.tenant, "delivery": arrived.delivery, "received_at": now}
    return connection.execute(dialect.of(connection, _NOTE), noted).first() is not None
