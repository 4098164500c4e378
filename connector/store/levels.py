"""How far single classes may go, where that is less than their tenant's file says."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.sql.dml import Insert

from connector.model import Aspect, Mode, TenantId
from connector.store import dialect
from connector.store.database import Database, Place, reading
from connector.store.schema import levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The most that a class of an aspect may do; an empty `label` means the whole aspect.

    `since` is when it came to this level, in Unix seconds: what was decided earlier is no evidence
    about it. A class that was raised again keeps a row with the mode `auto`, which bounds nothing.
    """

    aspect: Aspect
    label: str
    mode: Mode
    since: float
    reason: str = ""


class Levels:
    """The levels of a daemon's tenants. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, tenant: TenantId) -> tuple[Level, ...]:
        """Give a tenant's levels, by aspect and class."""
        with self._database.read() as connection:
            return _levels(connection, tenant)

    def put(self, tenant: TenantId, aspect: Aspect, label: str, mode: Mode, reason: str) -> Level:
        """Put a class at a level from now on."""
        now = self._database.clock.now().timestamp()
        level = Level(aspect=aspect, label=label, mode=mode, since=now, reason=reason)
        with self._database.write() as connection:
            row = {"tenant": tenant, **asdict(level)}
            connection.execute(dialect.of(connection, _PUT), row)
        return level


def look_at_levels(place: Place, tenant: TenantId) -> Sequence[Level]:
    """Give a tenant's levels, from a store that may be in use; raises `StateUnusable`."""
    with reading(place) as connection:
        return _levels(connection, tenant)


def _levels(connection: Connection, tenant: TenantId) -> tuple[Level, ...]:
    query = (
        select(*(levels.c[name] for name in Level.__slots__))
        .where(levels.c.tenant == tenant)
        .order_by(levels.c.aspect, levels.c.label)
    )
    return tuple(
        Level(**{**row, "aspect": Aspect(row["aspect"]), "mode": Mode(row["mode"])})
        for row in connection.execute(query).mappings()
    )


def _replacing(row: Any) -> Insert:
    new = row.excluded
    put: Insert = row.on_conflict_do_update(
        index_elements=["tenant", "aspect", "label"],
        set_={name: new[name] for name in ("mode", "since", "reason")},
    )
    return put


_PUT = dialect.upserts(levels, _replacing)
