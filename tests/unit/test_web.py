import socket
import threading
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pytest
import requests

from connector.errors import ConfigError
from connector.metrics import Metrics
from connector.web import api
from connector.web.server import WebServer
from connector.webhook import Call


class Intake:
    """An intake that notes what it is given and answers as told."""

    def __init__(self) -> None:
        self.status = 202
        self.taken: list[Call] = []

    def take(self, calls: Sequence[Call]) -> Sequence[int]:
        self.taken.extend(calls)
        if self.status == 0:
            raise RuntimeError
        return [self.status for _ in calls]


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def missing() -> list[str]:
    return []


@pytest.fixture
def server(intake, missing) -> Iterator[str]:
    application = api.create(intake, Metrics().text, lambda: "".join(missing))
    web = WebServer(application, "127.0.0.1", 0)
    web.start()
    yield f"http://127.0.0.1:{web.port}"
    web.stop(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "web"]


def test_the_intake_gets_the_raw_bytes_and_lower_case_headers(server, intake) -> None:
    body = '{"note": "Grüße – 温度" }'.encode()
    answer = requests.post(f"{server}/hooks/acme", body, headers={"X-Sig": "Ab"}, timeout=10)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    [(tenant, taken, headers)] = intake.taken
    assert (tenant, taken, headers["x-sig"]) == ("acme", body, "Ab")


def test_a_refusal_says_no_more_than_that(server, intake) -> None:
    intake.status = 401
    answer = requests.post(f"{server}/hooks/acme", b"{}", timeout=10)
    assert (answer.status_code, answer.json()) == (401, {"status": "refused"})


def test_busy_names_a_time(server, intake) -> None:
    intake.status = 503
    answer = requests.post(f"{server}/hooks/acme", b"{}", timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_after_a_defect_the_next_call_is_answered(server, intake) -> None:
    for status, answered in ((0, 500), (202, 202), (0, 500), (202, 202)):
        intake.status = status
        assert requests.post(f"{server}/hooks/acme", b"{}", timeout=10).status_code == answered


def test_a_body_over_the_limit_is_refused_and_not_taken(server, intake) -> None:
    at_the_limit = requests.post(f"{server}/hooks/acme", b"x" * (1 << 20), timeout=10)
    over = requests.post(f"{server}/hooks/acme", b"x" * ((1 << 20) + 1), timeout=10)
    assert (at_the_limit.status_code, over.status_code) == (202, 413)
    assert len(intake.taken) == 1


def test_chunks_that_are_none_are_a_bad_request(server, intake) -> None:
    parts = urlsplit(server)
    with socket.create_connection((parts.hostname, parts.port), 10) as one:
        head = b"POST /hooks/acme HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        one.sendall(head + b'{"ticket": 1}')
        assert one.recv(64).startswith(b"HTTP/1.1 400 ")
    assert not intake.taken


def test_an_encoded_body_is_refused(server, intake) -> None:
    headers = {"Content-Encoding": "gzip"}
    answer = requests.post(f"{server}/hooks/acme", b"x", headers=headers, timeout=10)
    assert (answer.status_code, intake.taken) == (415, [])


def test_health_readiness_and_counts(server, missing) -> None:
    assert requests.get(f"{server}/healthz", timeout=10).status_code == 200
    assert requests.get(f"{server}/readyz", timeout=10).status_code == 200
    missing.append("stopping")
    unready = requests.get(f"{server}/readyz", timeout=10)
    assert (unready.status_code, unready.json()) == (503, {"status": "stopping"})
    counts = requests.get(f"{server}/metrics", timeout=10)
    assert "triaged_ready" in counts.text


@pytest.mark.parametrize(("method", "path"), [("GET", "/hooks/acme"), ("POST", "/healthz")])
def test_other_methods_are_not_allowed(server, method: str, path: str) -> None:
    assert requests.request(method, server + path, timeout=10).status_code == 405


def test_a_port_in_use_is_a_matter_of_configuration() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"web\.listen: 127\.0\.0\.1:{port} cannot be used"):
            WebServer(api.create(Intake(), bytes, str), "127.0.0.1", port)
