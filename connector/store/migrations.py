"""Brings a database of an earlier release up to the present schema, in one transaction.

Each step is frozen: it names its tables and columns itself, never by `schema`, which moves on.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    String,
    Text,
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


def _leave_3(operations: Operations) -> None:
    """What people made of the answers, the ladder, the options, the brake, and tickets' ways."""
    for name in ("filed_at", "assigned_at"):
        moment: Column[float] = Column(name, Float)
        operations.add_column("cases", moment)
    for name in ("reassigned", "reopened"):
        times: Column[int] = Column(name, Integer, nullable=False, server_default="0")
        operations.add_column("cases", times)
    for table, columns in _tables_of_4().items():
        operations.create_table(table, *columns)
    operations.create_index("feedback_judged", "feedback", ["tenant", "aspect", "judged_at"])
    operations.create_index("feedback_waiting", "feedback", ["judged_at", "decided_at"])


def _text(name: str, *, primary_key: bool = False, default: str | None = None) -> Column[str]:
    """Give a column for words from outside, whose length only SQLite's schema names."""
    kind = String().with_variant(String(255), "sqlite")
    return Column(name, kind, nullable=False, primary_key=primary_key, server_default=default)


def _tables_of_4() -> Mapping[str, Sequence[Column[Any]]]:
    def key(name: str, length: int) -> Column[str]:
        return Column(name, String(length), primary_key=True)

    words = Text().with_variant(String(), POSTGRESQL)

    return {
        "feedback": (
            key("tenant", 63),
            _text("ticket", primary_key=True),
            key("aspect", 16),
            _text("label"),
            _text("value"),
            Column("action", String(16), nullable=False),
            Column("precision", Float, nullable=False),
            _text("bundle"),
            Column("decided_at", Float, nullable=False),
            Column("state", String(16), nullable=False),
            _text("truth", default=""),
            Column("seen_at", Float, nullable=False),
            Column("judged_at", Float),
            Column("corrected_at", Float),
        ),
        "levels": (
            key("tenant", 63),
            key("aspect", 16),
            _text("label", primary_key=True),
            Column("mode", String(16), nullable=False),
            Column("since", Float, nullable=False),
            Column("reason", words, nullable=False, server_default=""),
        ),
        "options": (
            key("tenant", 63),
            key("aspect", 16),
            _text("label", primary_key=True),
            _text("value"),
            Column("seen_at", Float, nullable=False),
            Column("gone_at", Float),
        ),
        "writes": (
            key("tenant", 63),
            Column("minute", Integer, primary_key=True, autoincrement=False),
            Column("tickets", Integer, nullable=False),
        ),
        "brakes": (
            key("tenant", 63),
            Column("pulled_at", Float, nullable=False),
            Column("detail", words, nullable=False),
        ),
    }


_STEPS: Mapping[int, Callable[[Operations], None]] = MappingProxyType(
    {1: _leave_1, 2: _leave_2, 3: _leave_3}
)
"""By the version that a step leaves behind."""
