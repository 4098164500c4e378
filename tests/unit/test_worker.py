import io
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Barrier, BrokenBarrierError, Event, Lock, Thread

import pytest
import structlog
from by_hand import ACME, HandDaemon, changed
from structlog.testing import capture_logs

from adapters.memory import MemoryAdapter
from connector import logs
from connector.errors import Retry
from connector.metrics import Metrics
from connector.model import FieldUpdate, TenantId, Ticket, TicketId
from connector.roster import Roster
from connector.store import Store
from connector.worker import Bell, Worker

BETA = TenantId("beta")
PATIENCE = 20.0
"""Seconds after which a wait is given up; reached only by a test that fails."""


class Crew:
    """Workers that share a store and a bell, and the desks of their tenants."""

    def __init__(self, store: Store, desk, clock, *, tenants: Sequence[TenantId] = (ACME,)) -> None:
        self.store = store
        self.bell = Bell()
        self.roster = Roster(tenants, clock)
        self.desks = {tenant: MemoryAdapter(clock) for tenant in tenants}
        self.calls: Counter[tuple[TenantId, TicketId]] = Counter()
        self._lock = Lock()
        for tenant, adapter in self.desks.items():
            self.roster.admit(changed(desk, tenant=tenant, adapter=adapter))
        self.workers = [
            Worker(store=store, roster=self.roster, clock=clock, bell=self.bell, metrics=Metrics())
            for _ in range(2)
        ]

    def arrive(self, tenant: TenantId, count: int = 1) -> list[TicketId]:
        """File tickets and take them in, as webhooks would."""
        adapter = self.desks[tenant]
        tickets = [adapter.arrive("network down", f"no network {each}") for each in range(count)]
        self.store.inbox.receive(tenant, tickets, delivery=f"{tickets}")
        self.bell.ring()
        return tickets

    def on_write(self, tenant: TenantId, act) -> None:
        """Have `act` called with the number of the write call, before it goes through."""
        adapter = self.desks[tenant]
        write = adapter.write

        def seen(ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
            with self._lock:
                self.calls[tenant, ticket.id] += 1
                number = self.calls.total()
            act(number)
            return write(ticket, updates)

        adapter.write = seen

    def end(self) -> None:
        for worker in self.workers:
            worker.stop()
        for worker in self.workers:
            if worker._thread.ident is not None:
                worker.join(PATIENCE)
                assert not worker._thread.is_alive()

    def states(self) -> dict[str, dict[str, int]]:
        return {one.tenant: dict(one.states) for one in self.store.overview()}


@pytest.fixture
def crew(store, desk, clock) -> Iterator[Crew]:
    made = Crew(store, desk, clock)
    yield made
    made.end()


@pytest.fixture
def crew_of_two(store, desk, clock) -> Iterator[Crew]:
    made = Crew(store, desk, clock, tenants=(ACME, BETA))
    yield made
    made.end()


def test_a_stop_finishes_the_ticket_in_hand_and_gives_the_rest_back(
    crew, store, desk, clock, classifier
) -> None:
    tickets = crew.arrive(ACME, 3)
    [worker, _] = crew.workers
    crew.on_write(ACME, lambda _: worker.stop())
    worker.start()
    worker.join(PATIENCE)
    assert not worker._thread.is_alive()
    assert crew.calls == {(ACME, tickets[0]): 1}
    assert crew.states() == {ACME: {"done": 1, "ready": 2}}
    assert [job.attempts for job in store.inbox.claim(32, tenants=[ACME])] == [0, 0]
    adapter = crew.desks[ACME]
    HandDaemon(store, changed(desk, adapter=adapter), clock).round()
    assert [adapter.read(ticket).fields["category"] for ticket in tickets] == ["network"] * 3
    assert [adapter.writes(ticket) for ticket in tickets] == [1] * 3
    assert len(classifier.asked) == 3


def test_a_batch_that_a_desk_fails_is_due_again_after_the_pause_and_not_before(
    crew, store, clock
) -> None:
    tickets = crew.arrive(ACME, 3)
    crew.desks[ACME].fail_next(Retry("503", after=30))
    assert crew.workers[0].turn()
    clock.pass_time(29)
    assert store.inbox.claim(32, tenants=[ACME]) == ()
    clock.pass_time(1)
    again = store.inbox.claim(32, tenants=[ACME])
    assert {job.ticket: job.attempts for job in again} == dict(zip(tickets, [1, 0, 0], strict=True))


def test_a_batch_that_goes_through_vouches_for_its_desk(crew, clock) -> None:
    crew.arrive(ACME)
    crew.desks[ACME].fail_next(Retry("503", after=30))
    assert crew.workers[0].turn()
    assert crew.roster.shaky() == {ACME}
    clock.pass_time(30)
    with capture_logs() as told:
        assert crew.workers[0].turn()
    assert [line["event"] for line in told] == ["ticket_triaged", "tenant_recovered"]
    assert crew.roster.shaky() == set()


def test_the_loop_outlives_an_error_that_nobody_foresaw(crew) -> None:
    [worker, _] = crew.workers
    stumbled, written = Event(), Event()
    turn = worker.turn

    def stumble() -> bool:
        worker.turn = turn
        stumbled.set()
        raise RuntimeError("words of a ticket")

    worker.turn = stumble
    crew.on_write(ACME, lambda _: written.set())
    with capture_logs() as told:
        worker.start()
        assert stumbled.wait(PATIENCE)
        crew.arrive(ACME)
        assert written.wait(PATIENCE)
        crew.end()
    assert crew.states() == {ACME: {"done": 1}}
    assert [line["event"] for line in told] == ["worker_stumbled", "ticket_triaged"]
    assert "words" not in str(told[0])


class Broken(io.StringIO):
    """A log stream whose reader has gone: the named method fails."""

    def __init__(self, method: str, error: Exception) -> None:
        super().__init__()
        self.failed = 0
        self._error = error
        setattr(self, method, self._fail)

    def _fail(self, *_: object) -> None:
        self.failed += 1
        raise self._error


@pytest.fixture
def own_logs(monkeypatch) -> Iterator[None]:
    """Let a test configure logs, and undo it afterwards."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_logs")
@pytest.mark.parametrize("method", ["write", "flush"])
@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed file")], ids=repr)
def test_a_log_that_nobody_reads_any_more_ends_no_worker(crew, method, error) -> None:
    stream = Broken(method, error)
    logs.configure(stream=stream, json=True)
    [worker, _] = crew.workers
    first, second = Event(), Event()
    crew.on_write(ACME, lambda number: (first if number == 1 else second).set())
    worker.start()
    crew.arrive(ACME)
    assert first.wait(PATIENCE)
    crew.arrive(ACME)
    assert second.wait(PATIENCE)
    crew.end()
    assert stream.failed == 2
    assert crew.states() == {ACME: {"done": 2}}


def test_two_workers_serve_two_tenants_at_the_same_time(crew_of_two) -> None:
    both = Barrier(2)
    met: list[int] = []

    def meet(_: int) -> None:
        try:
            met.append(both.wait(PATIENCE))
        except BrokenBarrierError:
            met.append(-1)

    for tenant in (ACME, BETA):
        crew_of_two.on_write(tenant, meet)
        crew_of_two.arrive(tenant)
    threads = [Thread(target=worker.turn) for worker in crew_of_two.workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert sorted(met) == [0, 1]
    assert crew_of_two.states() == {ACME: {"done": 1}, BETA: {"done": 1}}


def test_a_tenant_in_one_workers_hands_is_left_alone_by_the_other(crew) -> None:
    [ticket] = crew.arrive(ACME)
    writing, go_on = Event(), Event()

    def hold(number: int) -> None:
        if number == 1:
            writing.set()
            go_on.wait(PATIENCE)

    crew.on_write(ACME, hold)
    thread = Thread(target=crew.workers[0].turn)
    thread.start()
    try:
        assert writing.wait(PATIENCE)
        assert not crew.workers[1].turn()
    finally:
        go_on.set()
        thread.join(PATIENCE)
    assert crew.calls == {(ACME, ticket): 1}
    assert crew.states() == {ACME: {"done": 1}}


@pytest.mark.parametrize("tenants", [(ACME,), (ACME, BETA)], ids=["one tenant", "two tenants"])
def test_two_workers_write_each_ticket_once(store, desk, clock, tenants, monkeypatch) -> None:
    monkeypatch.setattr("connector.worker.BATCH", 3)
    crew = Crew(store, desk, clock, tenants=tenants)
    all_written = Event()

    def note(number: int) -> None:
        if number == 12 * len(tenants):
            all_written.set()

    for tenant in tenants:
        crew.on_write(tenant, note)
    for worker in crew.workers:
        worker.start()
    expected = {
        (tenant, ticket): 1
        for _ in range(2)
        for tenant in tenants
        for ticket in crew.arrive(tenant, 6)
    }
    assert all_written.wait(PATIENCE)
    crew.end()
    assert crew.calls == expected
    assert all(crew.desks[tenant].writes(ticket) == 1 for tenant, ticket in expected)
    assert crew.states() == {tenant: {"done": 12} for tenant in tenants}
