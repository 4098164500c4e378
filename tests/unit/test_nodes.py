"""Several daemons on one PostgreSQL database: each row in one hand, and none in a dead one."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Thread

import pytest
from by_hand import ACME, changed
from postgresql import PASSWORD, PostgresServer

from adapters.memory import MemoryAdapter
from connector.clock import SystemClock
from connector.errors import StateUnusable
from connector.metrics import Metrics
from connector.model import Cursor, Secret, TenantId, Ticket, TicketId, TicketRef
from connector.roster import Roster
from connector.store import Place, Settlement, Store, look, node, schema
from connector.worker import Bell, Worker

BETA = TenantId("beta")


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.fresh()


@pytest.fixture
def join(url, tmp_path) -> Iterator[Callable[[str], Store]]:
    """Give a function that opens a store on the shared database, as a daemon of that name."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(
            Store(Place(tmp_path / name, url, Secret(PASSWORD)), SystemClock(Event()))
        )


def take(store: Store, *tickets: str, tenant: TenantId = ACME) -> None:
    refs = [TicketRef(id=TicketId(ticket), version="") for ticket in tickets]
    store.inbox.receive_page(tenant, refs, Cursor("c"))


def stop(store: Store) -> None:
    """Have a daemon give no sign of life, as one that is stopped or cut off."""
    alive = store._database._node
    alive._stopping.set()
    alive._thread.join()


def outlive(postgres: PostgresServer, url: str, store: Store) -> None:
    """Let a daemon's lease end."""
    name = store._database.owner
    with postgres.ask(url) as connection:
        connection.execute("UPDATE nodes SET alive_until = 0 WHERE name = %s", [name])


def revive(store: Store) -> None:
    """Let a daemon go on that was stopped: the next thing that its node does is a beat."""
    with store._database._node._lock:
        store._database._node._beat()


