"""Tickets of the past in the inbox: behind everything newer, once, and within the brake."""

from collections.abc import Sequence

import pytest
from by_hand import ACME, HandDaemon, changed

from connector.model import TicketId, TicketRef
from connector.store import BACKFILL, Filter, Sorted, Store, look_at_backlog, look_at_rows


def refs(*tickets: str, version: str = "") -> list[TicketRef]:
    return [TicketRef(id=TicketId(each), version=version) for each in tickets]


def claimed(store) -> list[TicketId]:
    return [job.ticket for job in store.inbox.claim(9, tenants=[ACME])]


def worked_off(daemon: HandDaemon) -> None:
    while daemon.worker.turn():
        pass


def filed(adapter, count: int) -> list[TicketId]:
    return [adapter.arrive("network down", f"no network {each}") for each in range(count)]


def of(tickets: Sequence[TicketId]) -> list[TicketRef]:
    return [TicketRef(id=ticket, version="") for ticket in tickets]


def test_a_backlog_waits_until_nothing_newer_does(store, clock) -> None:
    assert store.backlog.take_in(ACME, refs("1", "2")) == Sorted(new=2)
    clock.pass_time(60)
    store.inbox.receive(ACME, [TicketId("3")], delivery="a")
    [job] = store.inbox.claim(9, tenants=[ACME])
    assert job.ticket == "3"
    store.inbox.done(job)
    assert claimed(store) == []
    assert store.inbox.with_backlog([ACME]) == [ACME]
    jobs = store.inbox.claim_backlog(9, ACME)
    assert [(job.ticket, job.source) for job in jobs] == [("1", BACKFILL), ("2", BACKFILL)]


def test_news_of_a_ticket_in_the_backlog_are_news(store, clock) -> None:
    store.backlog.take_in(ACME, refs("1", "2"))
    clock.pass_time(60)
    store.inbox.receive(ACME, [TicketId("2")], delivery="a")
    assert claimed(store) == ["2"]


def test_a_ticket_that_rests_is_not_woken_by_its_past(store) -> None:
    store.inbox.receive(ACME, [TicketId("1")], delivery="a")
    [job] = store.inbox.claim(1, tenants=[ACME])
    store.inbox.again(job, delay=600, detail="the desk wants a pause")
    assert store.backlog.take_in(ACME, refs("1")) == Sorted(waiting=1)
    assert claimed(store) == []


def test_nothing_is_taken_in_twice_and_nothing_that_a_person_has_to_look_at(store, place) -> None:
    store.inbox.receive(ACME, [TicketId("1")], delivery="a")
    [job] = store.inbox.claim(1, tenants=[ACME])
    store.inbox.dead(job, "refused")
    store.backlog.take_in(ACME, refs("2"))
    assert look_at_backlog(place, ACME, refs("1", "2", "3")) == Sorted(new=1, waiting=2)
    assert store.backlog.take_in(ACME, refs("1", "2", "3")) == Sorted(new=1, waiting=2)
    assert [row.ticket for row in look_at_rows(place, Filter())] == ["1", "2", "3"]
    assert [balance.missing for balance in store.audit()] == [0]


def test_what_was_triaged_before_is_left_alone_and_what_was_refused_is_not(
    daemon, store, adapter, desk
) -> None:
    old = filed(adapter, 2)
    store.backlog.take_in(ACME, of(old))
    worked_off(daemon)
    assert [adapter.read(each).fields["category"] for each in old] == ["network"] * 2
    assert store.backlog.take_in(ACME, of(old)) == Sorted(decided=2)
    odd = desk.rules[0]
    hidden = type(odd.field)(id="hidden", title="Hidden", kind=odd.field.kind)
    daemon.roster.admit(changed(desk, rules=(type(odd)(**{**parts(odd), "field": hidden}),)))
    [new] = filed(adapter, 1)
    store.inbox.receive(ACME, [new], delivery="a")
    worked_off(daemon)
    [row] = [row for row in store.queue.drop(Filter()) if row.ticket == new]
    assert "hidden" in row.detail
    assert store.backlog.take_in(ACME, of([new])) == Sorted(new=1)


def parts(rule) -> dict[str, object]:
    return {name: getattr(rule, name) for name in rule.__slots__}


def test_a_backlog_leaves_half_of_what_the_brake_allows(
    daemon, store, adapter, desk, clock
) -> None:
    daemon.roster.admit(changed(desk, writes_per_hour=4))
    store.backlog.take_in(ACME, of(filed(adapter, 5)))
    worked_off(daemon)
    assert store.brakes.written(ACME) == 2
    [fresh] = filed(adapter, 1)
    store.inbox.receive(ACME, [fresh], delivery="a")
    worked_off(daemon)
    assert adapter.writes(fresh) == 1
    clock.pass_time(3601)
    worked_off(daemon)
    assert store.brakes.written(ACME) == 2
    assert store.brakes.pulled() == {}


def test_a_backlog_keeps_no_webhook_out_and_is_not_late(store, clock) -> None:
    store.backlog.take_in(ACME, refs("1", "2"))
    assert not store.inbox.has_open(ACME, 1)
    assert [each.oldest_open_at for each in store.overview()] == [None]
    clock.pass_time(5)
    store.inbox.receive(ACME, [TicketId("3")], delivery="a")
    assert store.inbox.has_open(ACME, 1)
    assert [each.oldest_open_at for each in store.overview()] == [clock.now().timestamp()]


@pytest.mark.parametrize("state", ["new", "crashed"])
def test_a_backlog_survives_its_process(state, place, clock) -> None:
    with Store(place, clock) as first:
        first.backlog.take_in(ACME, refs("1"))
        if state == "crashed":
            assert first.inbox.claim_backlog(1, ACME)
    clock.pass_time(3600)
    with Store(place, clock) as second:
        assert second.inbox.claim_backlog(9, ACME)[0].ticket == "1"
