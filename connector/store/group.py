"""Lets many items share one durable commit, each with a result or an error of its own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import StateUnusable, TriagedError
from connector.store.database import Database

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
Work = Callable[[Connection, Sequence[ItemT]], Sequence[ResultT]]

_FAILURES = (TriagedError, SQLAlchemyError, ValueError, OverflowError)
"""What a work's statements and its commit raise; anything else is a defect, and nothing is kept."""


def commit(
    database: Database, items: Sequence[ItemT], work: Work[ItemT, ResultT]
) -> Sequence[ResultT | StateUnusable]:
    """Work on all items in one transaction; give each one's result once all are on disk, in order.

    When any fails, nothing of the group is kept and each is worked on again alone, so a failure is
    the result of its own item and of no other. The work may therefore run twice, the first time
    without effect.
    """
    if not items:
        return ()
    try:
        with database.write() as connection:
            return work(connection, items)
    except _FAILURES:
        return tuple(_alone(database, item, work) for item in items)


def _alone(database: Database, item: ItemT, work: Work[ItemT, ResultT]) -> ResultT | StateUnusable:
    try:
        with database.write() as connection:
            [result] = work(connection, [item])
            return result
    except StateUnusable as error:
        return error
    except _FAILURES as error:
        return StateUnusable(f"a change was refused ({type(error).__name__})")
