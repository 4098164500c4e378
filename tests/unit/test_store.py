import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from connector.clock import SystemClock
from connector.errors import StateInUse, StateUnusable
from connector.model import (
    Action,
    Aspect,
    Cursor,
    FieldUpdate,
    Prediction,
    TenantId,
    TicketId,
    TicketRef,
    Verdict,
)
from connector.settings import Retention
from connector.store import Conclusion, Entry, Job, Outcome, Place, Received, Store, look

ACME, BETA = TenantId("acme"), TenantId("beta")
BOTH = (ACME, BETA)


def ref(ticket: str, version: str = "1") -> TicketRef:
    return TicketRef(id=TicketId(ticket), version=version)


def take(store: Store, *tickets: str, tenant: TenantId = ACME, cursor: str = "c") -> int:
    return store.inbox.receive_page(tenant, [ref(ticket) for ticket in tickets], Cursor(cursor))


def claimed(store: Store, limit: int = 32) -> list[Job]:
    return list(store.inbox.claim(limit, tenants=BOTH))


def states(store: Store, tenant: TenantId = ACME) -> dict[str, int]:
    return {one.tenant: dict(one.states) for one in store.overview()}[tenant]


def test_a_page_and_its_cursor_are_there_together(store: Store) -> None:
    assert store.inbox.cursor(ACME) is None
    assert take(store, "1", "2", cursor="after two") == 2
    assert store.inbox.cursor(ACME) == "after two"
    assert [job.ticket for job in claimed(store)] == ["1", "2"]


def test_a_page_that_fails_half_way_leaves_neither_rows_nor_cursor(store: Store) -> None:
    take(store, "1", cursor="good")
    broken = [ref("2"), TicketRef(id=TicketId("3"), version=object())]  # type: ignore[arg-type]
    with pytest.raises(Exception, match="'object'"):
        store.inbox.receive_page(ACME, broken, Cursor("bad"))
    assert store.inbox.cursor(ACME) == "good"
    assert [job.ticket for job in claimed(store)] == ["1"]


def test_a_further_event_only_marks_an_open_row(store: Store) -> None:
    take(store, "1")
    store.inbox.receive(ACME, [TicketId("1"), TicketId("1")], delivery="d1")
    [job] = claimed(store)
    assert job.marks == 2
    assert states(store) == {"leased": 1}


def test_an_event_during_the_work_makes_the_row_ready_again(store: Store) -> None:
    take(store, "1")
    [job] = claimed(store)
    store.inbox.receive(ACME, [TicketId("1")], delivery="d1")
    store.inbox.done(job)
    [again] = claimed(store)
    assert (again.id, again.marks) == (job.id, 2)
    store.inbox.done(again)
    assert states(store) == {"done": 1}


def test_an_overlap_in_the_same_version_is_not_taken_in_twice(store: Store) -> None:
    take(store, "1")
    [job] = claimed(store)
    store.inbox.done(job)
    assert take(store, "1") == 0
    assert store.inbox.receive_page(ACME, [ref("1", "2")], Cursor("c")) == 1


def test_a_delivery_is_taken_in_once(store: Store) -> None:
    assert store.inbox.receive(ACME, [TicketId("1")], delivery="d1") is Received.NEW
    [job] = claimed(store)
    store.inbox.done(job)
    assert store.inbox.receive(ACME, [TicketId("1")], delivery="d1") is Received.REPLAY
    assert store.inbox.receive(BETA, [TicketId("1")], delivery="d1") is Received.NEW
    assert states(store) == {"done": 1}


def test_delivery_ids_are_forgotten_after_the_window_and_not_before(store: Store, clock) -> None:
    store.inbox.receive(ACME, [TicketId("1")], delivery="d1")
    clock.pass_time(71 * 3600)
    store.expire(Retention())
    assert store.inbox.receive(ACME, [TicketId("1")], delivery="d1") is Received.REPLAY
    clock.pass_time(2 * 3600)
    store.expire(Retention())
    assert store.inbox.receive(ACME, [TicketId("1")], delivery="d1") is Received.NEW


