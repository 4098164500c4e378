"""What strangers may send to the daemon, and what becomes of it."""

import json
import signal
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from urllib.parse import urlsplit

import pytest
from world import PATIENCE, Daemon, Desk, Running, until

from adapters.zendesk.config import PUBLIC_TEST_SECRET
from adapters.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP, signature
from connector.model import Secret
from connector.store import Place, look

REFUSED = HTTPStatus.UNAUTHORIZED
_numbers = count(1)


def body_for(ticket: str) -> bytes:
    return json.dumps({"ticket_id": ticket}).encode()


def at(offset: timedelta) -> str:
    return (datetime.now(UTC) + offset).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed(desk: Desk, body: bytes, **changes: str) -> dict[str, str]:
    """Sign a call as the desk does, with a delivery id of its own."""
    moment = changes.pop("moment", at(timedelta()))
    key = Secret(changes.pop("key", desk.sandbox.webhook_secret.reveal()))
    return {
        INVOCATION: f"E2E{next(_numbers)}",
        TIMESTAMP: moment,
        SIGNATURE: signature(key, moment, body),
        **changes,
    }


@pytest.fixture
def body(running: Running) -> bytes:
    return body_for(running.hooked.arrive("VPN down", "The VPN does not connect."))


@pytest.fixture(autouse=True)
def _settled(running: Running) -> Iterator[None]:
    """Hold that a refused call left nothing behind, and that the daemon goes on."""
    yield
    ticket = running.hooked.arrive("VPN down", "The VPN does not connect.", hook=True)
    running.daemon.event("ticket_triaged", tenant="hooked", ticket=ticket)


def taken_in(daemon: Daemon) -> float:
    return daemon.metric("triaged_received_total", tenant="hooked", source="webhook")


def forgeries(desk: Desk, body: bytes) -> Iterator[tuple[str, Mapping[str, str]]]:
    right = signed(desk, body)
    moment, key = right[TIMESTAMP], desk.sandbox.webhook_secret
    yield "nothing", {}
    yield "no signature", {k: v for k, v in right.items() if k != SIGNATURE}
    yield "no time", {k: v for k, v in right.items() if k != TIMESTAMP}
    yield "another key", signed(desk, body, key="of somebody else")
    yield "public test key", signed(desk, body, key=PUBLIC_TEST_SECRET)
    yield "parts in the wrong order", {**right, SIGNATURE: wrong_order(key, moment, body)}
    yield "decoded key", {**right, SIGNATURE: signature(decoded(key), moment, body)}
    yield "re-serialised body", {**right, SIGNATURE: signature(key, moment, body + b" ")}
    yield "stale", signed(desk, body, moment=at(timedelta(minutes=-6)))
    yield "from the future", signed(desk, body, moment=at(timedelta(minutes=6)))
    yield "a new time on an old signature", {**right, TIMESTAMP: at(timedelta(seconds=-1))}
    yield "no time of day", signed(desk, body, moment="yesterday")


def wrong_order(key: Secret, moment: str, body: bytes) -> str:
    return signature(key, body.decode(), moment.encode())


def decoded(key: Secret) -> Secret:
    return Secret(b64decode(key.reveal() + "==", altchars=b"-_").decode("latin-1"))


def test_every_forged_or_stale_call_is_refused(running: Running, body) -> None:
    before = taken_in(running.daemon)
    answers = {
        kind: running.daemon.hook("hooked", body, headers).status_code
        for kind, headers in forgeries(running.hooked, body)
    }
    assert answers == dict.fromkeys(answers, REFUSED)
    assert len(answers) >= 12
    assert taken_in(running.daemon) == before


def test_an_unknown_tenant_is_answered_as_a_wrong_signature_is(running: Running, body) -> None:
    right = signed(running.hooked, body)
    unknown = running.daemon.hook("nobody", body, right)
    forged = running.daemon.hook("hooked", body, {**right, SIGNATURE: "x"})
    assert (unknown.status_code, unknown.content) == (forged.status_code, forged.content)


def test_one_tenants_secret_is_not_anothers(running: Running, body) -> None:
    answer = running.daemon.hook("polled", body, signed(running.hooked, body))
    assert answer.status_code == REFUSED


