"""The practice desk for REST APIs: its control calls, the same as every platform's; credentials."""

import base64
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from people import SUBJECT, TEXT, HandClock
from rest_people import RestPeople

from adapters.rest import platform
from adapters.rest.client import authorization, error_code
from adapters.rest.config import AuthOptions
from adapters.rest.sandbox import MODERN, PLAIN, RestSandbox, serve
from connector.errors import Retry
from connector.model import Secret
from connector.ports import Surroundings

Control = Callable[..., requests.Response]


@pytest.fixture
def control(rest_sandbox: RestSandbox) -> Control:
    def call(method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{rest_sandbox.url}/sandbox/{path}"
        return requests.request(method, url, json=body, timeout=10)

    return call


@pytest.mark.parametrize("dialect", [MODERN, PLAIN])
def test_a_tenant_file_from_the_sandbox_reaches_the_sandbox(
    control: Control, clock: HandClock, dialect: str
) -> None:
    told = control("GET", f"tenant?dialect={dialect}").json()
    options = platform.options(**told["desk"])
    world = Surroundings(secret=lambda name: Secret(told["secrets"][name]), clock=clock)
    with platform.connect(options, world) as adapter:
        assert adapter.check().account == "triage@sandbox.example"
        fields = {info.id for info in adapter.describe_fields()}
    assert {aspect["field"] for aspect in told["aspects"].values()} <= fields
    assert told["intake"]["webhook"]["secret"].removeprefix("secret:") in told["secrets"]


def test_a_dialect_that_it_does_not_speak_is_refused(control: Control) -> None:
    assert control("GET", "tenant?dialect=klingon").status_code == 422


def test_a_ticket_arrives_with_what_a_person_set_and_is_changed(control: Control) -> None:
    staff = {"agents": [{"name": "Bo Berg", "email": "bo@x.example", "group": "Network"}]}
    named = control("POST", "staff", staff).json()
    filed = {
        "subject": "VPN",
        "description": "down",
        "requester": "Ines Silva",
        "fields": {"category": "network", "priority": "high"},
        "tags": ["vip"],
        "group": "Network",
        "assignee": "bo@x.example",
    }
    ticket = control("POST", "tickets", filed).json()["id"]
    fields = {"category": "network", "priority": "high"}
    assert control("GET", f"tickets/{ticket}").json() == {
        "id": ticket,
        "subject": "VPN",
        "description": "down",
        "status": "new",
        "group": named["groups"]["Network"],
        "assignee": named["agents"]["bo@x.example"],
        "fields": {"sentiment": None, "assignee": None, "products": None, **fields},
        "tags": ["vip"],
        "writes": 0,
        "public_messages": 1,
    }
    change = {"reply": "still", "note": "hm", "status": "solved"}
    shown = control("POST", f"tickets/{ticket}", change).json()
    assert (shown["status"], shown["public_messages"]) == ("solved", 2)


def test_control_calls_that_make_no_sense_are_refused(control: Control) -> None:
    ticket = control("POST", "tickets", {"subject": "s"}).json()["id"]
    for body in ({"fields": {"colour": "red"}}, {"fields": {"category": "red"}}, {"group": "No"}):
        assert control("POST", f"tickets/{ticket}", body).status_code == 422
    assert control("GET", "tickets/77").status_code == 404
    assert control("POST", "settings", {"speed": 1}).status_code == 422
    assert control("POST", "faults", {"explode": True}).status_code == 422
    assert control("POST", "tickets", []).status_code == 400
    assert control("GET", "elsewhere").status_code == 404


def test_over_the_limit_calls_are_refused_until_the_minute_is_over(
    rest: RestPeople, clock: HandClock
) -> None:
    rest.arrive(SUBJECT, TEXT)
    rest.post("settings", {"rate_limit": 1})
    clock.advance(80 - clock.now().second)
    rest.adapter._client.identity()
    with pytest.raises(Retry) as refused:
        rest.adapter.check()
    assert refused.value.after == 40


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"kind": "bearer"}, "Authorization", b"Bearer k\xc3\xa9y"),
        ({"kind": "bearer", "prefix": "Token token="}, "Authorization", b"Token token=k\xc3\xa9y"),
        ({"kind": "header", "header": "X-Key"}, "X-Key", b"k\xc3\xa9y"),
        ({"kind": "basic"}, "Authorization", "Basic " + "ann:k\u00e9y"),
        ({"kind": "basic", "key_as": "user"}, "Authorization", "Basic " + "k\u00e9y:X"),
    ],
)
def test_a_key_is_sent_as_the_options_say(options: Any, name: str, value: Any) -> None:
    if isinstance(value, str):
        kind, pair = value.split()
        value = kind.encode() + b" " + base64.b64encode(pair.encode())
    request = requests.Request("GET", "https://desk.acme.example/").prepare()
    signed = authorization(AuthOptions(**options), "ann", Secret("k\u00e9y"))(request)
    assert signed.headers[name] == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"code": "not_found", "message": "Ticket about my salary"}}, "not_found"),
        ({"error": "invalid_value"}, "invalid_value"),
        ({"code": "INVALID_FIELD"}, "INVALID_FIELD"),
        ({"error": {"type": "RecordInvalid"}}, "RecordInvalid"),
        ({"error": "My salary is wrong"}, ""),
        ({"error": "salary"}, ""),
        ([{"errorCode": "X"}], ""),
        ("text", ""),
        ({"error": None}, ""),
    ],
)
def test_a_refusals_code_is_told_and_no_sentence(body: object, code: str) -> None:
    assert error_code(body) == code


def test_it_can_be_served_until_interrupted() -> None:
    ports: list[int] = []
    listening = threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    threading.Thread(target=serve, args=("127.0.0.1", 0, ready), daemon=True).start()
    assert listening.wait(10)
    told = requests.get(f"http://127.0.0.1:{ports[0]}/sandbox/tenant", timeout=10).json()
    assert told["desk"]["platform"] == "rest"
