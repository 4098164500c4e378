"""The sandbox instance: its control calls, and the quirks of the API that it speaks."""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from people import HandClock
from sandbox_person import Receiver

from adapters.servicenow import ServiceNowDesk, platform
from adapters.servicenow.sandbox import Fault, ServiceNowSandbox, serve
from adapters.servicenow.webhook import read_signed
from connector.model import Secret
from connector.ports import Surroundings

TABLE = "/api/now/table"
NEW = {"subject": "VPN", "description": "down", "requester": "Rita"}


class Person:
    """Speaks to the sandbox over HTTP, as the demonstration does."""

    def __init__(self, sandbox: ServiceNowSandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.auth = ("triage", sandbox.door.password.reveal())
        self.http.headers["Accept"] = "application/json"

    def close(self) -> None:
        self.http.close()

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> requests.Response:
        url = self.sandbox.url + path
        return self.http.request(method, url, json=body, timeout=10, **more)

    def get(self, path: str) -> Any:
        return self.ask("GET", path).json()

    def post(self, path: str, body: object) -> Any:
        return self.ask("POST", path, body).json()

    def rows(self, query: str, **parameters: str) -> Any:
        asked = "&".join(f"sysparm_{name}={value}" for name, value in parameters.items())
        return self.ask("GET", f"{TABLE}/incident?sysparm_query={query}&{asked}")


@pytest.fixture
def person(servicenow: ServiceNowSandbox) -> Iterator[Person]:
    with closing(Person(servicenow)) as someone:
        yield someone


def test_a_tenant_file_from_the_sandbox_reaches_the_sandbox(
    person: Person, clock: HandClock
) -> None:
    told = person.get("/sandbox/tenant")
    options = platform.options(**told["desk"])
    world = Surroundings(secret=lambda name: Secret(told["secrets"][name]), clock=clock)
    with platform.connect(options, world) as adapter:
        assert adapter.check().name == "Triage"
        fields = {info.id for info in adapter.describe_fields()}
    assert {aspect["field"] for aspect in told["aspects"].values()} <= fields
    assert {aspect["mode"] for aspect in told["aspects"].values()} == {"auto"}
    assert told["intake"]["webhook"]["secret"].removeprefix("secret:") in told["secrets"]


def test_a_ticket_arrives_with_what_a_person_set(person: Person) -> None:
    agent = {"name": "Ann", "email": "ann@x.example", "group": "Network"}
    staff = person.post("/sandbox/staff", {"groups": ["Network"], "agents": [agent]})
    filed = {
        **NEW,
        "fields": {"category": "network", "priority": "2"},
        "tags": ["vip"],
        "status": "open",
        "group": "Network",
        "assignee": "ann@x.example",
    }
    told = person.post("/sandbox/tickets", filed)
    assert person.get(f"/sandbox/tickets/{told['id']}") == {
        "id": told["id"],
        "number": "INC0010001",
        "subject": "VPN",
        "description": "down",
        "status": "1",
        "group": staff["groups"]["Network"],
        "assignee": staff["agents"]["ann@x.example"],
        "fields": {
            "category": "network",
            "priority": "2",
            "impact": "2",
            "urgency": "1",
            "state": "1",
            "u_sentiment": None,
            "u_suggested_assignee": None,
            "u_products": None,
        },
        "tags": ["vip"],
        "writes": 0,
        "public_messages": 1,
        "notes": [],
    }


def test_a_person_changes_a_ticket_and_moves_its_count(person: Person, clock: HandClock) -> None:
    ticket_id = person.post("/sandbox/tickets", NEW)["id"]
    clock.advance(5)
    changes = {"reply": "still", "tags": ["vip"], "status": "pending"}
    shown = person.post(f"/sandbox/tickets/{ticket_id}", changes)
    assert (shown["public_messages"], shown["tags"], shown["status"]) == (2, ["vip"], "3")
    row = person.get(f"{TABLE}/incident/{ticket_id}")["result"]
    assert row["sys_mod_count"] == "2"
    assert row["comments"] == ""
    assert row["sys_updated_on"] > row["sys_created_on"]


class TestQueries:
    def test_a_condition_on_an_unknown_field_is_dropped(self, person: Person) -> None:
        for number in range(3):
            person.post("/sandbox/tickets", {**NEW, "subject": str(number)})
        asked = "short_description=1^u_no_such=1"
        assert [row["short_description"] for row in person.rows(asked).json()["result"]] == ["1"]
        assert len(person.rows("u_no_such=1").json()["result"]) == 3
        person.post("/sandbox/settings", {"invalid_query_returns_no_rows": True})
        assert person.rows("u_no_such=1").json()["result"] == []

    def test_two_queries_can_be_joined_and_sorted(self, person: Person) -> None:
        for subject in "cab":
            person.post("/sandbox/tickets", {**NEW, "subject": subject})
        query = "short_description=a^NQshort_description>a^ORDERBYDESCshort_description"
        rows = person.rows(query, fields="short_description").json()["result"]
        assert [row["short_description"] for row in rows] == ["c", "b", "a"]

    def test_a_list_is_given_in_pages_with_links(self, person: Person) -> None:
        for subject in "abc":
            person.post("/sandbox/tickets", {**NEW, "subject": subject})
        first = person.rows("ORDERBYshort_description", limit="2")
        assert (first.headers["X-Total-Count"], len(first.json()["result"])) == ("3", 2)
        rest = person.http.get(first.links["next"]["url"], timeout=10)
        assert "next" not in rest.links
        assert "prev" in rest.links
        assert len(rest.json()["result"]) == 1
        whole = person.rows("", limit="9", no_count="true")
        assert "Link" not in whole.headers
        assert "X-Total-Count" not in whole.headers

    def test_the_limit_counts_rows_that_are_not_shown(self, person: Person) -> None:
        ids = sorted(person.post("/sandbox/tickets", NEW)["id"] for _ in range(3))
        person.sandbox.state.hidden.update(ids[:2])
        first = person.rows("ORDERBYsys_id", limit="2")
        assert first.json()["result"] == []
        assert "next" in first.links
        assert person.ask("GET", f"{TABLE}/incident/{ids[0]}").status_code == 404

    def test_the_first_version_answers_an_empty_list_with_404(self, person: Person) -> None:
        for version, status in (("v1/", 404), ("v2/", 200), ("", 200)):
            path = f"/api/now/{version}table/incident?sysparm_query=number=none"
            assert person.ask("GET", path).status_code == status

    def test_references_come_in_three_shapes(self, person: Person) -> None:
        person.post("/sandbox/tickets", NEW)

        def caller(**asked: str) -> Any:
            return person.rows("", fields="caller_id", **asked).json()["result"][0]["caller_id"]

        bare = caller(exclude_reference_link="true")
        link = f"{person.sandbox.url}/api/now/table/sys_user/{bare}"
        assert caller() == {"link": link, "value": bare}
        assert caller(display_value="true") == {"link": link, "display_value": "Rita"}
        both = {"display_value": "Rita", "value": bare}
        assert caller(display_value="all") == {**both, "link": link}

    def test_a_field_can_be_reached_over_a_reference_and_unknown_ones_are_left_out(
        self, person: Person
    ) -> None:
        person.post("/sandbox/tickets", NEW)
        answer = person.rows("", fields="caller_id.user_name,u_no_such,number")
        assert answer.json()["result"] == [{"caller_id.user_name": "rita", "number": "INC0010001"}]


class TestWriting:
    def test_both_headers_are_mandatory(self, person: Person) -> None:
        ticket_id = person.post("/sandbox/tickets", NEW)["id"]
        path, body = f"{TABLE}/incident/{ticket_id}", '{"category": "network"}'
        url = person.sandbox.url + path
        answer = person.http.patch(url, data=body, timeout=10)
        assert answer.status_code == 400
        told = person.ask("PATCH", path, {"category": "network"}, headers={"Accept": "text/html"})
        assert told.status_code == 400

    def test_priority_is_derived_and_what_is_unknown_is_ignored(self, person: Person) -> None:
        ticket_id = person.post("/sandbox/tickets", NEW)["id"]
        path = f"{TABLE}/incident/{ticket_id}"
        changes = {"priority": "1", "u_no_such": "x", "sys_mod_count": "9", "impact": "2"}
        row = person.ask("PATCH", path, changes).json()["result"]
        assert (row["priority"], row["impact"], row["sys_mod_count"]) == ("4", "2", "1")

    def test_a_call_that_changes_nothing_is_no_update(self, person: Person) -> None:
        ticket_id = person.post("/sandbox/tickets", NEW)["id"]
        row = person.ask("PATCH", f"{TABLE}/incident/{ticket_id}", {"impact": "3"}).json()["result"]
        assert row["sys_mod_count"] == "0"
        assert person.get(f"/sandbox/tickets/{ticket_id}")["writes"] == 0

    def test_a_requester_may_add_to_the_conversation_and_nothing_else(self, person: Person) -> None:
        ticket_id = person.post("/sandbox/tickets", NEW)["id"]
        person.http.auth = ("rita.requester", person.sandbox.door.requester_password.reveal())
        changes = {"comments": "hello?", "impact": "1"}
        row = person.ask("PATCH", f"{TABLE}/incident/{ticket_id}", changes).json()["result"]
        assert (row["impact"], row["comments"]) == ("3", "")
        entry, *_ = person.get(f"{TABLE}/sys_journal_field")["result"]
        assert (entry["value"], entry["sys_created_by"]) == ("hello?", "rita.requester")


def test_over_the_limit_the_desk_answers_429_with_the_seconds_left(
    person: Person, clock: HandClock
) -> None:
    person.post("/sandbox/settings", {"rate_limit": 2})
    clock.advance(3600 - clock.now().timestamp() % 3600 + 600)
    answers = [person.ask("GET", f"{TABLE}/sys_user") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "2"
    assert answers[2].headers["Retry-After"] == "3000"
    assert answers[2].json()["status"] == "failure"
    clock.advance(3000)
    assert person.ask("GET", f"{TABLE}/sys_user").status_code == 200


def test_faults_are_used_up_in_order(person: Person) -> None:
    match = f"GET {TABLE}/sys_user"
    faults = [{"match": match, "status": 503, "times": 2}, {"match": match, "drop": True}]
    person.post("/sandbox/faults", faults)
    assert [person.ask("GET", f"{TABLE}/sys_user").status_code for _ in range(2)] == [503, 503]
    with pytest.raises(requests.ConnectionError):
        person.ask("GET", f"{TABLE}/sys_user")
    assert person.ask("GET", f"{TABLE}/sys_user").status_code == 200
    assert person.get("/sandbox/calls") == {match: 4}


def test_a_person_can_come_between_two_calls(person: Person) -> None:
    seen: list[str] = []
    person.sandbox.break_next(Fault(match="GET", before=lambda: seen.append("between")))
    assert person.ask("GET", f"{TABLE}/sys_user").status_code == 200
    assert seen == ["between"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/now/nothing", None, 400),
        ("GET", f"{TABLE}/no_such_table", None, 400),
        ("GET", f"{TABLE}/incident/{'0' * 32}", None, 404),
        ("POST", f"{TABLE}/sys_user", {}, 403),
        ("GET", f"{TABLE}/incident?sysparm_limit=many", None, 400),
        ("GET", "/sandbox/tickets/999", None, 404),
        ("POST", "/sandbox/settings", {"speed": 9}, 422),
        ("POST", "/sandbox/faults", [{"math": "GET"}], 422),
        ("POST", "/sandbox/tickets", {"assignee": "nobody@x.example"}, 422),
        ("POST", "/sandbox/tickets", {"fields": {"priority": "urgent"}}, 422),
        ("POST", "/sandbox/tickets", [], 400),
    ],
)
def test_calls_that_make_no_sense_are_answered_so(
    person: Person, method: str, path: str, body: object, status: int
) -> None:
    assert person.ask(method, path, body).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic dHJpYWdlOndyb25n"},
        {"Authorization": "Bearer x"},
        {"x-sn-apikey": "x"},
    ],
)
def test_only_a_credential_opens_the_api(person: Person, headers: dict[str, str]) -> None:
    answer = requests.get(f"{person.sandbox.url}{TABLE}/incident", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "User Not Authenticated"


def test_arrivals_are_told_once_in_the_background(person: Person) -> None:
    with Receiver() as receiver:
        secret = Secret(person.post("/sandbox/webhook", {"url": receiver.url})["secret"])
        person.post("/sandbox/tickets", NEW)
        ticket_id = person.post("/sandbox/tickets", {**NEW, "hook": True})["id"]
        assert receiver.enough.wait(10)
        person.sandbox.rule.close()
    ((body, headers),) = receiver.got
    delivery = read_signed(body, headers, [secret], "incident")
    assert delivery.tickets == (ticket_id,)
    (row,) = person.get("/sandbox/webhook/deliveries")
    assert row == {"id": delivery.id, "ticket": ticket_id, "status": 202, "attempts": 1}


def test_the_platform_serves_a_sandbox_until_it_is_stopped() -> None:
    ports: list[int] = []
    listening = threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    threading.Thread(target=serve, args=("127.0.0.1", 0, ready), daemon=True).start()
    assert listening.wait(10)
    told = requests.get(f"http://127.0.0.1:{ports[0]}/sandbox/tenant", timeout=10).json()
    assert ServiceNowDesk(**told["desk"]).url == f"http://127.0.0.1:{ports[0]}"