def test_a_row_is_claimed_by_one_of_many(join) -> None:
    tickets = [str(number) for number in range(400)]
    stores = [join(name) for name in "abcd"]
    take(stores[0], *tickets)
    took: list[list[str]] = [[] for _ in stores]

    def work(store: Store, mine: list[str]) -> None:
        while jobs := store.inbox.claim(7, tenants=[ACME]):
            mine.extend(job.ticket for job in jobs)
            for job in jobs:
                store.inbox.done(job)

    threads = [Thread(target=work, args=pair) for pair in zip(stores, took, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ticket for mine in took for ticket in mine) == sorted(tickets)
    assert sum(bool(mine) for mine in took) > 1
    [acme] = stores[0].audit()
    assert (acme.missing, acme.accounts["done"]) == (0, 400)


def test_what_the_living_have_in_hand_is_nobody_elses(join) -> None:
    first, second = join("first"), join("second")
    take(first, "1")
    [job] = first.inbox.claim(32, tenants=[ACME])
    assert second.inbox.claim(32, tenants=[ACME]) == ()
    take(first, "2")
    assert [one.ticket for one in second.inbox.claim(32, tenants=[ACME])] == ["2"]
    assert first.holds(job)
    assert not second.holds(job)


def test_what_the_dead_had_in_hand_is_anybodys_and_no_longer_theirs(join, postgres, url) -> None:
    first, second = join("first"), join("second")
    take(first, "1")
    [job] = first.inbox.claim(32, tenants=[ACME])
    stop(first)
    outlive(postgres, url, first)
    [again] = second.inbox.claim(32, tenants=[ACME])
    assert (again.id, again.fence) == (job.id, job.fence + 1)
    revive(first)
    assert not first.holds(job)
    first.inbox.done(job)  # too late: the row is the other's
    assert first.inbox.claim(32, tenants=[ACME]) == ()
    second.inbox.done(again)
    [acme] = second.audit()
    assert (acme.missing, acme.accounts) == (
        0,
        {"done": 1, "superseded": 0, "dropped": 0},
    )


def test_a_lapse_ends_a_claim_even_when_nobody_took_the_row(join, postgres, url) -> None:
    """Else a process that was stopped twice could write what another has read in between."""
    store = join("first")
    take(store, "1")
    [job] = store.inbox.claim(32, tenants=[ACME])
    outlive(postgres, url, store)
    revive(store)
    assert not store.holds(job)
    [again] = store.inbox.claim(32, tenants=[ACME])
    assert store.holds(again)


def test_no_call_is_begun_when_the_lease_is_about_to_end(join, monkeypatch) -> None:
    store = join("first")
    take(store, "1")
    [job] = store.inbox.claim(32, tenants=[ACME])
    stop(store)
    awake = node._awake()
    for passed, held in ((0, True), (node.LEASE - node.MARGIN - 1, True), (node.LEASE, False)):
        monkeypatch.setattr(node, "_awake", lambda passed=passed: awake + passed)
        assert store.holds(job) is held


def test_a_worker_that_lost_its_rows_writes_nothing(join, desk, clock, postgres, url) -> None:
    first, second = join("first"), join("second")
    adapter = MemoryAdapter(clock)
    ticket = adapter.arrive("network down", "since eight")
    first.inbox.receive(ACME, [ticket], delivery="d")

    class Slow(MemoryAdapter):
        """A desk whose answer takes so long that the lease ends meanwhile."""

        def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
            found = adapter.fetch(ids)
            stop(first)
            outlive(postgres, url, first)
            assert [job.ticket for job in second.inbox.claim(32, tenants=[ACME])] == [ticket]
            revive(first)
            return found

    roster = Roster([ACME], clock)
    roster.admit(changed(desk, adapter=Slow(clock)))
    told = {"store": first, "roster": roster, "clock": clock}
    assert Worker(**told, bell=Bell(), metrics=Metrics()).turn()
    assert adapter.writes(ticket) == 0
    [acme] = first.overview()
    assert dict(acme.states) == {"leased": 1}


def test_a_daemon_that_ends_leaves_nothing_to_wait_for(join, tmp_path, url) -> None:
    second = join("second")
    with Store(Place(tmp_path / "first", url, Secret(PASSWORD)), SystemClock()) as first:
        take(first, "1")
        assert len(first.inbox.claim(32, tenants=[ACME])) == 1
        assert second.inbox.claim(32, tenants=[ACME]) == ()
    assert len(second.inbox.claim(32, tenants=[ACME])) == 1


def test_a_process_that_was_killed_takes_its_own_rows_over_at_once(join, tmp_path, url) -> None:
    other = join("other")
    killed = Store(Place(tmp_path / "mine", url, Secret(PASSWORD)), SystemClock())
    take(killed, "1", "2")
    jobs = killed.inbox.claim(32, tenants=[ACME])
    with killed.suspects.watching(jobs[:1]):
        stop(killed)
        killed._database._node._drop()  # the kernel closes a dead process's sockets
        killed._database._engine.dispose()
        killed._database._lock_file.close()
        assert other.inbox.claim(32, tenants=[ACME]) == ()
        again = join("mine")
    [innocent] = again.inbox.claim(32, tenants=[ACME])
    assert innocent.ticket == "2"
    again.inbox.done(innocent)
    [suspect] = again.inbox.claim(32, tenants=[ACME])
    assert suspect.ticket == "1"


def test_the_rows_of_a_copied_state_directory_stay_the_originals(join, tmp_path) -> None:
    first = join("first")
    take(first, "1")
    [job] = first.inbox.claim(32, tenants=[ACME])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / node.FILE).write_text((tmp_path / "first" / node.FILE).read_text())
    copy = join("copy")
    assert copy.inbox.claim(32, tenants=[ACME]) == ()
    assert first.holds(job)


def test_one_daemon_polls_a_tenant_and_another_when_it_is_gone(join, tmp_path, url) -> None:
    second = join("second")
    with Store(Place(tmp_path / "first", url, Secret(PASSWORD)), SystemClock()) as first:
        assert first.leads(ACME)
        assert not second.leads(ACME)
        assert second.leads(BETA)
        assert not first.leads(BETA)
    # The server lets go of an ended session's locks a moment after the session's end.
    pause = Event()
    looks = (second.leads(ACME) or pause.wait(0.05) for _ in range(400))
    assert any(looks)


