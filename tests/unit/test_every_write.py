"""A store that fails at any one of its commits: nothing is lost or written twice, and all goes on.

A disk that is full refuses a statement or the commit itself; either way nothing of the transaction
is kept. A database that goes away may also have kept it without our hearing of it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from by_hand import ACME, HandDaemon, changed
from sqlalchemy import Connection

from adapters.memory import MemoryAdapter
from connector.errors import StateUnusable
from connector.model import TicketId
from connector.store import Outcome, Received, Store

TICKETS = 3

FULL = StateUnusable("database or disk is full")


class Troubled:
    """Lets one write of a store's fail; `kept` loses the answer and not the work."""

    def __init__(self, store: Store, at: int, *, kept: bool) -> None:
        self._write = store._database.write
        self._at = at
        self._kept = kept
        self.count = 0
        store._database.write = self.write

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.count += 1
        fails = self.count == self._at
        with self._write() as connection:
            yield connection
            if fails and not self._kept:
                raise FULL
        if fails:
            raise FULL


def brought(store: Store, tickets: list[TicketId]) -> None:
    """Deliver a webhook for each ticket, again until it is taken, as a desk does."""
    for ticket in tickets:
        for _ in range(3):
            try:
                if store.inbox.receive(ACME, [ticket], delivery=f"d {ticket}") in Received:
                    break
            except StateUnusable:
                continue


def worked(daemon: HandDaemon, clock) -> None:
    """Let the daemon work as its threads do: what fails is tried again a little later."""
    for _ in range(5):
        try:
            daemon.round()
        except StateUnusable:
            clock.pass_time(1)
        clock.pass_time(30)


def play(store: Store, desk, clock, at: int, *, kept: bool) -> tuple[int, Mapping[str, int]]:
    """Take half of the tickets in by webhook and half by poll, while the so-manieth write fails."""
    adapter = MemoryAdapter(clock)
    daemon = HandDaemon(store, changed(desk, adapter=adapter), clock)
    worked(daemon, clock)
    troubled = Troubled(store, at, kept=kept)
    hooked = [adapter.arrive("network down", f"hooked {number}") for number in range(TICKETS)]
    brought(store, hooked)
    polled = [adapter.arrive("network down", f"polled {number}") for number in range(TICKETS)]
    worked(daemon, clock)
    writes = {str(ticket): adapter.writes(ticket) for ticket in (*hooked, *polled)}
    [acme] = store.audit()
    open_ = {state: n for state, n in store.overview()[0].states.items() if state != "done"}
    assert acme.missing == 0, (at, acme)
    assert open_ == {}, (at, open_)
    for ticket in (*hooked, *polled):
        [entry] = store.ledger.of(ACME, ticket)
        assert entry.outcome is Outcome.WRITTEN, (at, entry)
        assert entry.written, (at, entry)
    return troubled.count, writes


@pytest.mark.parametrize("kept", [False, True], ids=["nothing kept", "kept unheard"])
def test_each_write_may_fail_once(tmp_path, place, desk, clock, kept) -> None:
    del tmp_path
    at, writes_seen = 0, 1
    while at <= writes_seen:
        with Store(place, clock) as store:
            writes_seen, writes = play(store, desk, clock, at, kept=kept)
            assert set(writes.values()) == {1}, (at, writes)
            with store._database.write() as connection:
                for table in ("inbox", "ledger", "deliveries", "cases", "books", "cursors"):
                    connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
        at += 1
    assert at > 10  # more than ten writes were tried one by one
