"""How many tickets were written to of late, and which tenants were stopped for writing too many."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.sql.dml import Insert

from connector.model import TenantId
from connector.store import dialect
from connector.store.database import Database
from connector.store.ledger import Conclusion, Outcome
from connector.store.schema import brakes, writes

MINUTES = 60
"""For how long a write counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A brake that was pulled, when (Unix seconds) and why."""

    pulled_at: float
    detail: str


def count(connection: Connection, ended: Iterable[Conclusion], now: float) -> None:
    """Count the tickets of plans that ended with something written."""
    found = Counter(one.tenant for one in ended if one.outcome is Outcome.WRITTEN)
    rows = [
        {"tenant": tenant, "minute": int(now // 60), "tickets": tickets}
        for tenant, tickets in sorted(found.items())
    ]
    if rows:
        connection.execute(dialect.of(connection, _COUNT), rows)


def expire(connection: Connection, now: float) -> None:
    """Delete what no longer counts."""
    connection.execute(delete(writes).where(writes.c.minute <= int(now // 60) - MINUTES))


def read(connection: Connection) -> Mapping[TenantId, Pulled]:
    """Give the tenants whose brake is pulled."""
    return {
        TenantId(row.tenant): Pulled(pulled_at=row.pulled_at, detail=row.detail)
        for row in connection.execute(select(brakes))
    }


class Brakes:
    """The brakes of a daemon's tenants. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def written(self, tenant: TenantId) -> int:
        """Give how many tickets of a tenant were written to within the last hour."""
        query = select(func.coalesce(func.sum(writes.c.tickets), 0)).where(
            writes.c.tenant == tenant, writes.c.minute > int(self._now() // 60) - MINUTES
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def pull(self, tenant: TenantId, detail: str) -> bool:
        """Stop a tenant until it is released; tell whether it was not stopped already."""
        row = {"tenant": tenant, "pulled_at": self._now(), "detail": detail}
        with self._database.write() as connection:
            new = connection.execute(dialect.of(connection, _PULL), row)
            return new.scalar_one_or_none() is not None

    def release(self, tenant: TenantId) -> bool:
        """Let a tenant go on, its count begun anew; tell whether it was stopped."""
        with self._database.write() as connection:
            # What was written before the release would stop it again at once.
            connection.execute(delete(writes).where(writes.c.tenant == tenant))
            gone = connection.execute(delete(brakes).where(brakes.c.tenant == tenant))
            return gone.rowcount > 0

    def pulled(self) -> Mapping[TenantId, Pulled]:
        """Give the tenants that are stopped."""
        with self._database.read() as connection:
            return read(connection)

    def _now(self) -> float:
        return self._database.clock.now().timestamp()


def _adding(row: Any) -> Insert:
    total = writes.c.tickets + row.excluded.tickets
    added: Insert = row.on_conflict_do_update(
        index_elements=["tenant", "minute"], set_={"tickets": total}
    )
    return added


_COUNT = dialect.upserts(writes, _adding)
_PULL = dialect.upserts(brakes, lambda row: row.on_conflict_do_nothing().returning(brakes.c.tenant))
