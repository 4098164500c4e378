"""Who works on which row: claims under a rising fence, and what a dead process left behind."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, text, update

from connector.model import TenantId, TicketId
from connector.store.schema import OPEN, State, inbox

IS_OPEN = text(OPEN)

IN_HAND = (State.LEASED, State.PLANNED)

MOST_CRASHES = 2
"""Deaths of the process with a ticket in hand after which a person must look at it."""

CLOCK_STEP = 3600.0
"""Seconds ahead of us beyond which a due time can only come from a clock that was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A claimed row: one ticket to look at; `marks` counts the events that it stood for then."""

    id: int
    tenant: TenantId
    ticket: TicketId
    source: str
    marks: int
    attempts: int
    received_at: float
    fence: int


def claim(
    connection: Connection,
    limit: int,
    now: float,
    *,
    tenants: Sequence[TenantId],
    shaky: Collection[TenantId],
) -> Sequence[Job]:
    """Lease rows as `Inbox.claim` says."""
    due = and_(
        IS_OPEN,
        # No pause is as long as that: our clock was set back, and would hold the row for ever.
        or_(inbox.c.due_at <= now, inbox.c.due_at > now + CLOCK_STEP),
    )
    tenant = _first_with_work(connection, tenants, due)
    if tenant is None:
        return ()
    rows = and_(due, inbox.c.tenant == tenant)
    most = 1 if tenant in shaky else limit
    innocent = _lease(connection, and_(rows, inbox.c.crashes == 0), most)
    return innocent or _lease(connection, rows, 1)


def recover(connection: Connection, suspects: Collection[int], now: float) -> int:
    """Take over what a process that died had in hand, as `Inbox.recover` says."""
    dead = State.HELD, now, "the process died twice while it read this ticket"
    mine = and_(inbox.c.state == State.LEASED, inbox.c.id.in_(suspects))
    connection.execute(update(inbox).where(mine).values(crashes=inbox.c.crashes + 1))
    held = connection.execute(
        update(inbox)
        .where(mine, inbox.c.crashes >= MOST_CRASHES)
        .values(dict(zip(("state", "finished_at", "detail"), dead, strict=True)))
    )
    connection.execute(update(inbox).where(inbox.c.state.in_(IN_HAND)).values(state=State.READY))
    return held.rowcount


def mark_planned(connection: Connection, jobs: Sequence[Job]) -> None:
    """Note, in the transaction that stores their plans, that jobs have one."""
    # To read them did no harm: what they were suspected of is over.
    if jobs:
        connection.execute(_PLANNED, [claimed(job) for job in jobs])


def claimed(job: Job) -> dict[str, object]:
    """Give the parameters by which `CLAIMED` finds a job's row, if nobody claimed it since."""
    return {"row": job.id, "claim": job.fence}


def is_one_of(*states: State) -> ColumnElement[bool]:
    """Give the condition that a row is in one of the states, fit for many rows of parameters."""
    return or_(*(inbox.c.state == state for state in states))


CLAIMED = update(inbox).where(
    inbox.c.id == bindparam("row"),
    inbox.c.fence == bindparam("claim"),
    is_one_of(*IN_HAND),
)
_PLANNED = CLAIMED.values(state=State.PLANNED, crashes=0)


def _first_with_work(
    connection: Connection, tenants: Sequence[TenantId], due: ColumnElement[bool]
) -> TenantId | None:
    """Give the first tenant, in the order given, that has a due row."""
    any_due = select(inbox.c.id).where(due, inbox.c.tenant.in_(tenants)).limit(1)
    if connection.execute(any_due).scalar() is None:
        return None
    for tenant in tenants:
        one = select(inbox.c.id).where(due, inbox.c.tenant == tenant).limit(1)
        if connection.execute(one).scalar() is not None:
            return tenant
    return None


def _lease(connection: Connection, rows: ColumnElement[bool], most: int) -> Sequence[Job]:
    chosen = (
        select(inbox.c.id)
        .where(rows)
        .order_by(inbox.c.crashes, inbox.c.due_at, inbox.c.id)
        .limit(most)
    )
    leased = connection.execute(
        update(inbox)
        .where(inbox.c.id.in_(chosen))
        .values(state=State.LEASED, fence=inbox.c.fence + 1)
        .returning(*(inbox.c[name] for name in Job.__slots__))
    )
    return tuple(Job(**row) for row in leased.mappings())
