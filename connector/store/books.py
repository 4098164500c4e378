"""The books: every event that was taken in is done, superseded, dropped, set aside or open."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.sql.dml import Insert

from connector.model import TenantId
from connector.store import dialect
from connector.store.database import Place, reading
from connector.store.schema import State, books, inbox

FINISHED = (State.DONE, State.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A tenant's events: how many were received, and where they are now, by state."""

    tenant: str
    received: int
    accounts: Mapping[str, int]

    @property
    def missing(self) -> int:
        """Count the events that no account shows; below zero: some that were never received."""
        return self.received - sum(self.accounts.values())


def receive(connection: Connection, tenant: TenantId, events: int) -> None:
    """Count events in, apart from the rows that they make."""
    _add(connection, tenant, "received", events)


def purge(connection: Connection, *, finished_before: float, most: int) -> int:
    """Drop rows that were finished before that time, and count their events as they ended.

    At most so many; give how many it were.
    """
    old = select(inbox.c.id).where(
        inbox.c.state.in_(FINISHED), inbox.c.finished_at < finished_before
    )
    rows = connection.execute(old.limit(most)).scalars().all()
    gone = (
        delete(inbox)
        .where(inbox.c.id.in_(rows))
        .returning(inbox.c.tenant, inbox.c.state, inbox.c.marks)
    )
    totals: Counter[tuple[str, str]] = Counter()
    for tenant, state, events in connection.execute(gone):
        totals[tenant, state] += events
    for (tenant, state), events in sorted(totals.items()):
        _add(connection, tenant, state, events)
    return len(rows)


def drop(connection: Connection, tenant: str, events: int) -> None:
    """Count events whose row a person dropped."""
    _add(connection, tenant, "dropped", events)


def erase(connection: Connection, tenant: str, tickets: Sequence[str]) -> int:
    """Delete all rows of tickets, counting their events as they ended or as dropped; give how many.

    For rows that nobody works on.
    """
    gone = (
        delete(inbox)
        .where(inbox.c.tenant == tenant, inbox.c.ticket.in_(tickets))
        .returning(inbox.c.state, inbox.c.marks)
    )
    totals: Counter[str] = Counter()
    rows = connection.execute(gone).all()
    for state, events in rows:
        totals[state if state in FINISHED else "dropped"] += events
    for state, events in sorted(totals.items()):
        _add(connection, tenant, state, events)
    return len(rows)


def audit(connection: Connection) -> tuple[Balance, ...]:
    """Compare what was received with where it is now, per tenant, by name."""
    accounts: dict[str, dict[str, int]] = {}
    query = select(inbox.c.tenant, inbox.c.state, func.sum(inbox.c.marks))
    for tenant, state, events in connection.execute(query.group_by(inbox.c.tenant, inbox.c.state)):
        accounts.setdefault(tenant, {})[state] = events
    received = {}
    for row in connection.execute(select(books)).mappings():
        received[row["tenant"]] = row["received"]
        account = accounts.setdefault(row["tenant"], {})
        for name in ("done", "superseded", "dropped"):
            account[name] = account.get(name, 0) + row[name]
    return tuple(
        Balance(tenant=tenant, received=received.get(tenant, 0), accounts=accounts[tenant])
        for tenant in sorted(accounts)
    )


def look_at_books(place: Place) -> tuple[Balance, ...]:
    """Audit a store that daemons may be using; raises `StateUnusable`."""
    with reading(place) as connection:
        return audit(connection)


def _add(connection: Connection, tenant: str, account: str, events: int) -> None:
    if events:
        added = dialect.of(connection, _ADD[account])
        connection.execute(added, {"tenant": tenant, account: events})


def _adding(account: str) -> Mapping[str, Insert]:
    def build(row: Any) -> Insert:
        total = books.c[account] + row.excluded[account]
        added: Insert = row.values(
            {name: bindparam(name) for name in ("tenant", account)}
        ).on_conflict_do_update(index_elements=["tenant"], set_={account: total})
        return added

    return dialect.upserts(books, build)


_ADD = {name: _adding(name) for name in ("received", "done", "superseded", "dropped")}
