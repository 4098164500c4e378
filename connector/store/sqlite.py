"""Opens the SQLite database: one writing connection, many read-only ones, one owning process."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool, StaticPool

from connector.errors import StateDamaged, StateUnusable
from connector.model import TenantId
from connector.ports import Clock
from connector.store import migrations, rescue, schema
from connector.store.ownership import own
from connector.store.rescue import FILE

NOBODY_ELSE = ""
"""The name under which rows are claimed where no other process can claim any."""


class SqliteDatabase:
    """A state directory's database, owned by this process until `close`.

    WAL with `synchronous=FULL`: what `write` committed is on disk when it returns. All writing
    goes through one connection, since SQLite before 3.51.3 can damage a WAL with two writers.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.clock = clock
        self.owner = NOBODY_ELSE
        self.left = (NOBODY_ELSE,)
        self._directory = directory
        self._file = directory / FILE
        self._lock_file = own(directory)
        self._writing = threading.Lock()
        self._closed = False
        self.is_damaged = False
        try:
            rescue.rescue(directory, was_clean=self._lock_file.was_clean)
        except BaseException:
            self._lock_file.close()
            raise
        self._writer = engine_of(directory, read_only=False)
        self._readers = engine_of(directory, read_only=True)
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
            raise self._told(error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a read-only connection that sees one consistent state."""
        try:
            with self._readers.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise self._told(error) from error

    def _told(self, error: DatabaseError) -> StateUnusable:
        """Say what is wrong; damage is for the next start to mend."""
        if rescue.means_damage(error.orig):
            self._note_damage()
        return StateUnusable(f"{self._file}: {error.orig}")

    def _note_damage(self) -> None:
        self.is_damaged = True
        rescue.mark(self._directory)

    def back_up(self) -> None:
        """Replace the copy in the state directory by a newer one, as `rescue.back_up` says."""
        try:
            rescue.back_up(self._directory)
        except StateDamaged:
            self._note_damage()
            raise

    def scrub(self) -> None:
        """Empty the log of changes, in which deleted rows still stand, and make the copy anew."""
        with self._writing, closing(self._writer.raw_connection()) as connection:
            # Not within a transaction: the file is brought up to date, and the log cut to nothing.
            [is_busy, *_] = (
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            )
        if is_busy:
            raise StateUnusable(f"{self._file}: somebody reads it for too long; try again")
        self.back_up()

    def took_over(self) -> None:
        """Do nothing: we go by the same name."""

    def holds(self, owner: str) -> bool:
        """Tell that rows are ours: nobody else can open the database."""
        return owner == self.owner

    def leads(self, tenant: TenantId) -> bool:
        """Tell that we poll every tenant."""
        del tenant
        return True

    def listen(self, wake: Callable[[], None]) -> None:
        """Do nothing: nobody else can bring work."""

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


def is_begun(directory: Path) -> bool:
    """Tell whether a daemon has run in a state directory."""
    return (directory / FILE).is_file()


@contextmanager
def look(directory: Path) -> Iterator[Connection]:
    """Look into a state directory that another process may own; raises `StateUnusable`."""
    if not is_begun(directory):
        raise StateUnusable(f"{directory / FILE} does not exist; no daemon has run there yet")
    engine = engine_of(directory, read_only=True)
    try:
        with engine.begin() as connection:
            yield connection
    except DatabaseError as error:
        raise StateUnusable(f"{directory / FILE}: {error.orig}") from error
    finally:
        engine.dispose()


@contextmanager
def alone(directory: Path) -> Iterator[Connection]:
    """Give one durable transaction to the process that owns the directory; no daemon is running."""
    engine = engine_of(directory, read_only=False)
    try:
        with engine.begin() as connection:
            yield connection
    except DatabaseError as error:
        raise StateUnusable(f"{directory / FILE}: {error.orig}") from error
    finally:
        engine.dispose()


def engine_of(directory: Path, *, read_only: bool) -> Engine:
    """Make the engine of a state directory's file; what is committed by it is on the disk."""
    path = directory / FILE

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