def test_a_replayed_call_is_accepted_and_changes_nothing(running: Running, body) -> None:
    before = taken_in(running.daemon)
    headers = signed(running.hooked, body)
    answers = [running.daemon.hook("hooked", body, headers).status_code for _ in range(3)]
    assert answers == [HTTPStatus.ACCEPTED] * 3
    assert taken_in(running.daemon) == before + 1


def test_a_signed_call_that_names_no_ticket_is_held(running: Running) -> None:
    body = b'{"ticket": '
    headers = signed(running.hooked, body)
    assert running.daemon.hook("hooked", body, headers).status_code == HTTPStatus.ACCEPTED
    [mine] = [one for one in look(Place(running.daemon.site.state)) if one.tenant == "hooked"]
    assert mine.states["held"] == 1


def test_a_call_for_a_ticket_that_is_no_more_ends_well(running: Running) -> None:
    body = body_for("99999999")
    before = running.daemon.metric("triaged_tickets_total", tenant="hooked", ending="done")
    answer = running.daemon.hook("hooked", body, signed(running.hooked, body))
    assert answer.status_code == HTTPStatus.ACCEPTED
    until(
        "it was looked at",
        lambda: (
            running.daemon.metric("triaged_tickets_total", tenant="hooked", ending="done") > before
        ),
    )


def test_a_body_of_a_mebibyte_is_read_and_a_byte_more_is_refused(running: Running) -> None:
    for size, status in ((1 << 20, HTTPStatus.ACCEPTED), ((1 << 20) + 1, 413)):
        body = b'{"ticket_id": "1", "more": "' + b"x" * (size - 30) + b'"}'
        assert len(body) == size
        answer = running.daemon.hook("hooked", body, signed(running.hooked, body))
        assert answer.status_code == status


def test_a_large_body_in_chunks_is_refused(running: Running) -> None:
    url = f"{running.daemon.address}/hooks/hooked"
    answer = running.daemon._session.post(url, data=(b"x" * 65536 for _ in range(32)))
    assert answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_compressed_body_is_refused(running: Running, body) -> None:
    headers = signed(running.hooked, body) | {"Content-Encoding": "gzip"}
    assert running.daemon.hook("hooked", body, headers).status_code == 415


def test_only_what_is_served_is_served(running: Running) -> None:
    assert running.daemon.get("/hooks/hooked").status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert running.daemon.get("/hooks/hooked/more").status_code == HTTPStatus.NOT_FOUND
    assert running.daemon.get("/").status_code == HTTPStatus.NOT_FOUND


def test_connections_that_dawdle_are_closed(running: Running) -> None:
    start = b"POST /hooks/hooked HTTP/1.1\r\nHost: desk\r\n"
    with connected(running.daemon) as headers, connected(running.daemon) as body:
        headers.sendall(start + b"X-Slow: ")
        body.sendall(start + b"Content-Length: 9\r\n\r\n1")
        answers = [headers.recv(4096), body.recv(4096)]
    assert all(answer == b"" or b" 408 " in answer for answer in answers)


def test_many_calls_at_once_are_all_taken_in(running: Running) -> None:
    before = taken_in(running.daemon)
    tickets = [running.hooked.arrive(f"VPN down in office {n}") for n in range(16)]
    answers: list[int] = []

    def call(ticket: str) -> None:
        body = body_for(ticket)
        answer = running.daemon.hook("hooked", body, signed(running.hooked, body))
        answers.append(answer.status_code)

    threads = [threading.Thread(target=call, args=(ticket,)) for ticket in tickets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == [HTTPStatus.ACCEPTED] * len(tickets)
    assert taken_in(running.daemon) == before + len(tickets)
    until("all are written", lambda: all(running.hooked.writes(tickets)))


def test_sigint_ends_the_daemon_though_a_connection_is_idle(tenanted) -> None:
    daemon = tenanted.daemon().ready()
    with connected(daemon):
        assert daemon.get("/healthz").status_code == HTTPStatus.OK
        daemon.signal(signal.SIGINT)
        assert daemon.left() == 0


def connected(daemon: Daemon) -> socket.socket:
    parts = urlsplit(daemon.address)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), PATIENCE)
