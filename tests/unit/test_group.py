from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, func, insert, select

from connector.errors import StateUnusable
from connector.store.engine import Database
from connector.store.group import commit
from connector.store.schema import histories


class Counted(Database):
    """A database that counts its transactions."""

    count = 0

    def write(self) -> AbstractContextManager[Connection]:
        self.count += 1
        return super().write()


@pytest.fixture
def database(tmp_path) -> Iterator[Counted]:
    opened = Counted(tmp_path)
    opened.count = 0
    yield opened
    opened.close()


def a_row(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(insert(histories).values(tenant=name, learnt_at=0))
        return name

    return work


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(histories)).scalar_one()


def test_many_works_are_one_transaction(database) -> None:
    names = tuple(f"t{n}" for n in range(20))
    assert commit(database, [a_row(name) for name in names]) == names
    assert (rows(database), database.count) == (20, 1)


def test_no_work_is_no_transaction(database) -> None:
    assert (commit(database, []), database.count) == ((), 0)


def test_a_failure_is_the_result_of_its_own_work_alone(database) -> None:
    commit(database, [a_row("taken")])
    ends = commit(database, [a_row("a"), a_row("taken"), a_row("b")])
    assert (ends[0], ends[2], rows(database)) == ("a", "b", 3)
    assert isinstance(ends[1], StateUnusable)


def test_a_value_that_no_column_takes_fails_alone(database) -> None:
    ends = commit(database, [a_row("a"), a_row("\ud800"), a_row("b")])
    assert (ends[0], ends[2], rows(database)) == ("a", "b", 2)
    assert isinstance(ends[1], StateUnusable)


def test_a_defect_is_raised_and_nothing_is_kept(database) -> None:
    def defect(_: Connection) -> str:
        raise KeyError

    with pytest.raises(KeyError):
        commit(database, [a_row("a"), defect])
    assert rows(database) == 0


def test_a_closed_store_is_told_to_every_caller(database) -> None:
    database.close()
    ends = commit(database, [a_row("a"), a_row("b")])
    assert all(isinstance(end, StateUnusable) for end in ends)
