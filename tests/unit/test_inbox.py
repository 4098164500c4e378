from connector.model import Cursor, TenantId, TicketId, TicketRef
from connector.store import Job, Store

ACME = TenantId("acme")
TICKET = TicketId("1")


def take(store: Store, version: str) -> int:
    """Take the ticket in as a poll reports it; give how many references were new."""
    return store.inbox.receive_page(ACME, [TicketRef(id=TICKET, version=version)], Cursor("c"))


def call(store: Store, delivery: str) -> None:
    """Take the ticket in as a webhook reports it: without a version."""
    store.inbox.receive(ACME, [TICKET], delivery=delivery)


def claimed(store: Store) -> list[Job]:
    return list(store.inbox.claim(32, tenants=[ACME]))


def test_a_row_is_not_claimed_a_second_before_it_is_due(store, clock) -> None:
    take(store, "1")
    [job] = claimed(store)
    store.inbox.again(job, delay=3, detail="desk is down")
    assert claimed(store) == []
    clock.pass_time(2)
    assert claimed(store) == []
    clock.pass_time(1)
    assert [again.id for again in claimed(store)] == [job.id]


def test_what_is_said_during_the_work_starts_with_all_its_attempts(store) -> None:
    take(store, "1")
    [job] = claimed(store)
    store.inbox.again(job, delay=0, detail="desk is down")
    [job] = claimed(store)
    assert job.attempts == 1
    call(store, "d1")
    store.inbox.done(job)
    [again] = claimed(store)
    assert (again.id, again.marks, again.attempts) == (job.id, 2, 0)


def test_what_is_said_during_the_work_outlives_its_being_set_aside(store) -> None:
    take(store, "1")
    [job] = claimed(store)
    call(store, "d1")
    store.inbox.dead(job, "the desk refused priority")
    [again] = claimed(store)
    assert (again.id, again.attempts) == (job.id, 0)


def test_a_newer_version_of_an_open_row_is_known_once_the_row_is_done(store) -> None:
    take(store, "1")
    assert take(store, "2") == 1
    [job] = claimed(store)
    store.inbox.done(job)
    assert take(store, "2") == 0
    assert claimed(store) == []


def test_an_event_without_a_version_leaves_the_known_one(store) -> None:
    take(store, "1")
    call(store, "d1")
    [job] = claimed(store)
    store.inbox.done(job)
    assert take(store, "1") == 0
