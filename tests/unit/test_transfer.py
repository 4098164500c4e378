"""Moving the work to another database: all of it or nothing, and never under a daemon's feet."""

from collections.abc import Mapping
from pathlib import Path
from threading import Event

import pytest
from by_hand import ACME
from postgresql import PASSWORD, PostgresServer
from sqlalchemy import func, select

from connector.clock import SystemClock
from connector.errors import StateInUse, StateUnusable
from connector.model import Cursor, Secret, TenantId, TicketId, TicketRef
from connector.store import Entry, Filter, Outcome, Place, Store, transfer
from connector.store.transfer import MOVED

BETA = TenantId("beta")


@pytest.fixture
def both(tmp_path, postgres: PostgresServer) -> Mapping[str, Place]:
    """Give a place on each database, in one state directory."""
    return {
        "sqlite": Place(tmp_path),
        "postgresql": Place(tmp_path, postgres.fresh(), Secret(PASSWORD)),
    }


WAYS = pytest.mark.parametrize(
    ("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")]
)


def opened(place: Place) -> Store:
    return Store(place, SystemClock(Event()))


def fill(place: Place, rows: int = 30) -> None:
    """Keep something in every table: open, in hand, done, dead, held and dropped work."""
    with opened(place) as store:
        refs = [TicketRef(id=TicketId(str(number)), version="v") for number in range(rows)]
        store.inbox.receive_page(ACME, refs, Cursor("after thirty"))
        store.inbox.receive(BETA, [TicketId("9")], delivery="d1")
        store.inbox.hold(BETA, "names no\x00 ticket", delivery="d2")
        done, dead, dropped, *_ = store.inbox.claim(6, tenants=[ACME])
        store.inbox.done(done)
        store.inbox.dead(dead, "refused")
        store.inbox.dead(dropped, "refused")
        store.queue.drop(Filter(ticket=dropped.ticket))
        entry = Entry(
            ticket=done.ticket,
            content_hash="h",
            outcome=Outcome.PLANNED,
            bundle="b@1",
            language="en",
            verdicts=(),
            vector=bytes(range(256)),
        )
        store.ledger.plan(ACME, [entry])
        store.cases.note_history(ACME)


def counts(store: Store) -> dict[str, int]:
    with store._database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in MOVED
        }


def nothing(done: int, total: int) -> None:
    assert done <= total


@WAYS
def test_everything_is_moved_and_goes_on(both, source, target) -> None:
    fill(both[source])
    moved = transfer(both[source], both[target], nothing)
    with opened(both[source]) as old:
        assert counts(old) == moved
        balances = old.audit()
    with opened(both[target]) as new:
        assert counts(new) == moved
        for before, after in zip(balances, new.audit(), strict=True):
            assert (after.received, after.missing) == (before.received, 0)
        assert new.inbox.cursor(ACME) == "after thirty"
        assert new.ledger.of(ACME, TicketId("0"))[0].vector == bytes(range(256))
        assert len(new.inbox.claim(32, tenants=[ACME])) == 27
        # New rows are numbered after the old ones.
        new.inbox.receive(BETA, [TicketId("10")], delivery="d3")
        tickets = [job.ticket for job in new.inbox.claim(32, tenants=[BETA])]
        assert tickets == ["9", "10"]


def test_there_and_back_is_where_it_was(both, tmp_path) -> None:
    fill(both["sqlite"])
    there = transfer(both["sqlite"], both["postgresql"], nothing)
    (tmp_path / "triaged.db").unlink()
    assert transfer(both["postgresql"], both["sqlite"], nothing) == there


@WAYS
def test_nothing_is_moved_while_a_daemon_runs_on_the_old_store(both, source, target) -> None:
    fill(both[source])
    with opened(both[source]), pytest.raises(StateInUse):
        transfer(both[source], both[target], nothing)


def test_nothing_is_moved_while_another_machine_uses_the_database(both, tmp_path) -> None:
    fill(both["sqlite"])
    other = Place(tmp_path / "other", both["postgresql"].url, Secret(PASSWORD))
    with opened(other), pytest.raises(StateInUse, match="in use by 1 daemons"):
        transfer(both["sqlite"], both["postgresql"], nothing)


def test_a_database_that_holds_something_is_not_written_to(both) -> None:
    fill(both["sqlite"])
    fill(both["postgresql"], rows=8)
    with pytest.raises(StateUnusable, match="already; name an empty one"):
        transfer(both["sqlite"], both["postgresql"], nothing)
    with opened(both["postgresql"]) as kept:
        assert kept.audit()[0].received == 8


@WAYS
def test_a_move_that_is_cut_short_leaves_nothing(both, source, target) -> None:
    fill(both[source])

    def cut(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer(both[source], both[target], cut)
    transfer(both[source], both[target], nothing)
    with opened(both[target]) as new:
        assert new.audit()[0].received == 30


def test_a_store_that_is_not_there_is_named(both, tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="nothing to move"):
        transfer(both["sqlite"], both["postgresql"], nothing)
    with pytest.raises(StateInUse, match="already"):
        transfer(Place(tmp_path), Place(tmp_path), nothing)
