"""What SQLite and PostgreSQL say differently; everything else is one statement for both."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Float, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.functions import FunctionElement

CHANNEL = "triaged"
"""What PostgreSQL's NOTIFY is called by: there may be work."""

POSTGRESQL = "postgresql"

_INSERTS: Mapping[str, Callable[[Table], Any]] = {
    "sqlite": sqlite.insert,
    POSTGRESQL: postgresql.insert,
}


class server_now(FunctionElement[float]):  # noqa: N801 - it stands in SQL, as a function does
    """The database server's time of day, in Unix seconds; the same for all who share it."""

    type = Float()
    inherit_cache = True


@compiles(server_now, "sqlite")
def _sqlite_now(element: server_now, compiler: SQLCompiler, **_: Any) -> str:
    del element, compiler
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(server_now, POSTGRESQL)
def _postgresql_now(element: server_now, compiler: SQLCompiler, **_: Any) -> str:
    del element, compiler
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def upserts(table: Table, build: Callable[[Any], Insert]) -> Mapping[str, Insert]:
    """Build an insert with its ON CONFLICT once for each dialect; `of` picks.

    Made when a module is loaded: to build one for each webhook cost three times as much as to run
    it.
    """
    return {name: build(insert(table)) for name, insert in _INSERTS.items()}


def of(connection: Connection, statements: Mapping[str, Insert]) -> Insert:
    """Pick the statement that the connection's database understands."""
    return statements[connection.dialect.name]


def ring(connection: Connection) -> None:
    """Wake the daemons that share the database once this transaction is committed."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_notify(CHANNEL, "")))
