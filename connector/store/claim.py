"""Who works on which row: claims under a rising fence, and what a dead process left behind."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, text, update

from connector.model import TenantId, TicketId
from connector.store.dialect import POSTGRESQL, server_now
from connector.store.schema import LAST_OF_ALL, OPEN, State, inbox, nodes

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
    owner: str


def claim(
    connection: Connection,
    limit: int,
    is_time: ColumnElement[bool],
    *,
    tenants: Sequence[TenantId],
    shaky: Collection[TenantId],
    owner: str,
) -> Sequence[Job]:
    """Lease rows as `Inbox.claim` says, in that owner's name; `is_time` tells which are due."""
    due = and_(IS_OPEN, _is_free(owner), is_time)
    for tenant in _with_work(connection, tenants, due):
        rows = and_(due, inbox.c.tenant == tenant)
        most = 1 if tenant in shaky else limit
        innocent = _lease(connection, and_(rows, inbox.c.crashes == 0), most, owner)
        # None at all: another daemon is just taking them.
        if jobs := innocent or _lease(connection, rows, 1, owner):
            return jobs
    return ()


def is_due(now: float) -> ColumnElement[bool]:
    """Give the condition that a row's time has come."""
    # No pause is as long as that: our clock was set back, and would hold the row for ever.
    stuck = and_(inbox.c.due_at > now + CLOCK_STEP, inbox.c.due_at < LAST_OF_ALL)
    return or_(inbox.c.due_at <= now, stuck)


IS_BACKLOG = inbox.c.due_at >= LAST_OF_ALL
"""The condition that a row waits until nothing newer does."""


def recover(
    connection: Connection, suspects: Collection[int], owners: Sequence[str], now: float
) -> int:
    """Take over what a process that died had in hand, as `Inbox.recover` says."""
    dead = State.HELD, now, "the process died twice while it read this ticket"
    in_hand = and_(inbox.c.state.in_(IN_HAND), inbox.c.owner.in_(owners))
    lock(connection, in_hand)
    mine = and_(in_hand, inbox.c.state == State.LEASED, inbox.c.id.in_(suspects))
    connection.execute(update(inbox).where(mine).values(crashes=inbox.c.crashes + 1))
    held = connection.execute(
        update(inbox)
        .where(mine, inbox.c.crashes >= MOST_CRASHES)
        .values(dict(zip(("state", "finished_at", "detail"), dead, strict=True)))
    )
    connection.execute(update(inbox).where(in_hand).values(state=State.READY))
    return held.rowcount


def mark_planned(connection: Connection, jobs: Sequence[Job]) -> None:
    """Note, in the transaction that stores their plans, that jobs have one."""
    # To read them did no harm: what they were suspected of is over.
    if jobs:
        ordered = sorted(jobs, key=lambda job: job.ticket)
        connection.execute(_PLANNED, [claimed(job) for job in ordered])


def lock(connection: Connection, rows: ColumnElement[bool]) -> None:
    """Lock rows in the one order that all writers keep, so that none waits for another in a ring.

    Of no effect on SQLite, which has one writer.
    """
    if connection.dialect.name == POSTGRESQL:
        chosen = select(inbox.c.id).where(rows).order_by(inbox.c.tenant, inbox.c.ticket)
        connection.execute(chosen.with_for_update())


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


def _is_free(owner: str) -> ColumnElement[bool]:
    """Give the condition that nobody alive but the caller, who works on none of them, has a row."""
    alive = select(nodes.c.name).where(nodes.c.alive_until > server_now())
    in_hand = inbox.c.state.in_(IN_HAND)
    return or_(~in_hand, inbox.c.owner == owner, inbox.c.owner.not_in(alive))


def _with_work(
    connection: Connection, tenants: Sequence[TenantId], due: ColumnElement[bool]
) -> Iterator[TenantId]:
    """Yield the tenants that have a due row, in the order given."""
    any_due = select(inbox.c.id).where(due, inbox.c.tenant.in_(tenants)).limit(1)
    if connection.execute(any_due).scalar() is None:
        return
    for tenant in tenants:
        one = select(inbox.c.id).where(due, inbox.c.tenant == tenant).limit(1)
        if connection.execute(one).scalar() is not None:
            yield tenant


def _lease(
    connection: Connection, rows: ColumnElement[bool], most: int, owner: str
) -> Sequence[Job]:
    # Named and locked first: a statement that both chooses and changes may choose anew on
    # PostgreSQL while it changes, and take more than it was to.
    chosen = (
        select(inbox.c.id)
        .where(rows)
        .order_by(inbox.c.crashes, inbox.c.due_at, inbox.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    leased = connection.execute(
        update(inbox)
        .where(inbox.c.id.in_(select(chosen.c.id)))
        .values(state=State.LEASED, fence=inbox.c.fence + 1, owner=owner)
        .returning(*(inbox.c[name] for name in Job.__slots__))
    )
    # No database promises an order here; as they were taken in is how they are worked off.
    return sorted((Job(**row) for row in leased.mappings()), key=lambda job: job.id)