def test_an_unreadable_delivery_is_held_once(store: Store) -> None:
    assert store.inbox.hold(ACME, "no id in it", delivery="d1") is Received.NEW
    assert store.inbox.hold(ACME, "no id in it", delivery="d1") is Received.REPLAY
    assert states(store) == {"held": 1}
    assert claimed(store) == []


def test_a_claim_takes_the_first_tenants_rows_the_longest_waiting_first(
    store: Store, clock
) -> None:
    take(store, "a1", tenant=ACME)
    clock.pass_time(1)
    take(store, "b1", tenant=BETA)
    take(store, "a2", tenant=ACME)
    assert [job.ticket for job in store.inbox.claim(9, tenants=[BETA, ACME])] == ["b1"]
    [first] = store.inbox.claim(1, tenants=[ACME])
    store.inbox.done(first)
    [second] = store.inbox.claim(9, tenants=[ACME])
    assert (first.ticket, second.ticket) == ("a1", "a2")


def test_what_a_worker_left_behind_is_claimed_again(store: Store) -> None:
    take(store, "1")
    [left] = claimed(store)
    [again] = claimed(store)
    assert again == replace(left, fence=left.fence + 1)


def test_only_the_asked_tenants_are_claimed(store: Store) -> None:
    take(store, "1", tenant=ACME)
    assert store.inbox.claim(32, tenants=[BETA]) == ()


def test_a_row_given_back_is_due_later_and_counts_attempts(store: Store, clock) -> None:
    take(store, "1")
    [job] = claimed(store)
    store.inbox.again(job, delay=10, detail="desk is down")
    assert claimed(store) == []
    clock.pass_time(10)
    [again] = claimed(store)
    assert again.attempts == 1
    store.inbox.again(again, delay=0, detail="stopping", counts=False)
    assert claimed(store)[0].attempts == 1


def test_a_clock_that_was_set_back_holds_no_row_for_ever(store: Store, clock) -> None:
    take(store, "1")
    clock.pass_time(-2 * 3600)
    assert [job.ticket for job in claimed(store)] == ["1"]


def test_a_reference_without_a_version_is_always_new(store: Store) -> None:
    store.inbox.receive(ACME, [TicketId("1")], delivery="d1")
    [job] = claimed(store)
    store.inbox.done(job)
    assert store.inbox.receive_page(ACME, [ref("1", "")], Cursor("c")) == 1


def test_a_thread_that_outlives_the_store_writes_no_more(tmp_path: Path, clock) -> None:
    with Store(Place(tmp_path), clock) as closed:
        pass
    with (
        Store(Place(tmp_path), clock),
        pytest.raises(StateUnusable, match="given up by this process"),
    ):
        take(closed, "1")


def test_a_row_set_aside_stays_visible_and_a_new_event_opens_another(store: Store) -> None:
    take(store, "1")
    [job] = claimed(store)
    store.inbox.dead(job, "the desk refused priority")
    [one] = store.overview()
    assert [trouble.detail for trouble in one.trouble] == ["the desk refused priority"]
    store.inbox.receive(ACME, [TicketId("1")], delivery="d1")
    assert states(store) == {"dead": 1, "ready": 1}


def test_what_was_leased_when_the_process_died_is_ready_again(tmp_path: Path, clock) -> None:
    with Store(Place(tmp_path), clock) as store:
        take(store, "1", "2")
        claimed(store, limit=1)
    with Store(Place(tmp_path), clock) as store:
        assert sorted(job.ticket for job in claimed(store)) == ["1", "2"]


def an_entry(outcome: Outcome = Outcome.PLANNED, content_hash: str = "h1") -> Entry:
    prediction = Prediction(
        aspect=Aspect.CATEGORY, label="network", confidence=0.9, ranking=(("network", 0.9),)
    )
    update = FieldUpdate(aspect=Aspect.CATEGORY, field="c1", value="network")
    verdict = Verdict(
        prediction=prediction, action=Action.WRITE, slot="c1", reason="why", update=update
    )
    return Entry(
        ticket=TicketId("7"),
        content_hash=content_hash,
        outcome=outcome,
        bundle="b@1",
        language="en",
        verdicts=(verdict,),
        vector=b"\x00\x3c",
    )


