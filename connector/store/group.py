"""Lets many callers share one durable commit, each with a result or an error of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import TriagedError
from connector.store.engine import Database

MOST_TOGETHER = 256
"""Works in one transaction: a storm must not make the first caller wait for the last."""

ResultT = TypeVar("ResultT")
Work = Callable[[Connection], ResultT]


@dataclass(slots=True, eq=False)
class _Caller:
    """One work, and the thread that waits for it."""

    work: Work[Any]
    woken: Event = field(default_factory=Event)
    leads: bool = False
    committed: bool = False
    result: Any = None


class GroupCommit:
    """One transaction and one flush of the disk for all works that wait meanwhile.

    There is no thread of its own: the first caller leads and commits; who comes while the disk is
    busy waits and goes with the next commit, which one of them leads. When any work of a group
    fails, nothing of the group is kept and every caller runs its own alone, so a failure reaches
    its caller and nobody else. A work may therefore run twice, the first time without effect.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._waiting: list[_Caller] = []
        self._is_led = False

    def run(self, work: Work[ResultT]) -> ResultT:
        """Give the work's result once it is on disk; raises what the work or its commit raised."""
        caller = _Caller(work)
        with self._lock:
            self._waiting.append(caller)
            caller.leads, self._is_led = not self._is_led, True
        if not caller.leads:
            caller.woken.wait()
        if caller.leads:
            self._lead()
        if caller.committed:
            result: ResultT = caller.result
            return result
        with self._database.write() as connection:
            return work(connection)

    def _lead(self) -> None:
        with self._lock:
            group = self._waiting[:MOST_TOGETHER]
            del self._waiting[:MOST_TOGETHER]
        committed = False
        try:
            committed = self._commit(group)
        finally:
            self._end(group, committed=committed)

    def _commit(self, group: Sequence[_Caller]) -> bool:
        try:
            with self._database.write() as connection:
                for caller in group:
                    caller.result = caller.work(connection)
        except (TriagedError, SQLAlchemyError, ValueError, OverflowError):
            return False
        return True

    def _end(self, group: Sequence[_Caller], *, committed: bool) -> None:
        """Let the group go, and the first of those who came meanwhile lead the next one."""
        with self._lock:
            self._is_led = bool(self._waiting)
            following = self._waiting[0] if self._waiting else None
        if following:
            following.leads = True
            following.woken.set()
        for caller in group:
            caller.committed = committed
            caller.woken.set()
