"""A batch with a ticket that cannot be handled is worked off singly; stop and pause still hold."""

from collections.abc import Sequence

import pytest
from by_hand import ACME

from connector.errors import Retry
from connector.model import Ticket


@pytest.fixture
def poisoned(adapter, classifier, daemon) -> int:
    """Ten tickets, the first of which no classifier can read; give their number."""
    predict = classifier.predict

    def choke(texts: Sequence[str]) -> object:
        if any("poison" in text for text in texts):
            raise ZeroDivisionError
        return predict(texts)

    classifier.predict = choke
    adapter.arrive("poison", "x")
    for number in range(9):
        adapter.arrive("network", str(number))
    daemon.poller.look(ACME)
    return 10


def test_a_stop_gives_the_rest_back(daemon, adapter, store, poisoned) -> None:
    write = adapter.write

    def stop(*what: object) -> Ticket:
        daemon.worker.stop()
        return write(*what)

    adapter.write = stop
    daemon.worker.turn()
    [overview] = store.overview()
    assert overview.states == {"done": 1, "retry": 1, "ready": poisoned - 2}


def test_a_desk_that_fails_meanwhile_is_asked_once(daemon, adapter, store, clock, poisoned) -> None:
    fetch, calls = adapter.fetch, []

    def down(ids: Sequence[object]) -> object:
        calls.append(ids)
        if len(calls) > 2:
            raise Retry("429", after=60)
        return fetch(ids)

    adapter.fetch = down
    daemon.worker.turn()
    assert len(calls) == 3
    assert daemon.roster.desk(ACME) is None
    clock.pass_time(100)
    jobs = store.inbox.claim(32, tenants=[ACME])
    assert len(jobs) == poisoned
    assert sum(job.attempts for job in jobs) == 2


def test_a_row_given_back_keeps_the_reason_of_its_failure(store, adapter, daemon) -> None:
    adapter.arrive("network", "x")
    daemon.poller.look(ACME)
    [job] = store.inbox.claim(1, tenants=[ACME])
    store.inbox.again(job, delay=0, detail="500")
    [job] = store.inbox.claim(1, tenants=[ACME])
    store.inbox.again(job, delay=0, detail="", counts=False)
    [overview] = store.overview()
    assert [trouble.detail for trouble in overview.trouble] == ["500"]