def concluded(*written: str) -> Conclusion:
    return Conclusion(
        tenant=ACME, entry=an_entry(), outcome=Outcome.WRITTEN, written=frozenset(written)
    )


def test_an_entry_comes_back_as_it_was_with_its_time(store: Store, a_ticket, clock) -> None:
    ticket = a_ticket()
    entry = an_entry(content_hash=ticket.content_hash)
    store.ledger.plan(ACME, [entry])
    assert store.ledger.find(ACME, ticket) == replace(entry, planned_at=clock.now().timestamp())
    assert store.ledger.find(BETA, ticket) is None
    assert store.ledger.find(ACME, a_ticket(subject="other words")) is None


def test_a_plan_is_never_changed(store: Store, a_ticket, clock) -> None:
    ticket = a_ticket()
    first = an_entry(content_hash=ticket.content_hash)
    second = Entry(**{name: getattr(first, name) for name in Entry.__slots__} | {"bundle": "b@2"})
    store.ledger.plan(ACME, [first])
    store.ledger.plan(ACME, [second])
    assert store.ledger.find(ACME, ticket) == replace(first, planned_at=clock.now().timestamp())


def test_only_what_was_written_counts_as_ours(store: Store) -> None:
    store.ledger.plan(ACME, [an_entry()])
    assert store.ledger.written(ACME, TicketId("7")) == {}
    store.ledger.settle(concluded())
    assert store.ledger.written(ACME, TicketId("7")) == {}
    store.ledger.settle(concluded("c1"))
    assert store.ledger.written(ACME, TicketId("7")) == {"c1": "network"}


def test_a_second_process_is_kept_out_of_the_state_directory(tmp_path: Path, clock) -> None:
    code = (
        "import sys; from pathlib import Path; from connector.clock import SystemClock;"
        "from connector.store import Place, Store\n"
        "with Store(Place(Path(sys.argv[1])), SystemClock()): print('mine', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(StateInUse, match=f"in use by process {other.pid}"):
            Store(Place(tmp_path), clock)
        other.kill()
    with Store(Place(tmp_path), clock) as store:
        assert store.overview() == ()


def test_commits_are_flushed_to_the_disk(tmp_path: Path) -> None:
    with Store(Place(tmp_path), SystemClock()) as store, store._database.write() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}


def test_the_database_is_for_its_owners_eyes(tmp_path: Path, clock) -> None:
    with Store(Place(tmp_path), clock):
        assert (tmp_path / "triaged.db").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_is_named(tmp_path: Path, clock) -> None:
    (tmp_path / "triaged.db").write_bytes(b"this is not SQLite at all" * 100)
    with pytest.raises(StateUnusable, match=r"triaged\.db"):
        Store(Place(tmp_path), clock)


def test_a_database_of_a_later_version_is_refused(tmp_path: Path, clock) -> None:
    with Store(Place(tmp_path), clock):
        pass
    with sqlite3.connect(tmp_path / "triaged.db") as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(StateUnusable, match="schema version 99"):
        Store(Place(tmp_path), clock)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, clock) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateUnusable, match="file/state"):
        Store(Place(tmp_path / "file" / "state"), clock)


def test_looking_needs_no_ownership(store: Store, place: Place) -> None:
    take(store, "1")
    [one] = look(place)
    assert (one.tenant, dict(one.states)) == ("acme", {"ready": 1})


def test_looking_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="no daemon has run there yet"):
        look(Place(tmp_path))


def test_what_a_database_would_refuse_in_a_text_costs_no_ticket(store: Store) -> None:
    store.inbox.hold(ACME, "names \x00no ticket \ud800 à la carte", delivery="d\x00\ud800")
    [row] = store.overview()[0].trouble
    assert row.detail == "names no ticket ? à la carte"
