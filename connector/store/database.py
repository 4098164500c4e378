"""What the store asks of a database, and which one a daemon's settings name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from connector.errors import StateUnusable
from connector.model import Secret, TenantId
from connector.ports import Clock
from connector.settings import SQLITE, DaemonSettings
from connector.store import sqlite


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon keeps its state: a directory of its own, and the address of a shared database
    where it has one.
    """

    directory: Path
    url: str = SQLITE
    password: Secret | None = None


class Database(Protocol):
    """One daemon's hold on a database, from opening it until `close`."""

    @property
    def clock(self) -> Clock:
        """Give the clock that all who share the database go by."""

    @property
    def owner(self) -> str:
        """Give the name under which this process claims rows."""

    @property
    def left(self) -> Sequence[str]:
        """Give the names of the processes before this one that have surely ended."""

    def took_over(self) -> None:
        """Note that the rows of those were made due."""

    def write(self) -> AbstractContextManager[Connection]:
        """Give a connection inside one transaction; durable once the block ends.

        Raises `StateUnusable` when that cannot be; nothing was changed then.
        """

    def read(self) -> AbstractContextManager[Connection]:
        """Give a read-only connection that sees one consistent state."""

    def holds(self, owner: str) -> bool:
        """Tell whether rows claimed under that name are surely nobody else's yet."""

    def leads(self, tenant: TenantId) -> bool:
        """Tell whether it is this process that polls a tenant, becoming it when nobody is."""

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when another process may have brought work."""

    @property
    def is_damaged(self) -> bool:
        """Tell whether the database must be mended, which happens when it is opened anew."""

    def back_up(self) -> None:
        """Keep a good copy of everything, where the database is a file of ours.

        Raises `StateDamaged` and `StateUnusable`; the earlier copy stays then.
        """

    def scrub(self) -> None:
        """Leave nothing of what was deleted in files of ours; raises as `back_up` does."""

    def close(self) -> None:
        """Give everything up: nothing can be written from here afterwards."""


def place_of(settings: DaemonSettings, secret: Callable[[str], Secret]) -> Place:
    """Tell where a daemon's settings put its state; raises `SecretMissing`."""
    name = settings.store_password
    password = secret(name) if name is not None else None
    return Place(settings.state, settings.store, password)


def opened(place: Place, clock: Clock) -> Database:
    """Open the database for a daemon; raises `StateInUse` and `StateUnusable`."""
    if place.url == SQLITE:
        return sqlite.SqliteDatabase(place.directory, clock)
    database: Database = _postgres().PostgresDatabase(place, clock)
    return database


@contextmanager
def reading(place: Place) -> Iterator[Connection]:
    """Look into a database that daemons may be using; raises `StateUnusable`."""
    look = sqlite.look(place.directory) if place.url == SQLITE else _postgres().look(place)
    with look as connection:
        yield connection


def is_begun(place: Place) -> bool:
    """Tell whether there is a database to look into; a shared one is taken to be there."""
    return place.url != SQLITE or sqlite.is_begun(place.directory)


def alone(place: Place) -> AbstractContextManager[Connection]:
    """Give one durable transaction while no daemon uses the database.

    Of a state directory the caller is the owner already. Raises `StateInUse` and `StateUnusable`.
    """
    if place.url == SQLITE:
        return sqlite.alone(place.directory)
    connection: AbstractContextManager[Connection] = _postgres().alone(place)
    return connection


def reached(place: Place) -> str:
    """Name the database that answers there; raises `StateUnusable` when none does."""
    if place.url == SQLITE:
        return f"sqlite in {place.directory}"
    found: str = _postgres().reached(place)
    return found


def _postgres() -> Any:
    """Import the PostgreSQL side when it is asked for: its driver is an extra."""
    try:
        return import_module("connector.store.postgres")
    except ImportError as error:
        remedy = "install it with `pip install 'triaged[postgres]'`"
        raise StateUnusable(f"store: the PostgreSQL driver is missing: {remedy}") from error
