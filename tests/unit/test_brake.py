from collections.abc import Sequence

import pytest
from by_hand import ACME, HandDaemon, changed
from structlog.testing import capture_logs

from connector.control import released_by_hand
from connector.metrics import Metrics
from connector.model import Status, TenantId, TicketId
from connector.settings import Retention
from connector.store import Store

HOUR = 3600.0


@pytest.fixture
def braked(store, desk, clock) -> HandDaemon:
    """Give a daemon that may write to five tickets an hour."""
    daemon = HandDaemon(store, changed(desk, writes_per_hour=5), clock)
    daemon.poller.look(ACME)
    return daemon


def arrive(adapter, count: int) -> list[TicketId]:
    return [adapter.arrive("network", "is down") for _ in range(count)]


def written(adapter, tickets: Sequence[TicketId]) -> int:
    return sum(adapter.writes(ticket) > 0 for ticket in tickets)


def test_not_one_ticket_more_is_written_than_the_brake_allows(braked, adapter, store) -> None:
    tickets = arrive(adapter, 12)
    with capture_logs() as logs:
        braked.round()
        braked.round()
    assert written(adapter, tickets) == 5
    told = [event for event in logs if event["event"] == "brake_pulled"]
    assert [(event["tenant"], event["tickets"]) for event in told] == [(ACME, 5)]
    [overview] = store.overview()
    assert overview.brake is not None
    assert overview.brake.detail == "5 tickets were written to within an hour"
    text = Metrics().text(store.overview()).decode()
    assert 'triaged_brake_pulled{tenant="acme"} 1.0' in text


def test_nothing_is_lost_and_a_person_lets_it_go_on(braked, adapter, store) -> None:
    tickets = arrive(adapter, 7)
    braked.round()
    later = arrive(adapter, 2)
    braked.round()  # intake goes on
    assert written(adapter, [*tickets, *later]) == 5
    assert released_by_hand(store, ACME)
    assert not released_by_hand(store, ACME)
    braked.roster.brake(store.brakes.pulled())
    braked.round()
    assert written(adapter, [*tickets, *later]) == 9
    assert [one.missing for one in store.audit()] == [0]


def test_time_alone_does_not_release_it(braked, adapter, clock) -> None:
    tickets = arrive(adapter, 6)
    braked.round()
    clock.pass_time(2 * HOUR)
    braked.round()
    assert written(adapter, tickets) == 5


def test_what_was_written_an_hour_ago_does_not_count(braked, adapter, clock, store) -> None:
    tickets = arrive(adapter, 5)
    braked.round()
    assert store.brakes.written(ACME) == 5
    clock.pass_time(HOUR)
    tickets += arrive(adapter, 5)
    braked.round()
    assert written(adapter, tickets) == 10
    assert store.brakes.pulled() == {}


def test_what_is_left_alone_does_not_count(braked, adapter, store) -> None:
    for ticket in arrive(adapter, 3):
        adapter.change(ticket, status=Status.RESOLVED)
    braked.round()
    assert store.brakes.written(ACME) == 0


def test_a_brake_is_a_tenants_own_and_outlives_the_process(store: Store) -> None:
    assert store.brakes.pull(ACME, "why")
    assert not store.brakes.pull(ACME, "again")
    assert store.brakes.written(TenantId("beta")) == 0
    assert {name: one.detail for name, one in store.brakes.pulled().items()} == {ACME: "why"}


def test_counts_go_with_their_hour(braked, adapter, clock, store) -> None:
    arrive(adapter, 3)
    braked.round()
    clock.pass_time(2 * HOUR)
    store.expire(Retention())
    clock.pass_time(-2 * HOUR)
    assert store.brakes.written(ACME) == 0
