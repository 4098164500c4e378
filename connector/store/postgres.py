"""A PostgreSQL database that any number of daemons share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, func, inspect, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, Pool, QueuePool

from connector.errors import StateInUse, StateUnusable
from connector.model import TenantId
from connector.ports import Clock
from connector.store import migrations, schema
from connector.store.database import Place
from connector.store.dialect import server_now
from connector.store.listener import Listener
from connector.store.node import Node, ServerClock
from connector.store.ownership import own

OLDEST = 14
"""The first major version that ends an idle session by itself (`idle_session_timeout`)."""

CONNECTIONS = 32
"""More than there are threads that ask: four workers, the visits, and the web server's."""

_OPTIONS = {
    "application_name": "triaged",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # An answer to our client is a promise, whatever the server's settings say otherwise. A process
    # that is stopped inside a transaction must not keep its locks from the others.
    "options": "-c synchronous_commit=on -c idle_in_transaction_session_timeout=10s"
    " -c lock_timeout=30s",
}


class PostgresDatabase:
    """A daemon's hold on a shared database; see `database.Database`.

    The state directory stays this process's own: it holds the name that its rows are claimed under.
    """

    def __init__(self, place: Place, clock: Clock) -> None:
        self._name = name_of(place)
        self._closed = False
        self._lock_file = own(place.directory)
        self._engine = engine_of(place, QueuePool, pool_size=8, max_overflow=CONNECTIONS - 8)
        self._readers = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._sessions = engine_of(place).execution_options(isolation_level="AUTOCOMMIT")
        self._clock = ServerClock(clock)
        self._node: Node | None = None
        self._listener: Listener | None = None
        try:
            self._prepare()
            with told(self._name):
                self._node = Node(self._sessions, place.directory, self._clock)
        except BaseException:
            self.close()
            raise

    @property
    def clock(self) -> Clock:
        """Give the server's time of day."""
        return self._clock

    @property
    def owner(self) -> str:
        """Give the name under which rows are claimed; another one after each lapse."""
        return self._alive.name

    @property
    def left(self) -> Sequence[str]:
        """Give the names of the directory's processes before this one that have surely ended."""
        return self._alive.left

    def took_over(self) -> None:
        """Note that their rows were made due."""
        self._alive.took_over()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside one transaction, as `Database.write` says."""
        if self._closed:
            raise StateUnusable(f"{self._name}: was given up by this process")
        with told(self._name), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a read-only connection that sees one consistent state."""
        with told(self._name), self._readers.begin() as connection:
            yield connection

    def holds(self, owner: str) -> bool:
        """Tell whether rows claimed under that name are surely nobody else's yet."""
        return self._alive.holds(owner)

    def leads(self, tenant: TenantId) -> bool:
        """Tell whether it is this process that polls a tenant."""
        with told(self._name):
            return self._alive.leads(tenant)

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called at each NOTIFY, from now until `close`."""
        self._listener = Listener(self._sessions, wake)

    @property
    def is_damaged(self) -> bool:
        """Tell that this is nothing that we could see or mend."""
        return False

    def back_up(self) -> None:
        """Do nothing: the server's administrator does."""

    def scrub(self) -> None:
        """Do nothing: what the server keeps of deleted rows, its next vacuum takes."""

    def close(self) -> None:
        """Hand back what this process has claimed, and every connection."""
        self._closed = True
        if self._listener is not None:
            self._listener.close()
        if self._node is not None:
            self._node.close()
        self._engine.dispose()
        self._lock_file.close()

    @property
    def _alive(self) -> Node:
        if self._node is None:
            raise StateUnusable(f"{self._name}: is not open")
        return self._node

    def _prepare(self) -> None:
        with told(self._name), self._engine.begin() as connection:
            _is_recent(connection, self._name)
            version = migrations.bring_up(connection)
        if version != schema.VERSION:
            raise StateUnusable(
                f"{self._name} has schema version {version}, this triaged knows {schema.VERSION}"
            )


def reached(place: Place) -> str:
    """Name the database with its server's version; raises `StateUnusable`."""
    name = name_of(place)
    with told(name), engine_of(place).connect() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar()
        _is_recent(connection, name)
    return f"{name}, version {version}"


@contextmanager
def look(place: Place) -> Iterator[Connection]:
    """Look into a database that daemons may be using; raises `StateUnusable`."""
    engine = engine_of(place).execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    name = name_of(place)
    with told(name), engine.begin() as connection:
        if not inspect(connection).has_table(schema.schema_version.name):
            raise StateUnusable(f"{name}: has no tables; no daemon has run there yet")
        yield connection


@contextmanager
def alone(place: Place) -> Iterator[Connection]:
    """Give one durable transaction during which no daemon uses the database, nor can be started.

    Raises `StateInUse` when one does.
    """
    name = name_of(place)
    with told(name), engine_of(place).begin() as connection:
        migrations.lock_out(connection)
        if inspect(connection).has_table(schema.nodes.name):
            alive = select(func.count()).where(schema.nodes.c.alive_until > server_now())
            if number := connection.execute(alive).scalar():
                raise StateInUse(f"{name} is in use by {number} daemons")
        yield connection


@contextmanager
def told(name: str) -> Iterator[None]:
    """Turn what the driver raises into `StateUnusable`, without the values of the statement."""
    try:
        yield
    except DBAPIError as error:
        first, *_ = str(error.orig).splitlines() or [type(error.orig).__name__]
        raise StateUnusable(f"{name}: {first}") from error
    except PoolTimeout as error:
        raise StateUnusable(f"{name}: no connection became free in time") from error


def _is_recent(connection: Connection, name: str) -> None:
    found = int((connection.dialect.server_version_info or (0,))[0])
    if found < OLDEST:
        raise StateUnusable(f"{name}: is PostgreSQL {found}; {OLDEST} or later is needed")


def engine_of(place: Place, pool: type[Pool] = NullPool, **options: int) -> Engine:
    """Make the engine of a shared database; what is committed by it is on the server's disk."""
    url = make_url(place.url)
    if place.password is not None:
        url = url.set(password=place.password.reveal())
    # A session that the server ended is noticed before it is used, and not by the ticket in it.
    pre_ping = pool is QueuePool
    return create_engine(
        url, poolclass=pool, pool_pre_ping=pre_ping, connect_args=_OPTIONS, **options
    )


def name_of(place: Place) -> str:
    """Name a database to people, without what is secret of it."""
    url = make_url(place.url)
    return f"PostgreSQL database {url.database} at {url.host or 'the local socket'}"
