"""What the rows of the inbox go through, and what is left when the process dies on the way."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from sqlalchemy import event

from connector.model import Cursor, TenantId, TicketId, TicketRef
from connector.settings import Retention
from connector.store import Filter, Job, Place, Store
from connector.store.suspects import FILE

UNENDED: list[AbstractContextManager[None]] = []
ACME, BETA = TenantId("acme"), TenantId("beta")


def take(store: Store, *tickets: str, tenant: TenantId = ACME) -> None:
    refs = [TicketRef(id=TicketId(ticket), version="") for ticket in tickets]
    store.inbox.receive_page(tenant, refs, Cursor("c"))


def claimed(store: Store, tenant: TenantId = ACME) -> list[Job]:
    return list(store.inbox.claim(32, tenants=[tenant]))


def states(store: Store, tenant: TenantId = ACME) -> dict[str, int]:
    return {one.tenant: dict(one.states) for one in store.overview()}[tenant]


def missing(store: Store) -> dict[str, int]:
    return {one.tenant: one.missing for one in store.audit()}


def die_reading(store: Store, jobs: Sequence[Job]) -> None:
    """Begin to read, and never end: what a kill does."""
    unended = store.suspects.watching(jobs)
    unended.__enter__()
    UNENDED.append(unended)  # to be collected would be to end


def test_a_ticket_that_kills_the_process_twice_is_held_and_the_others_go_on(
    place: Place, clock
) -> None:
    with Store(place, clock) as store:
        take(store, "1", "poison", "3")
        jobs = claimed(store)
        assert len(jobs) == 3
        die_reading(store, jobs)
    done = []
    for _ in range(4):
        with Store(place, clock) as store:  # the process died, and is started anew
            while jobs := claimed(store):
                assert len(jobs) == 1, "a suspect is worked on alone"
                if jobs[0].ticket == "poison":
                    die_reading(store, jobs)
                    break
                with store.suspects.watching(jobs):
                    store.ledger.plan(ACME, [], jobs)
                store.inbox.done(jobs[0])
                done.append(jobs[0].ticket)
    assert done == ["1", "3"]
    with Store(place, clock) as store:
        assert states(store) == {"done": 2, "held": 1}
        assert missing(store) == {"acme": 0}


def test_fresh_work_goes_before_a_suspect(place, clock) -> None:
    with Store(place, clock) as store:
        take(store, "suspect")
        die_reading(store, claimed(store))
    with Store(place, clock) as store:
        clock.pass_time(60)
        take(store, "fresh")
        assert [job.ticket for job in claimed(store)] == ["fresh"]


def test_a_death_while_a_desk_is_asked_suspects_nobody(place, clock) -> None:
    """Most kills from outside come then: before the reading, and after the plan."""
    for _ in range(5):
        with Store(place, clock) as store:
            take(store, "asked for", "planned")
            first, second = claimed(store)
            store.ledger.plan(ACME, [], [second])
            die_reading(store, [second])  # killed between the commit and the end of the reading
            assert states(store) == {"leased": 1, "planned": 1}
            assert first.id != second.id


def test_a_suspect_that_is_read_is_cleared(place, clock) -> None:
    for _ in range(5):
        with Store(place, clock) as store:
            take(store, "1")
            [job] = claimed(store)
            die_reading(store, [job])
        with Store(place, clock) as store:
            [job] = claimed(store)
            with store.suspects.watching([job]):
                store.ledger.plan(ACME, [], [job])


@pytest.mark.parametrize("content", [b"", b"[1, 2", b"{}", b'["1", null]', b"\xff" * 5000])
def test_what_cannot_be_read_suspects_nobody(place: Place, clock, content) -> None:
    place.directory.mkdir()
    (place.directory / FILE).write_bytes(content)
    with Store(place, clock) as store:
        assert store.suspects.left == frozenset()


def test_who_claimed_earlier_can_no_longer_settle(store: Store) -> None:
    take(store, "1")
    [late] = claimed(store)
    [now] = claimed(store)
    store.inbox.done(late)
    store.inbox.again(late, delay=99, detail="late")
    store.ledger.plan(ACME, [], [late])
    assert states(store) == {"leased": 1}
    store.inbox.done(now)
    assert states(store) == {"done": 1}


def test_what_failed_is_superseded_once_the_ticket_went_through(store: Store) -> None:
    take(store, "1", "2")
    for job in claimed(store):
        store.inbox.dead(job, "refused")
    take(store, "1")
    [job] = claimed(store)
    assert states(store) == {"dead": 2, "leased": 1}
    store.inbox.done(job)
    assert states(store) == {"dead": 1, "done": 1, "superseded": 1}
    assert missing(store) == {"acme": 0}


def test_old_rows_go_and_the_books_still_balance(store: Store, clock) -> None:
    take(store, "1", "2", "3")
    take(store, "1")  # a second event of an open row
    one, two, three = claimed(store)
    store.inbox.done(one)
    store.inbox.dead(two, "refused")
    clock.at += timedelta(days=90, seconds=1)
    store.inbox.done(three)
    take(store, "4", tenant=BETA)
    store.expire(Retention())
    assert states(store) == {"dead": 1, "done": 1}, "only what was finished long ago is gone"
    [acme, beta] = store.audit()
    assert acme.accounts == {"dead": 1, "done": 3, "superseded": 0, "dropped": 0}
    assert (acme.received, acme.missing) == (4, 0)
    assert (beta.received, beta.missing) == (1, 0)


def test_a_row_that_vanished_shows_in_the_books(store: Store) -> None:
    take(store, "1", "2")
    with store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM inbox WHERE ticket = '1'")
    assert missing(store) == {"acme": 1}


@pytest.mark.parametrize("storm", [1_000, 100_000])
def test_a_storm_delays_another_tenants_ticket_by_a_batch_at_most(store: Store, storm) -> None:
    quiet = [TenantId(f"t{number}") for number in range(500)]
    take(store, *(str(number) for number in range(storm)))
    take(store, "fresh", tenant=quiet[-1])
    served = [ACME, *quiet]  # the roster's order: who was served last comes last
    first = store.inbox.claim(32, tenants=served)
    assert {job.tenant for job in first} == {ACME}
    [second] = store.inbox.claim(32, tenants=[*served[1:], ACME])
    assert second.ticket == "fresh"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_claim_reads_what_it_takes_and_no_finished_row(store: Store) -> None:
    """The plans that SQLite makes for what `claim` says: by open work alone, without sorting."""
    take(store, "1", "2")
    said: list[tuple[str, object]] = []
    event.listen(
        store._database._writer,
        "before_cursor_execute",
        lambda _c, _k, statement, parameters, *_: said.append((statement, parameters)),
    )
    assert len(claimed(store)) == 2
    plans = []
    with store._database.read() as connection:
        for statement, parameters in said:
            if "inbox" in statement:
                asked = f"EXPLAIN QUERY PLAN {statement}"
                plans += [row[3] for row in connection.exec_driver_sql(asked, parameters)]
    assert any("inbox_work" in step for step in plans), plans
    looked = [step for step in plans if step.startswith(("SEARCH", "SCAN"))]
    # The last by state, but of a tenant's rows only the open ones: that is what is asked for.
    allowed = (
        "INDEX inbox_work",
        "USING INTEGER PRIMARY KEY",
        "INDEX inbox_due (tenant=? AND state=?)",
        "SCAN nodes",  # empty where nobody else can claim
        "SCAN chosen",
    )
    assert all(any(way in step for way in allowed) for step in looked), plans
    assert not any("TEMP B-TREE" in step for step in plans), plans


def test_what_a_person_drops_or_tries_again_stays_in_the_books(store: Store) -> None:
    take(store, "1", "2")
    for job in claimed(store):
        store.inbox.dead(job, "refused")
    assert len(store.queue.drop(Filter(ticket="1"))) == 1
    assert len(store.queue.retry(Filter(ticket="2"))) == 1
    [acme] = store.audit()
    assert (acme.missing, acme.accounts["dropped"], acme.accounts["ready"]) == (0, 1, 1)
