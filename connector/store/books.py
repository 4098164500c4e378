"""The books: every event that was taken in is done, superseded, dropped, set aside or open."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DatabaseError

from connector.errors import StateUnusable
from connector.model import TenantId
from connector.store.engine import ReadOnlyDatabase
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


def purge(connection: Connection, *, finished_before: float) -> None:
    """Drop rows that were finished before that time, and count their events as they ended."""
    old = inbox.c.state.in_(FINISHED) & (inbox.c.finished_at < finished_before)
    totals = select(inbox.c.tenant, inbox.c.state, func.sum(inbox.c.marks)).where(old)
    for tenant, state, events in connection.execute(totals.group_by(inbox.c.tenant, inbox.c.state)):
        _add(connection, tenant, state, events)
    connection.execute(delete(inbox).where(old))


def drop(connection: Connection, tenant: str, events: int) -> None:
    """Count events whose row a person dropped."""
    _add(connection, tenant, "dropped", events)


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


def look_at_books(directory: Path) -> tuple[Balance, ...]:
    """Audit a directory that a daemon may own; raises `StateUnusable`."""
    database = ReadOnlyDatabase(directory)
    try:
        with database.read() as connection:
            return audit(connection)
    except DatabaseError as error:
        raise StateUnusable(f"{directory}: {error.orig}") from error
    finally:
        database.close()


def _add(connection: Connection, tenant: str, account: str, events: int) -> None:
    if events:
        connection.execute(_ADD[account], {"tenant": tenant, account: events})


def _adding(account: str) -> Insert:
    added = upsert(books).values({name: bindparam(name) for name in ("tenant", account)})
    total = books.c[account] + added.excluded[account]
    return added.on_conflict_do_update(index_elements=["tenant"], set_={account: total})


# Made once: building a statement costs more than running it.
_ADD = {name: _adding(name) for name in ("received", "done", "superseded", "dropped")}
