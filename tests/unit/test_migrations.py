import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url

from connector.errors import StateUnusable
from connector.model import TenantId
from connector.settings import SQLITE
from connector.store import Place, Store
from connector.store.schema import VERSION, metadata
from connector.store.sqlite import FILE

SCHEMAS = Path(__file__).parents[1] / "fixtures" / "store"
FIRST = SCHEMAS / "version-1.sql"
ACME = TenantId("acme")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.executescript(FIRST.read_text("utf-8"))
    connection.close()
    return tmp_path


def indexes(directory: Path) -> dict[str, str]:
    with sqlite3.connect(directory / FILE) as connection:
        found = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
    connection.close()
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in found}


def test_the_first_release_gets_the_present_schema(old, tmp_path_factory, clock) -> None:
    with Store(Place(old), clock):
        pass
    fresh = tmp_path_factory.mktemp("fresh")
    with Store(Place(fresh), clock):
        pass
    engine = create_engine(f"sqlite:///{old / FILE}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert indexes(old) == indexes(fresh)


def test_work_of_the_first_release_goes_on(old, clock) -> None:
    with Store(Place(old), clock) as store:
        assert store.inbox.cursor(ACME) == "after seven"
        ready, left = store.inbox.claim(32, tenants=[ACME])
        assert (ready.ticket, ready.marks, ready.attempts) == ("1", 1, 0)
        assert (left.ticket, left.marks, left.attempts) == ("2", 3, 1)
        store.inbox.done(ready)
        balances = {one.tenant: (one.received, one.missing) for one in store.audit()}
        assert balances == {"acme": (8, 0), "beta": (1, 0)}


def test_a_migration_that_fails_changes_nothing(old, clock) -> None:
    with sqlite3.connect(old / FILE) as connection:
        connection.execute("CREATE TABLE books (something_else)")
    connection.close()
    before = indexes(old)
    with pytest.raises(StateUnusable, match="books"):
        Store(Place(old), clock)
    assert indexes(old) == before


def test_a_newer_version_is_refused_and_left_as_it_is(old, clock) -> None:
    with sqlite3.connect(old / FILE) as connection:
        connection.execute("UPDATE schema_version SET version = ?", (VERSION + 1,))
    connection.close()
    before = indexes(old)
    with pytest.raises(StateUnusable, match=f"has schema version {VERSION + 1}"):
        Store(Place(old), clock)
    assert indexes(old) == before


@pytest.fixture
def third(place) -> Iterator[tuple[Place, Engine]]:
    """Give a database of version 3, on each of the kinds."""
    if place.url == SQLITE:
        place.directory.mkdir(mode=0o700)
        engine = create_engine(f"sqlite:///{place.directory / FILE}")
    else:
        engine = create_engine(make_url(place.url).set(password=place.password.reveal()))
    told = (SCHEMAS / f"version-3-{engine.dialect.name}.sql").read_text("utf-8")
    with engine.begin() as connection:
        for statement in told.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    yield place, engine
    engine.dispose()


def test_version_3_gets_the_present_schema(third, clock) -> None:
    place, engine = third
    with Store(place, clock):
        pass
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_work_of_version_3_goes_on(third, clock) -> None:
    place, _ = third
    with Store(place, clock) as store:
        assert store.inbox.cursor(ACME) == "after two"
        [ready] = store.inbox.claim(32, tenants=[ACME])
        assert ready.ticket == "2"
        [case] = store.cases.resolved(ACME)
        assert (case.ticket, case.assignee) == ("1", "a1")
        balances = {one.tenant: (one.received, one.missing) for one in store.audit()}
        assert balances == {"acme": (2, 0)}
