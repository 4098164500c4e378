from threading import Event

import pytest
from by_hand import ACME, changed

from adapters.memory import MemoryAdapter
from connector.errors import Retry, Unauthorized
from connector.metrics import Metrics
from connector.poll import Poller
from connector.roster import Roster
from connector.store import Store


class Look:
    """A poller of a desk with two tickets to a page; every page with news calls `woken`."""

    def __init__(self, store: Store, desk, clock) -> None:
        self.store = store
        self.adapter = MemoryAdapter(clock, page_size=2)
        self.roster = Roster([ACME], clock)
        self.roster.admit(changed(desk, adapter=self.adapter))
        self.stopping = Event()
        self.stop_at_news = False
        self._poller = Poller(
            store=store,
            roster=self.roster,
            metrics=Metrics(),
            stopping=self.stopping,
            wake=self._woken,
        )
        self()

    def __call__(self) -> None:
        self._poller.look(ACME)

    def taken(self) -> list[str]:
        return [job.ticket for job in self.store.inbox.claim(32, tenants=[ACME])]

    def _woken(self) -> None:
        if self.stop_at_news:
            self.stopping.set()


@pytest.fixture
def look(store, desk, clock) -> Look:
    return Look(store, desk, clock)


def test_a_desk_that_cannot_be_polled_is_left_alone_as_long_as_it_asked(look, clock) -> None:
    look.adapter.fail_next(Retry("503", after=30))
    look()
    clock.pass_time(29)
    assert look.roster.desk(ACME) is None
    ticket = look.adapter.arrive("network down", "no network")
    look()
    assert look.taken() == []
    clock.pass_time(1)
    look()
    assert look.taken() == [ticket]


def test_a_credential_that_is_refused_at_a_poll_stops_the_tenant(look, clock) -> None:
    look.adapter.fail_next(Unauthorized("401"))
    look()
    clock.pass_time(10**6)
    assert look.roster.desk(ACME) is None
    assert set(look.roster.stopped()) == {ACME}


def test_a_stop_ends_a_look_after_its_page_and_the_next_look_goes_on(look) -> None:
    tickets = [look.adapter.arrive(f"network {number}", "down") for number in range(5)]
    look.stop_at_news = True
    look()
    assert look.taken() == tickets[:2]
    look.stop_at_news = False
    look.stopping.clear()
    look()
    assert look.taken() == tickets
