"""Work that was set aside: listed, tried again, dropped, by the daemon or without one."""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from by_hand import ACME, HandDaemon

from connector import control
from connector.control import ControlSocket
from connector.errors import Rejected, StateUnusable
from connector.model import TenantId, TicketId
from connector.store import Filter, Place, Store, look_at_rows

BETA = TenantId("beta")


def set_aside(store: Store, tenant: TenantId, ticket: str, detail: str = "refused") -> None:
    store.inbox.receive(tenant, [TicketId(ticket)], delivery=f"{tenant} {ticket} {detail}")
    [job] = store.inbox.claim(1, tenants=[tenant])
    store.inbox.dead(job, detail)


@pytest.fixture
def state(store, clock, place) -> Place:
    """Give a store with a held delivery and dead rows of two tenants, an hour apart."""
    set_aside(store, ACME, "1")
    store.inbox.hold(ACME, "names no ticket", delivery="unreadable")
    clock.pass_time(3600)
    set_aside(store, ACME, "2")
    set_aside(store, BETA, "1")
    return place


def tickets(rows) -> list[tuple[str, str]]:
    return [(row.tenant, row.ticket) for row in rows]


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (Filter(), [("acme", "1"), ("acme", ""), ("acme", "2"), ("beta", "1")]),
        (Filter(tenant="beta"), [("beta", "1")]),
        (Filter(ticket="1"), [("acme", "1"), ("beta", "1")]),
        (Filter(states=("held",)), [("acme", "")]),
        (Filter(limit=1), [("acme", "1")]),
        (Filter(row=3), [("acme", "2")]),
        (Filter(states=("ready",)), []),
    ],
)
def test_a_filter_means_the_rows_that_fit_all_of_it(state, which, found) -> None:
    assert tickets(look_at_rows(state, which)) == found


def test_an_age_means_what_was_taken_in_before(state, clock) -> None:
    old = Filter(received_before=clock.now().timestamp() - 60)
    assert tickets(look_at_rows(state, old)) == [("acme", "1"), ("acme", "")]


def test_a_retry_makes_tickets_ready_with_all_their_attempts(state, store) -> None:
    assert tickets(store.queue.retry(Filter(tenant=ACME))) == [("acme", "1"), ("acme", "2")]
    jobs = store.inbox.claim(32, tenants=[ACME])
    assert [(job.ticket, job.attempts) for job in jobs] == [("1", 0), ("2", 0)]
    assert [row.state for row in look_at_rows(state, Filter(tenant="beta"))] == ["dead"]


def test_a_retry_opens_one_row_for_a_ticket_and_none_beside_an_open_one(store) -> None:
    set_aside(store, ACME, "1")
    set_aside(store, ACME, "1", "refused again")
    assert len(store.queue.retry(Filter(tenant=ACME, ticket="1"))) == 1
    assert store.queue.retry(Filter(tenant=ACME, ticket="1")) == ()


def test_a_drop_deletes_what_is_set_aside_and_nothing_else(state, store) -> None:
    store.inbox.receive(ACME, [TicketId("9")], delivery="open")
    assert len(store.queue.drop(Filter())) == 4
    assert tickets(look_at_rows(state, Filter())) == [("acme", "9")]


def test_a_refused_ticket_is_written_once_its_cause_is_mended(
    daemon: HandDaemon, adapter, store
) -> None:
    ticket = adapter.arrive("network down", "no network since eight")
    write = adapter.write

    def refuse(*_arguments: object) -> None:
        raise Rejected("422")

    adapter.write = refuse
    daemon.round()
    adapter.write = write
    daemon.round()
    assert adapter.writes(ticket) == 0
    store.queue.retry(Filter())
    daemon.round()
    assert adapter.writes(ticket) == 1


@pytest.fixture
def woken() -> list[bool]:
    return []


@pytest.fixture
def listening(state, store, woken) -> Iterator[Path]:
    served = ControlSocket(state.directory, store, lambda: woken.append(True))
    served.start()
    yield state.directory
    served.stop()


def test_the_daemon_carries_commands_out_and_is_woken(listening, store, woken) -> None:
    done = control.ask(listening, "retry", Filter(tenant=ACME, states=("dead",)))
    assert tickets(done or ()) == [("acme", "1"), ("acme", "2")]
    assert len(store.inbox.claim(32, tenants=[ACME])) == 2
    dropped = control.ask(listening, "drop", Filter(tenant=BETA))
    assert tickets(dropped or ()) == [("beta", "1")]
    assert woken == [True, True]


def test_the_socket_is_for_the_owner_alone_and_goes_with_the_daemon(state, store) -> None:
    path = state.directory / control.SOCKET
    path.touch()
    served = ControlSocket(state.directory, store, lambda: None)
    served.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    served.stop()
    assert not path.exists()
    assert control.ask(state.directory, "retry", Filter()) is None


@pytest.mark.parametrize(
    "request_line",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b'{"action": "explode", "filter": {"states": []}}\n',
        b'{"action": "drop", "filter": {"states": [], "color": 1}}\n',
        b"x" * 100_000,
    ],
)
def test_a_request_that_is_not_understood_changes_nothing(listening, request_line, place) -> None:
    before = look_at_rows(place, Filter())
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(listening / control.SOCKET))
        line.sendall(request_line)
        line.shutdown(socket.SHUT_WR)
        assert "error" in json.loads(line.makefile("rb").readline())
    assert look_at_rows(place, Filter()) == before


def test_a_command_that_the_daemon_does_not_know_is_said(listening) -> None:
    with pytest.raises(StateUnusable, match="another version"):
        control.ask(listening, "explode", Filter())
