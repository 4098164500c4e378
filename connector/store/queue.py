"""The inbox as a person works it off: rows by filter, tried again or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from connector.store import books, dialect
from connector.store.database import Database, Place, reading
from connector.store.schema import OPEN_STATES, State, inbox

SET_ASIDE = (State.DEAD, State.HELD)
"""What waits for a person, and nobody else touches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A piece of work; times are Unix seconds. A webhook that could not be read has no ticket."""

    id: int
    tenant: str
    ticket: str
    state: str
    source: str
    marks: int
    attempts: int
    received_at: float
    due_at: float
    finished_at: float | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows are meant; what is empty does not narrow, `received_before` is in Unix seconds."""

    row: int | None = None
    tenant: str = ""
    ticket: str = ""
    states: tuple[str, ...] = ()
    received_before: float | None = None
    limit: int = 1000


def look_at_rows(place: Place, which: Filter) -> Sequence[Row]:
    """Give the rows that a filter means, the oldest first, from a store that daemons may be using.

    Raises `StateUnusable`.
    """
    with reading(place) as connection:
        return _found(connection, which)


class Queue:
    """What a person does with work that was set aside. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def retry(self, which: Filter) -> Sequence[Row]:
        """Make set-aside rows ready again, with all their attempts; give those as they were.

        A row without a ticket cannot be tried. Of a ticket's rows the newest counts, and none when
        the ticket is open anyway: its present state will be looked at.
        """
        now = self._database.clock.now().timestamp()
        newest = select(func.max(inbox.c.id)).where(inbox.c.state.in_(SET_ASIDE))
        newest = newest.group_by(inbox.c.tenant, inbox.c.ticket)
        opened = inbox.alias()
        is_open = select(opened.c.id).where(
            opened.c.tenant == inbox.c.tenant,
            opened.c.ticket == inbox.c.ticket,
            opened.c.state.in_(OPEN_STATES),
        )
        can_be_tried = (
            inbox.c.state.in_(SET_ASIDE),
            inbox.c.ticket != "",
            inbox.c.id.in_(newest),
            ~is_open.exists(),
        )
        with self._database.write() as connection:
            found = _found(connection, which, *can_be_tried)
            anew = {"attempts": 0, "crashes": 0, "finished_at": None}
            ready = {"state": State.READY, "due_at": now, **anew}
            for row in found:
                connection.execute(update(inbox).where(inbox.c.id == row.id).values(**ready))
            dialect.ring(connection)
        return found

    def drop(self, which: Filter) -> Sequence[Row]:
        """Delete set-aside rows for good; give those that were deleted."""
        with self._database.write() as connection:
            found = _found(connection, which, inbox.c.state.in_(SET_ASIDE))
            for row in found:
                connection.execute(delete(inbox).where(inbox.c.id == row.id))
                books.drop(connection, row.tenant, row.marks)
        return found


def _found(connection: Connection, which: Filter, *more: ColumnElement[bool]) -> Sequence[Row]:
    before = which.received_before
    conditions = [
        None if which.row is None else inbox.c.id == which.row,
        inbox.c.tenant == which.tenant if which.tenant else None,
        inbox.c.ticket == which.ticket if which.ticket else None,
        inbox.c.state.in_(which.states) if which.states else None,
        None if before is None else inbox.c.received_at < before,
    ]
    query = (
        select(*(inbox.c[name] for name in Row.__slots__))
        .where(*more, *(each for each in conditions if each is not None))
        .order_by(inbox.c.id)
        .limit(which.limit)
    )
    return tuple(Row(**row) for row in connection.execute(query).mappings())
