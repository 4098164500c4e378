"""Opens the SQLite database: one writing connection, many read-only ones, one owning process."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool, StaticPool

from connector.errors import StateInUse, StateUnusable
from connector.store import migrations, schema

FILE = "triaged.db"
LOCK = "triaged.lock"


class Database:
    """A state directory's database, owned by this process until `close`.

    WAL with `synchronous=FULL`: what `write` committed is on disk when it returns. All writing
    goes through one connection, since SQLite before 3.51.3 can damage a WAL with two writers.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE
        self._lock_file = _own(directory)
        self._writing = threading.Lock()
        self._closed = False
        self._writer = _engine(directory / FILE, read_only=False)
        self._readers = _engine(directory / FILE, read_only=True)
        try:
            self._prepare(directory)
        except BaseException:
            self.close()
            raise

    def _prepare(self, directory: Path) -> None:
        try:
            with self.write() as connection:
                version = migrations.bring_up(connection)
        except OSError as error:
            raise StateUnusable(f"{self._file}: {error.strerror}") from error
        if version != schema.VERSION:
            raise StateUnusable(
                f"{directory / FILE} has schema version {version}, this triaged knows"
                f" {schema.VERSION}"
            )

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the writing connection inside one transaction; durable once the block ends.

        Raises `StateUnusable` when the disk is full or fails; nothing was changed then.
        """
        try:
            with self._writing:
                if self._closed:
                    raise StateUnusable(f"{self._file}: was given up by this process")
                with self._writer.begin() as connection:
                    yield connection
        except DatabaseError as error:
            raise StateUnusable(f"{self._file}: {error.orig}") from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a read-only connection that sees one consistent state."""
        try:
            with self._readers.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise StateUnusable(f"{self._file}: {error.orig}") from error

    def close(self) -> None:
        """Close every connection and give the state directory up.

        A thread that outlives the daemon's patience can write no more afterwards: the directory
        may be another process's by then.
        """
        with self._writing:
            self._closed = True
            self._readers.dispose()
            self._writer.dispose()
        self._lock_file.close()


class ReadOnlyDatabase:
    """A look at a state directory that another process may own."""

    def __init__(self, directory: Path) -> None:
        if not (directory / FILE).is_file():
            raise StateUnusable(f"{directory / FILE} does not exist; no daemon has run there yet")
        self._readers = _engine(directory / FILE, read_only=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a read-only connection that sees one consistent state."""
        with self._readers.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._readers.dispose()


def _own(directory: Path) -> Any:
    """Lock the directory for this process; the kernel lets go when it dies."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateUnusable(f"{directory}: {error.strerror}") from error
    file = os.fdopen(descriptor, "r+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = file.read().strip() or "unknown"
        file.close()
        raise StateInUse(f"{directory} is in use by process {owner}") from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _engine(path: Path, *, read_only: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        mode = "ro" if read_only else "rwc"
        # autocommit by the driver: the transactions are begun by `_begin`, never by guessing.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=30,
        )
        connection.execute("PRAGMA busy_timeout = 30000")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            path.chmod(0o600)
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool if read_only else StaticPool
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "begin", _begin)
    return engine
