"""How batches end: in few commits, each row by its own fate, and nothing twice after a death."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import Mock

import pytest
from by_hand import ACME, HandDaemon, changed
from sqlalchemy import Connection

from adapters.memory import MemoryAdapter
from connector.errors import StateUnusable
from connector.metrics import Metrics
from connector.model import Cursor, FieldUpdate, Ticket, TicketId, TicketRef
from connector.roster import Roster
from connector.store import Job, Settlement, State, Store, due_again
from connector.worker import SETTLED_WITHIN, Bell, Worker


@pytest.fixture
def work(store: Store, desk, clock) -> Callable[[MemoryAdapter], bool]:
    """Give one turn of a worker at a desk."""

    def turn(adapter: MemoryAdapter) -> bool:
        roster = Roster([ACME], clock)
        roster.admit(changed(desk, adapter=adapter))
        told = {"store": store, "roster": roster, "clock": clock}
        return Worker(**told, bell=Bell(), metrics=Metrics()).turn()

    return turn


def filed(store: Store, adapter: MemoryAdapter, count: int) -> list[TicketId]:
    tickets = [adapter.arrive("network down", f"number {number}") for number in range(count)]
    store.inbox.receive(ACME, tickets, delivery=f"{tickets}")
    return tickets


def claimed(store: Store, *tickets: str) -> list[Job]:
    refs = [TicketRef(id=TicketId(ticket), version="") for ticket in tickets]
    store.inbox.receive_page(ACME, refs, Cursor("c"))
    return list(store.inbox.claim(32, tenants=[ACME]))


def states(store: Store) -> dict[str, str]:
    with store._database.read() as connection:
        return dict(connection.exec_driver_sql("SELECT ticket, state FROM inbox").all())


def count_commits(store: Store, monkeypatch) -> list[int]:
    write, commits = store._database.write, [0]

    @contextmanager
    def counted() -> Iterator[Connection]:
        with write() as connection:
            yield connection
        commits[0] += 1

    monkeypatch.setattr(store._database, "write", counted)
    return commits


def test_a_batch_costs_as_many_commits_as_a_ticket(store, clock, work, monkeypatch) -> None:
    adapter = MemoryAdapter(clock)
    commits = count_commits(store, monkeypatch)
    spent = {}
    for count in (1, 30):
        filed(store, adapter, count)
        before = commits[0]
        assert work(adapter)
        spent[count] = commits[0] - before
    assert spent[1] == spent[30] <= 4  # claim, case book, plan, settlement
    assert set(states(store).values()) == {"done"}


def test_an_end_does_not_wait_for_a_slow_batch(store, clock, work) -> None:
    adapter = MemoryAdapter(clock)
    tickets = filed(store, adapter, 3)
    write, seen = adapter.write, []

    def slow(ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        seen.append(states(store))
        clock.pass_time(SETTLED_WITHIN)
        return write(ticket, updates)

    adapter.write = slow
    assert work(adapter)
    assert [seen[2][ticket] for ticket in tickets] == ["done", "done", "planned"]


def test_what_was_written_but_not_noted_is_not_written_again(
    store, clock, work, desk, monkeypatch
) -> None:
    """The disk fails, or the process dies, between the desk's answer and our note of it."""
    adapter = MemoryAdapter(clock)
    tickets = filed(store, adapter, 5)
    settle = store.inbox.settle
    full = Mock(side_effect=StateUnusable("the disk is full"))
    monkeypatch.setattr(store.inbox, "settle", full)
    with pytest.raises(StateUnusable):
        work(adapter)
    assert set(states(store).values()) == {"planned"}
    monkeypatch.setattr(store.inbox, "settle", settle)
    HandDaemon(store, changed(desk, adapter=adapter), clock).round()
    assert [adapter.writes(ticket) for ticket in tickets] == [1] * 5
    assert set(states(store).values()) == {"done"}
    assert {entry.outcome for entry in store.ledger.of(ACME, tickets[0])} == {"written"}


def test_each_row_ends_as_it_was_told_to(store: Store, clock) -> None:
    one, two, three, four, five = claimed(store, "1", "2", "3", "4", "5")
    store.inbox.receive(ACME, [TicketId("5")], delivery="meanwhile")
    store.inbox.settle(
        [
            due_again(four, delay=0, detail="", counts=False),
            Settlement(job=two, state=State.DEAD, detail="refused"),
            due_again(three, delay=9, detail="later"),
            Settlement(job=one),
            Settlement(job=five),
        ]
    )
    assert states(store) == {"1": "done", "2": "dead", "3": "retry", "4": "ready", "5": "ready"}
    clock.pass_time(10)
    again = {job.ticket: job.attempts for job in store.inbox.claim(32, tenants=[ACME])}
    assert again == {"3": 1, "4": 0, "5": 0}


def test_a_settlement_that_fails_settles_nothing(store: Store) -> None:
    one, two = claimed(store, "1", "2")
    refused = Settlement(job=replace(two, fence=2**70))  # a number that no database takes
    with pytest.raises((StateUnusable, OverflowError)):
        store.inbox.settle([Settlement(job=one), refused])
    assert states(store) == {"1": "leased", "2": "leased"}
