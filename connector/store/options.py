"""The options of a desk that answers need, as the last look found them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, delete, false, func, or_, select
from sqlalchemy.sql.dml import Insert

from connector.model import Aspect, Need, TenantId
from connector.store import dialect
from connector.store.database import Database
from connector.store.schema import State, inbox, options


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """An option that the desk had and has no more; times in Unix seconds.

    Without a `label`, `value` is the field of the whole aspect.
    """

    aspect: Aspect
    label: str
    value: str
    seen_at: float
    gone_at: float


class Options:
    """What was ever seen of what a tenant needs. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, tenant: TenantId) -> frozenset[Need]:
        """Give what the desk once had, whether or not it has it now."""
        columns = (options.c.aspect, options.c.label, options.c.value)
        query = select(*columns).where(options.c.tenant == tenant)
        with self._database.read() as connection:
            return frozenset(
                (Aspect(aspect), label, value) for aspect, label, value in connection.execute(query)
            )

    def gone(self, tenant: TenantId) -> Collection[Need]:
        """Give what of it was missing at the last look."""
        with self._database.read() as connection:
            found = read(connection, tenant)
        return {(one.aspect, one.label, one.value) for one in found}

    def note(self, tenant: TenantId, seen: Collection[Need], gone: Collection[Need]) -> None:
        """Keep what a look found; what is neither is no longer needed, and forgotten."""
        now = self._database.clock.now().timestamp()
        rows = [
            {
                "tenant": tenant,
                "aspect": aspect,
                "label": label,
                "value": value,
                "seen_at": now,
                "gone_at": now if (aspect, label, value) in gone else None,
            }
            for aspect, label, value in sorted({*seen, *gone})
        ]
        kept = [
            and_(*(options.c[name] == row[name] for name in ("aspect", "label"))) for row in rows
        ]
        with self._database.write() as connection:
            connection.execute(
                delete(options).where(options.c.tenant == tenant, ~or_(false(), *kept))
            )
            if rows:
                connection.execute(dialect.of(connection, _NOTE), rows)

    def refused_since(self, tenant: TenantId, moment: float) -> bool:
        """Tell whether a ticket was set aside since, as it is when the desk refuses a value."""
        query = select(func.max(inbox.c.finished_at)).where(
            inbox.c.tenant == tenant, inbox.c.state == State.DEAD
        )
        with self._database.read() as connection:
            newest = connection.execute(query).scalar()
        return newest is not None and newest > moment


def read(connection: Connection, tenant: str) -> tuple[Gone, ...]:
    """Give what a tenant's desk has no more, by aspect and class."""
    query = (
        select(*(options.c[name] for name in Gone.__slots__))
        .where(options.c.tenant == tenant, options.c.gone_at.is_not(None))
        .order_by(options.c.aspect, options.c.label)
    )
    return tuple(
        Gone(**{**row, "aspect": Aspect(row["aspect"])})
        for row in connection.execute(query).mappings()
    )


def _noting(row: Any) -> Insert:
    new, was = row.excluded, options.c
    still = func.coalesce(was.gone_at, new.gone_at)
    noted: Insert = row.on_conflict_do_update(
        index_elements=["tenant", "aspect", "label"],
        set_={
            "value": new.value,
            # When it was seen last, and missed first.
            "seen_at": case((new.gone_at.is_(None), new.seen_at), else_=was.seen_at),
            "gone_at": case((new.gone_at.is_not(None), still)),
        },
    )
    return noted


_NOTE = dialect.upserts(options, _noting)
