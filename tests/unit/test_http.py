"""The network seam: one origin, paced, and every answer translated."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from adapters.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    DeskSession,
    Pacer,
    json_object,
)
from adapters.limits import UNTOLD_PAUSE
from adapters.origin import Origin
from connector.errors import Conflict, Gone, Rejected, Retry, TriagedError, Unauthorized

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class HandClock:
    def __init__(self) -> None:
        self.at = NOW
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass
class Script:
    """What the server answers next, and what it was asked."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    url: str = ""

    def answer(self, status: int, body: object = "", **headers: str) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.answers.append((status, {k.replace("_", "-"): v for k, v in headers.items()}, raw))


@pytest.fixture
def script() -> Iterator[Script]:
    told = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.asked.append((self.path, dict(self.headers)))
            status, headers, body = told.answers.pop(0) if told.answers else (200, {}, b"{}")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def session(script: Script, clock: HandClock) -> Iterator[DeskSession]:
    with DeskSession(script.url, clock, tickets=r"^/tickets/\d+") as opened:
        opened.auth = ("account", "pass-phrase")
        yield opened


@pytest.mark.parametrize(
    ("status", "path", "error"),
    [
        (400, "/tickets/1", Rejected),
        (401, "/tickets/1", Unauthorized),
        (403, "/tickets/1", Rejected),
        (404, "/tickets/1", Gone),
        (404, "/fields", Rejected),
        (410, "/tickets/1", Gone),
        (422, "/tickets/1", Rejected),
        (409, "/tickets/1", Conflict),
        (412, "/tickets/1", Conflict),
        (408, "/fields", Retry),
        (425, "/fields", Retry),
        (429, "/fields", Retry),
        (500, "/fields", Retry),
        (502, "/fields", Retry),
        (503, "/fields", Retry),
        (504, "/fields", Retry),
        (304, "/fields", Rejected),
    ],
)
def test_a_status_says_what_happens_next(
    session: DeskSession, script: Script, status: int, path: str, error: type[TriagedError]
) -> None:
    script.answer(status)
    with pytest.raises(error, match=f"GET {path}: {status}"):
        session.get(script.url + path)


def test_a_refusal_quotes_neither_query_nor_body(session: DeskSession, script: Script) -> None:
    script.answer(422, {"error": "the ticket's text"})
    with pytest.raises(Rejected) as refused:
        session.get(f"{script.url}/fields?text=secret")
    assert refused.value.detail == "GET /fields: 422"


def test_the_platforms_code_is_quoted_when_it_can_be_read(script: Script, clock: HandClock) -> None:
    def code(body: object) -> str:
        return str(body["error"]) if isinstance(body, dict) else ""

    with DeskSession(script.url, clock, error_code=code) as session:
        script.answer(400, {"error": "TooMany"})
        with pytest.raises(Rejected, match="400 TooMany"):
            session.get(script.url)
        script.answer(400, "plain text")
        with pytest.raises(Rejected, match="400"):
            session.get(script.url)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/x",
        "http://127.0.0.2:{port}/x",
        "http://127.0.0.1:1/x",
        "http://127.0.0.1:{port}@evil.example/x",
        "http://evil.example/?http://127.0.0.1:{port}/",
    ],
)
def test_nothing_is_sent_to_another_scheme_host_or_port(
    session: DeskSession, script: Script, url: str
) -> None:
    with pytest.raises(Rejected, match="another scheme, host or port"):
        session.get(url.format(port=script.url.rpartition(":")[2]))
    assert script.asked == []


def test_a_redirect_is_not_followed(session: DeskSession, script: Script) -> None:
    script.answer(302, Location=f"{script.url}/elsewhere")
    with pytest.raises(Rejected, match="302"):
        session.get(script.url, allow_redirects=True)
    assert len(script.asked) == 1


def test_no_cookie_is_kept_between_calls(session: DeskSession, script: Script) -> None:
    script.answer(200, {}, Set_Cookie="session=abc; Path=/")
    session.get(script.url)
    session.get(script.url)
    assert "Cookie" not in script.asked[1][1]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    session: DeskSession, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    session.get(script.url)
    assert len(script.asked) == 1


def test_a_desk_that_is_down_is_tried_again(clock: HandClock) -> None:
    with DeskSession("http://127.0.0.1:1", clock) as session, pytest.raises(Retry) as down:
        session.get("http://127.0.0.1:1/tickets/1?text=secret")
    assert down.value.detail == "GET /tickets/1: ConnectionError"
    assert down.value.after is None


