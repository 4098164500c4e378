"""Lets many works share one durable commit, each with a result or an error of its own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import StateUnusable, TriagedError
from connector.store.engine import Database

ResultT = TypeVar("ResultT")
Work = Callable[[Connection], ResultT]

_FAILURES = (TriagedError, SQLAlchemyError, ValueError, OverflowError)
"""What a work's statements and its commit raise; anything else is a defect, and nothing is kept."""


def commit(database: Database, works: Sequence[Work[ResultT]]) -> Sequence[ResultT | StateUnusable]:
    """Run the works in one transaction; give each one's result once all are on disk, in order.

    When any fails, nothing of the group is kept and each runs again alone, so a failure is the
    result of its own work and of no other. A work may therefore run twice, the first time without
    effect.
    """
    if not works:
        return ()
    try:
        with database.write() as connection:
            return tuple(work(connection) for work in works)
    except _FAILURES:
        return tuple(_alone(database, work) for work in works)


def _alone(database: Database, work: Work[ResultT]) -> ResultT | StateUnusable:
    try:
        with database.write() as connection:
            return work(connection)
    except StateUnusable as error:
        return error
    except _FAILURES as error:
        return StateUnusable(f"a change was refused ({type(error).__name__})")
