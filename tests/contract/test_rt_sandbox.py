"""The practice desk for Request Tracker: its control calls, the same as every platform's."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from people import HandClock

from adapters.rt import platform
from adapters.rt.sandbox import RtSandbox, serve
from connector.model import Secret
from connector.ports import Surroundings

Control = Callable[..., requests.Response]


@pytest.fixture
def control(rt_sandbox: RtSandbox) -> Control:
    def call(method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{rt_sandbox.url}/sandbox/{path}"
        return requests.request(method, url, json=body, timeout=10)

    return call


def test_a_tenant_file_from_the_sandbox_reaches_the_sandbox(
    control: Control, clock: HandClock
) -> None:
    told = control("GET", "tenant").json()
    options = platform.options(**told["desk"])
    world = Surroundings(secret=lambda name: Secret(told["secrets"][name]), clock=clock)
    with platform.connect(options, world) as adapter:
        assert adapter.check().name == "Triage"
        fields = {info.id for info in adapter.describe_fields()}
    assert {aspect["field"] for aspect in told["aspects"].values()} <= fields
    assert told["intake"]["webhook"]["secret"].removeprefix("secret:") in told["secrets"]


def test_a_ticket_arrives_with_what_a_person_set_and_is_changed(
    control: Control, clock: HandClock
) -> None:
    staff = {
        "groups": ["Network"],
        "agents": [{"name": "Bo Berg", "email": "bo@x.example", "group": "Network"}],
    }
    named = control("POST", "staff", staff).json()
    assert named["agents"] == {"bo@x.example": "bo"}
    filed = {
        "subject": "VPN",
        "description": "<p>down</p>",
        "requester": "Ines Silva",
        "fields": {"Category": "network", "priority": "high"},
        "tags": ["vip"],
        "group": "Network",
        "assignee": "bo@x.example",
    }
    ticket = control("POST", "tickets", filed).json()["id"]
    assert control("GET", f"tickets/{ticket}").json() == {
        "id": ticket,
        "subject": "VPN",
        "description": "<p>down</p>",
        "status": "new",
        "group": named["groups"]["Network"],
        "assignee": "bo",
        "fields": {
            "priority": "high",
            "Category": "network",
            "Sentiment": None,
            "Suggested assignee": None,
            "Products": [],
        },
        "tags": ["vip"],
        "writes": 0,
        "public_messages": 1,
        "notes": [],
    }
    clock.advance(5)
    change = {"reply": "still", "status": "solved", "fields": {"Products": ["laptop"]}}
    shown = control("POST", f"tickets/{ticket}", change).json()
    assert (shown["status"], shown["public_messages"]) == ("resolved", 2)
    assert shown["fields"]["Products"] == ["laptop"]
    assert control("GET", "tickets/77").status_code == 404
    assert control("POST", "tickets", {"group": "Nowhere"}).status_code == 422


def test_settings_and_faults_that_do_not_exist_are_refused(control: Control) -> None:
    assert control("POST", "settings", {"export_delay": 0, "latency": 0}).status_code == 200
    assert control("POST", "settings", {"speed": 1}).status_code == 422
    assert control("POST", "faults", {"explode": True}).status_code == 422
    assert control("POST", "faults", [{"match": "GET", "status": 503}]).status_code == 200
    assert control("POST", "tickets", []).status_code == 400
    assert control("GET", "elsewhere").status_code == 404


def test_over_the_limit_calls_are_refused_until_the_minute_is_over(
    control: Control, rt_sandbox: RtSandbox, clock: HandClock
) -> None:
    control("POST", "settings", {"rate_limit": 2})
    token = rt_sandbox.state.users["triage"].token.reveal()
    clock.advance(80 - clock.now().second)

    def ask() -> requests.Response:
        headers = {"Authorization": f"token {token}"}
        return requests.get(f"{rt_sandbox.url}/REST/2.0/rt", headers=headers, timeout=10)

    answers = [ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "40"
    clock.advance(timedelta(seconds=40).total_seconds())
    assert ask().status_code == 200
    assert control("GET", "calls").json() == {"GET /REST/2.0/rt": 4}


def test_a_call_that_cannot_be_read_is_refused_in_rts_words(rt_sandbox: RtSandbox) -> None:
    answer = requests.post(f"{rt_sandbox.url}/REST/2.0/ticket", data="{", timeout=10)
    assert (answer.status_code, list(answer.json())) == (400, ["message"])


def test_it_can_be_served_until_interrupted() -> None:
    ports: list[int] = []
    listening = threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    server = threading.Thread(target=serve, args=("127.0.0.1", 0, ready), daemon=True)
    server.start()
    assert listening.wait(10)
    told = requests.get(f"http://127.0.0.1:{ports[0]}/sandbox/tenant", timeout=10).json()
    assert told["desk"]["platform"] == "rt"
