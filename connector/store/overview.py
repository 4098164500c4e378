"""Where each tenant's work stands, for people and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case, func, select

from connector.model import TenantId
from connector.store import brakes, options
from connector.store.brakes import Pulled
from connector.store.claim import IS_BACKLOG
from connector.store.database import Place, reading
from connector.store.options import Gone
from connector.store.schema import State, cursors, inbox, ledger

UNSTARTED = (State.READY, State.RETRY)

SHOWN_TROUBLE = 5
"""Newest rows that are set aside or waiting for another try, per tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A piece of work that did not go through, and why."""

    ticket: str
    state: str
    attempts: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOverview:
    """A tenant's work; times are Unix seconds, `None` when there was none."""

    tenant: str
    states: Mapping[str, int]
    outcomes: Mapping[str, int]
    oldest_open_at: float | None
    polled_at: float | None
    finished_at: float | None
    trouble: tuple[Trouble, ...]
    gone: tuple[Gone, ...] = ()
    """Options of the desk that answers need, and that it has no more."""
    brake: Pulled | None = None
    """There when nothing more is written for the tenant until a person releases it."""


def look(place: Place) -> Sequence[TenantOverview]:
    """Read a store that daemons may be using; raises `StateUnusable`."""
    with reading(place) as connection:
        return read(connection)


def read(connection: Connection) -> Sequence[TenantOverview]:
    """Read every tenant's overview in one consistent state, by name."""
    states = _counts(connection, inbox, inbox.c.state)
    outcomes = _counts(connection, ledger, ledger.c.outcome)
    polled = dict(connection.execute(select(cursors.c.tenant, cursors.c.moved_at)).all())
    finished = _times(connection, func.max(inbox.c.finished_at), State.DONE)
    pulled = brakes.read(connection)
    # A backlog is not late: it waits for newer work by its nature.
    received = case((~IS_BACKLOG, inbox.c.received_at))
    waiting = _times(connection, func.min(received), *UNSTARTED)
    return tuple(
        TenantOverview(
            tenant=tenant,
            states=states.get(tenant, {}),
            outcomes=outcomes.get(tenant, {}),
            oldest_open_at=waiting.get(tenant),
            polled_at=polled.get(tenant),
            finished_at=finished.get(tenant),
            trouble=_trouble(connection, tenant),
            gone=options.read(connection, tenant),
            brake=pulled.get(TenantId(tenant)),
        )
        for tenant in sorted({*states, *outcomes, *polled, *pulled})
    )


def _counts(
    connection: Connection, table: Table, by: ColumnElement[Any]
) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    query = select(table.c.tenant, by, func.count()).group_by(table.c.tenant, by)
    for tenant, value, count in connection.execute(query):
        counts.setdefault(tenant, {})[value] = count
    return counts


def _times(connection: Connection, pick: ColumnElement[Any], *states: State) -> Mapping[str, float]:
    query = select(inbox.c.tenant, pick).where(inbox.c.state.in_(states)).group_by(inbox.c.tenant)
    return dict(connection.execute(query).all())


def _trouble(connection: Connection, tenant: str) -> tuple[Trouble, ...]:
    query = (
        select(*(inbox.c[name] for name in Trouble.__slots__))
        .where(
            inbox.c.tenant == tenant,
            inbox.c.state.in_((State.DEAD, State.HELD))
            | (inbox.c.state.in_(UNSTARTED) & (inbox.c.attempts > 0)),
        )
        .order_by(inbox.c.id.desc())
        .limit(SHOWN_TROUBLE)
    )
    return tuple(Trouble(**row) for row in connection.execute(query).mappings())