def test_an_answer_that_breaks_off_is_tried_again(session: DeskSession, script: Script) -> None:
    script.answer(200, "{}", Content_Length="50", Connection="close")
    with pytest.raises(Retry):
        session.get(script.url)


def test_every_call_has_both_time_outs(
    session: DeskSession, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def send(_self: object, _request: object, **kwargs: Any) -> requests.Response:
        seen.append(kwargs["timeout"])
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with pytest.raises(Retry, match="ReadTimeout"):
        session.get(script.url, timeout=None)
    assert seen == [(CONNECT_SECONDS, READ_SECONDS)]


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"ratelimit_remaining": "0", "ratelimit_reset": "41"}, 41.0),
        ({"X_Rate_Limit_Remaining": "0"}, UNTOLD_PAUSE),
        ({"X_Rate_Limit_Remaining": "0", "ratelimit_reset": "garbage"}, UNTOLD_PAUSE),
    ],
)
def test_a_used_up_limit_pauses_the_desk(
    session: DeskSession, script: Script, clock: HandClock, headers: dict[str, str], pause: float
) -> None:
    script.answer(200, {}, **headers)
    session.get(script.url)
    clock.sleep(pause - 1)
    with pytest.raises(Retry, match="not sent") as refused:
        session.get(script.url)
    assert refused.value.after == 1.0
    clock.sleep(1)
    session.get(script.url)
    assert len(script.asked) == 2


@pytest.mark.parametrize("told", ["1", "", "many"])
def test_a_limit_that_is_not_used_up_pauses_nothing(
    session: DeskSession, script: Script, told: str
) -> None:
    script.answer(200, {}, X_Rate_Limit_Remaining=told)
    session.get(script.url)
    session.get(script.url)
    assert len(script.asked) == 2


def test_a_429_pauses_all_threads_for_as_long_as_it_says(
    session: DeskSession, script: Script, clock: HandClock
) -> None:
    script.answer(429, "slow down", Retry_After="9")
    for after in (9.0, 9.0):
        with pytest.raises(Retry) as refused:
            session.get(script.url)
        assert refused.value.after == after
    assert len(script.asked) == 1
    clock.sleep(9)
    session.get(script.url)


def test_only_a_json_object_is_an_answer(session: DeskSession, script: Script) -> None:
    script.answer(200, {"a": 1})
    assert json_object(session.get(script.url)) == {"a": 1}
    for body in ("<html>", "", [], "null"):
        script.answer(200, body)
        with pytest.raises(Retry, match="no JSON object"):
            json_object(session.get(script.url))


def test_a_pacer_lets_calls_through_one_interval_apart(clock: HandClock) -> None:
    pacer = Pacer(clock, 6.5)
    pacer.wait()
    pacer.wait()
    clock.at += timedelta(seconds=2)
    pacer.wait()
    clock.at += timedelta(seconds=100)
    pacer.wait()
    assert clock.slept == [6.5, 4.5]


def test_a_pacer_gives_every_thread_a_turn_of_its_own() -> None:
    class StillClock(HandClock):
        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)

    clock = StillClock()
    pacer = Pacer(clock, 2.0)
    threads = [threading.Thread(target=pacer.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clock.slept) == [2.0, 4.0, 6.0, 8.0]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Acme.Zendesk.com/a?b", ("https", "acme.zendesk.com", 443)),
        ("http://[::1]:80/", ("http", "::1", 80)),
        ("ftp://host", ("ftp", "host", 0)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: tuple[str, str, int]) -> None:
    assert Origin.of(url) == origin


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_loopback_is_told_from_elsewhere(host: str, near: bool) -> None:  # noqa: FBT001
    assert Origin.of(f"http://{host}:8080/").is_loopback is near


def test_the_desks_clock_is_compared_with_ours_by_its_answers(
    session: DeskSession, script: Script
) -> None:
    assert session.skew is None
    script.answer(200, "{}", Age="12")  # kept by a cache for a while: tells no time of today
    session.get(script.url)
    assert session.skew is None
    session.get(script.url)
    apart = (datetime.now(UTC) - NOW).total_seconds()
    assert session.skew == pytest.approx(apart, abs=60)
