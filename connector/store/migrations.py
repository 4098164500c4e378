"""Brings a database of an earlier release up to the present schema, in one transaction.

Each step is frozen: it names its tables and columns itself, never by `schema`, which moves on.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    String,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from connector.store import schema
from connector.store.dialect import POSTGRESQL

ONE_AT_A_TIME = 0x74726961
"""The number of the advisory lock that a migration takes; any other would do."""


def bring_up(connection: Connection) -> int:
    """Create or migrate the tables; give the version that the database has afterwards.

    A version that is not known is left as it is.
    """
    # Several daemons may be started at once: one creates, the others find it done.
    lock_out(connection)
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


def lock_out(connection: Connection) -> None:
    """Let no other daemon start on a shared database until the transaction ends."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))


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


def _leave_2(operations: Operations) -> None:
    """Rows that several daemons claim, each under its name; and what is old is found by its age."""
    operations.create_index("ledger_age", "ledger", ["planned_at"])
    operations.create_index("cases_age", "cases", ["updated_at"])
    owner: Column[str] = Column("owner", String(64), nullable=False, server_default="")
    operations.add_column("inbox", owner)
    operations.create_table(
        "nodes",
        Column("name", String(64), primary_key=True),
        Column("alive_until", Float, nullable=False),
    )


_STEPS: Mapping[int, Callable[[Operations], None]] = MappingProxyType({1: _leave_1, 2: _leave_2})
"""By the version that a step leaves behind."""
