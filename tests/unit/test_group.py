import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from connector.errors import StateUnusable
from connector.store.engine import Database
from connector.store.group import GroupCommit
from connector.store.schema import histories


class Counted(Database):
    """A database that counts its commits and can be held still."""

    def __init__(self, directory) -> None:
        self.commits = 0
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(directory)

    def write(self) -> AbstractContextManager[Connection]:
        self.gate.wait(10)
        self.commits += 1
        return super().write()


@pytest.fixture
def database(tmp_path) -> Iterator[Counted]:
    opened = Counted(tmp_path)
    opened.commits = 0
    yield opened
    opened.close()


@pytest.fixture
def group(database) -> GroupCommit:
    return GroupCommit(database)


def a_row(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(insert(histories).values(tenant=name, learnt_at=0))
        return name

    return work


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(histories)).scalar_one()


def at_once(group: GroupCommit, database: Counted, works: list) -> list[object]:
    """Run works that all wait before the first may commit; give results and errors in order."""
    database.gate.clear()
    ends: list[object] = [None] * len(works)

    def call(place: int) -> None:
        try:
            ends[place] = group.run(works[place])
        except (IntegrityError, StateUnusable, KeyError) as error:
            ends[place] = error

    threads = [threading.Thread(target=call, args=(place,)) for place in range(len(works))]
    pause = threading.Event()
    for started, thread in enumerate(threads):
        thread.start()
        while not group._is_led or len(group._waiting) < started:  # the first one leads
            pause.wait(0.001)
    database.gate.set()
    for thread in threads:
        thread.join(10)
    return ends


def test_who_waits_for_the_disk_shares_the_next_commit(group, database) -> None:
    names = [f"t{n}" for n in range(20)]
    assert at_once(group, database, [a_row(name) for name in names]) == names
    assert rows(database) == 20
    assert database.commits == 2


def test_a_failure_reaches_its_caller_and_nobody_else(group, database) -> None:
    group.run(a_row("taken"))
    ends = at_once(group, database, [a_row("a"), a_row("b"), a_row("taken"), a_row("c")])
    assert [end for end in ends if isinstance(end, str)] == ["a", "b", "c"]
    assert isinstance(ends[2], StateUnusable | IntegrityError)
    assert rows(database) == 4


def test_a_defect_in_one_work_leaves_the_others_theirs(group, database) -> None:
    def defect(_: Connection) -> None:
        raise KeyError("a defect")

    ends = at_once(group, database, [a_row("first"), defect])
    assert ends[0] == "first"
    assert isinstance(ends[1], KeyError)
    assert group.run(a_row("later")) == "later"


def test_a_closed_store_is_told_to_every_caller(group, database) -> None:
    database.close()
    ends = at_once(group, database, [a_row("a"), a_row("b"), a_row("c")])
    assert all(isinstance(end, StateUnusable) for end in ends)
