"""Moves everything from one database to another, or nothing of it."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing

from sqlalchemy import Connection, Table, func, insert, select, text, update

from connector.errors import StateInUse, StateUnusable
from connector.store import books, migrations, schema
from connector.store.claim import IN_HAND
from connector.store.database import Place, alone
from connector.store.dialect import POSTGRESQL
from connector.store.ownership import own
from connector.store.schema import State

PAGE = 1000

MOVED = tuple(
    table
    for table in schema.metadata.sorted_tables
    if table not in {schema.schema_version, schema.nodes}
)
"""All tables but those that tell of a database itself."""

Progress = Callable[[int, int], None]
"""Hears how many of how many rows have been moved."""


def transfer(source: Place, target: Place, progress: Progress) -> Mapping[str, int]:
    """Copy what daemons keep at `source` to the empty database at `target`; give rows per table.

    All of it is one transaction of the target's: whatever goes wrong, nothing is there. The source
    stays as it is. Work in hand is due again. Raises `StateInUse` while a daemon runs on either,
    and `StateUnusable` when the target is not empty or does not hold afterwards what the source
    does.
    """
    if source.url == target.url:
        raise StateInUse(f"the work is in {source.url} already")
    with closing(own(source.directory)), alone(source) as old:
        _is_present(old, source)
        with alone(target) as new:
            migrations.bring_up(new)
            _is_empty(new)
            counts = _copy(old, new, progress)
            _release(new)
            if _balances(old) != _balances(new):
                raise StateUnusable("the books of the copy differ from the original's")
    return counts


def _is_present(connection: Connection, place: Place) -> None:
    """Refuse a source without our tables, or of another version."""
    if not connection.dialect.has_table(connection, schema.schema_version.name):
        raise StateUnusable(f"{place.url}: no daemon has run there yet; there is nothing to move")
    found = connection.execute(select(schema.schema_version.c.version)).scalar()
    if found != schema.VERSION:
        raise StateUnusable(
            f"{place.url} has schema version {found}, this triaged knows {schema.VERSION}; start"
            " this triaged on it once, then move it"
        )


def _is_empty(connection: Connection) -> None:
    for table in MOVED:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise StateUnusable(
                f"the database to move to holds {table.name} already; name an empty one"
            )


def _copy(old: Connection, new: Connection, progress: Progress) -> Mapping[str, int]:
    total = {table.name: _count(old, table) for table in MOVED}
    moved = 0
    for table in MOVED:
        with closing(_pages(old, table)) as pages:
            for page in pages:
                new.execute(insert(table), page)
                moved += len(page)
                progress(moved, sum(total.values()))
        if _count(new, table) != total[table.name]:
            raise StateUnusable(f"{table.name}: the copy has not as many rows as the original")
    return total


def _pages(connection: Connection, table: Table) -> Generator[list[dict[str, object]]]:
    with connection.execution_options(yield_per=PAGE).execute(select(table)) as rows:
        for page in rows.mappings().partitions():
            yield [dict(row) for row in page]


def _release(connection: Connection) -> None:
    """Make work due that a process had in hand, and number new rows after the old ones."""
    table = schema.inbox
    in_hand = update(table).where(table.c.state.in_(IN_HAND))
    connection.execute(in_hand.values(state=State.READY))
    connection.execute(update(table).values(owner=""))
    if connection.dialect.name == POSTGRESQL:
        for name in (schema.inbox.name, schema.ledger.name):
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id))"  # noqa: S608
                    f" FROM {name} HAVING max(id) IS NOT NULL"
                )
            )


def _balances(connection: Connection) -> Mapping[str, tuple[int, int]]:
    return {one.tenant: (one.received, one.missing) for one in books.audit(connection)}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
