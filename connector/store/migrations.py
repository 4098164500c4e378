"""Brings a database of an earlier release up to the present schema, in one transaction.

Each step is frozen: it names its tables and columns itself, never by `schema`, which moves on.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Integer, String, insert, inspect, select, text, update

from connector.store import schema


def bring_up(connection: Connection) -> int:
    """Create or migrate the tables; give the version that the database has afterwards.

    A version that is not known is left as it is.
    """
    table = schema.schema_version
    found = None
    if inspect(connection).has_table(table.name):
        found = connection.execute(select(table.c.version)).scalar()
    if found is None:
        schema.metadata.create_all(connection)
        connection.execute(insert(table).values(version=schema.VERSION))
        return schema.VERSION
    version = int(found)
    operations = Operations(MigrationContext.configure(connection))
    while version in _STEPS:
        _STEPS[version](operations)
        version += 1
        connection.execute(update(table).values(version=version))
    return version


def _leave_1(operations: Operations) -> None:
    """Fences, crashes, the states `retry`, `planned` and `superseded`, and the books."""
    is_open = text("state IN ('ready', 'retry', 'leased', 'planned')")
    for name in ("fence", "crashes"):
        column: Column[int] = Column(name, Integer, nullable=False, server_default="0")
        operations.add_column("inbox", column)
    operations.drop_index("inbox_open", "inbox")
    for name, columns, unique in (
        ("inbox_open", ["tenant", "ticket"], True),
        ("inbox_work", ["tenant", "crashes", "due_at", "id"], False),
    ):
        operations.create_index(name, "inbox", columns, unique=unique, sqlite_where=is_open)
    operations.create_table(
        "books",
        Column("tenant", String(63), primary_key=True),
        *(
            Column(name, Integer, nullable=False, server_default="0")
            for name in ("received", "done", "superseded", "dropped")
        ),
    )
    # The books begin balanced: what was received before is what the rows tell.
    operations.execute(
        "INSERT INTO books (tenant, received) SELECT tenant, SUM(marks) FROM inbox GROUP BY tenant"
    )


_STEPS: Mapping[int, Callable[[Operations], None]] = MappingProxyType({1: _leave_1})
"""By the version that a step leaves behind."""
