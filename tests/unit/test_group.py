from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, func, insert, select

from connector.errors import StateUnusable
from connector.store.database import Database
from connector.store.group import commit
from connector.store.schema import histories
from connector.store.sqlite import SqliteDatabase


class Counted(SqliteDatabase):
    """A database that counts its transactions."""

    count = 0

    def write(self) -> AbstractContextManager[Connection]:
        self.count += 1
        return super().write()


@pytest.fixture
def database(tmp_path, clock) -> Iterator[Counted]:
    opened = Counted(tmp_path, clock)
    opened.count = 0
    yield opened
    opened.close()


def keep(connection: Connection, names: Sequence[str]) -> Sequence[str]:
    for name in names:
        connection.execute(insert(histories).values(tenant=name, learnt_at=0))
    return tuple(names)


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(histories)).scalar_one()


def test_many_items_are_one_transaction(database) -> None:
    names = tuple(f"t{n}" for n in range(20))
    assert commit(database, names, keep) == names
    assert (rows(database), database.count) == (20, 1)


def test_no_item_is_no_transaction(database) -> None:
    assert (commit(database, [], keep), database.count) == ((), 0)


def test_a_failure_is_the_result_of_its_own_item_alone(database) -> None:
    commit(database, ["taken"], keep)
    ends = commit(database, ["a", "taken", "b"], keep)
    assert (ends[0], ends[2], rows(database)) == ("a", "b", 3)
    assert isinstance(ends[1], StateUnusable)


def test_a_value_that_no_column_takes_fails_alone(database) -> None:
    ends = commit(database, ["a", "\ud800", "b"], keep)
    assert (ends[0], ends[2], rows(database)) == ("a", "b", 2)
    assert isinstance(ends[1], StateUnusable)


def test_a_defect_is_raised_and_nothing_is_kept(database) -> None:
    def defect(connection: Connection, names: Sequence[str]) -> Sequence[str]:
        keep(connection, names)
        raise KeyError

    with pytest.raises(KeyError):
        commit(database, ["a"], defect)
    assert rows(database) == 0


def test_a_closed_store_is_told_to_every_caller(database) -> None:
    database.close()
    ends = commit(database, ["a", "b"], keep)
    assert all(isinstance(end, StateUnusable) for end in ends)