def test_work_that_another_daemon_brings_wakes_us(join) -> None:
    first, second = join("first"), join("second")
    bell = Bell()
    second.listen(bell.ring)
    seen = bell.count()
    bell.wait(seen, 5)  # it listens now
    seen = bell.count()
    take(first, "1")
    bell.wait(seen, 5)
    assert bell.count() > seen


def test_all_daemons_go_by_the_servers_clock(join, monkeypatch) -> None:
    right = join("right")
    monkeypatch.setattr(
        SystemClock, "now", lambda _: pytest.fail("the machine's own time of day was asked")
    )
    monkeypatch.setattr(node.ServerClock, "__init__", _wrong_by_an_hour)
    wrong = join("wrong")
    assert abs((wrong.clock.now() - right.clock.now()).total_seconds()) < 5
    take(wrong, "1")
    assert [job.ticket for job in right.inbox.claim(32, tenants=[ACME])] == ["1"]


def _wrong_by_an_hour(self: node.ServerClock, local: SystemClock) -> None:
    self._local, self._ahead = local, 3600.0


def test_a_lost_session_is_made_anew_and_the_rows_stay_ours(join, postgres, url) -> None:
    store = join("first")
    take(store, "1")
    [job] = store.inbox.claim(32, tenants=[ACME])
    assert store.leads(ACME)
    with postgres.ask(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(StateUnusable):
        store.leads(BETA)
    revive(store)
    assert store.holds(job)
    assert store.leads(BETA)
    store.inbox.done(job)
    assert dict(store.overview()[0].states) == {"done": 1}


def test_a_database_that_cannot_be_reached_is_named_without_the_password(tmp_path) -> None:
    place = Place(tmp_path, "postgresql+psycopg://triaged@127.0.0.1:1/desk", Secret(PASSWORD))
    with pytest.raises(StateUnusable, match="PostgreSQL database desk at") as caught:
        Store(place, SystemClock())
    assert PASSWORD not in str(caught.value)
    with pytest.raises(StateUnusable, match="PostgreSQL database desk at"):
        look(place)


def test_a_look_where_no_daemon_has_run_says_so(tmp_path, url) -> None:
    with pytest.raises(StateUnusable, match="no daemon has run there yet"):
        look(Place(tmp_path, url, Secret(PASSWORD)))


def test_daemons_that_start_at_once_make_the_tables_once(tmp_path, url, postgres) -> None:
    opened: list[Store] = []

    def start(name: str) -> None:
        place = Place(tmp_path / name, url, Secret(PASSWORD))
        opened.append(Store(place, SystemClock(Event())))

    threads = [Thread(target=start, args=[name]) for name in "abcde"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 5
    for store in opened:
        store.__exit__()
    with postgres.ask(url) as connection:
        assert connection.execute("SELECT count(*) FROM nodes").fetchone() == (0,)
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [
            (schema.VERSION,)
        ]


def test_deliveries_that_cross_do_not_wait_for_each_other_in_a_ring(join) -> None:
    """Two daemons take the same tickets in, in opposite orders, while a third ends them."""
    first, second, third = join("first"), join("second"), join("third")
    tickets = [TicketId(str(number)) for number in range(20)]

    def bring(store: Store, order: list[TicketId], name: str) -> None:
        for number in range(25):
            store.inbox.receive(ACME, order, delivery=f"{name} {number}")

    def end() -> None:
        for _ in range(40):
            jobs = third.inbox.claim(32, tenants=[ACME])
            third.inbox.settle([Settlement(job=job) for job in reversed(jobs)])

    with ThreadPoolExecutor() as threads:
        works = [
            threads.submit(bring, first, tickets, "a"),
            threads.submit(bring, second, tickets[::-1], "b"),
            threads.submit(end),
        ]
        for work in works:
            work.result()
    [acme] = first.audit()
    assert (acme.missing, acme.received) == (0, 1000)


def test_a_stopped_transaction_does_not_keep_its_locks(join) -> None:
    with join("first")._database.write() as connection:
        told = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
        assert told == "10s"
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
