"""The sandbox desk: its control calls, and the API calls that the adapter does not make."""

import threading
from datetime import datetime, timedelta

import pytest
import requests
from people import HandClock
from sandbox_person import AUTH_USER, Person

from adapters.zendesk import ZendeskDesk, platform
from adapters.zendesk.sandbox import Fault, serve
from connector.model import Secret
from connector.ports import Surroundings

CURSOR = "/api/v2/incremental/tickets/cursor.json"


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
    staff = person.post(
        "/sandbox/staff",
        {
            "groups": ["Network"],
            "agents": [{"name": "Ann", "email": "ann@x.example", "group": "Network"}],
        },
    )
    filed = {
        "subject": "VPN",
        "description": "<p>down</p>",
        "requester": "Rita",
        "fields": {"360001": "network", "priority": "high"},
        "tags": ["vip"],
        "status": "open",
        "group": "Network",
        "assignee": "ann@x.example",
    }
    ticket_id = person.post("/sandbox/tickets", filed)["id"]
    assert person.get(f"/sandbox/tickets/{ticket_id}") == {
        "id": ticket_id,
        "subject": "VPN",
        "description": "<p>down</p>",
        "status": "open",
        "group": int(staff["groups"]["Network"]),
        "assignee": int(staff["agents"]["ann@x.example"]),
        "fields": {
            "priority": "high",
            "type": None,
            "360001": "network",
            "360002": None,
            "360003": None,
            "360004": None,
        },
        "tags": ["network", "vip"],
        "writes": 0,
        "public_messages": 1,
        "notes": [],
    }
    assert set(staff["groups"]) == {"Network"}
    assert set(staff["agents"]) == {"ann@x.example"}


def test_a_person_changes_a_ticket_and_moves_its_stamp(person: Person, clock: HandClock) -> None:
    ticket_id = person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"]
    before = person.get(f"/api/v2/tickets/{ticket_id}.json")["ticket"]["updated_at"]
    clock.advance(5)
    shown = person.post(
        f"/sandbox/tickets/{ticket_id}", {"reply": "still", "tags": ["vip"], "status": "pending"}
    )
    assert (shown["public_messages"], shown["tags"], shown["status"]) == (2, ["vip"], "pending")
    after = person.get(f"/api/v2/tickets/{ticket_id}.json")["ticket"]["updated_at"]
    times = [datetime.fromisoformat(stamp) for stamp in (before, after)]
    assert times[1] - times[0] == timedelta(seconds=5)


def test_an_option_of_a_drop_down_is_a_tag_and_the_former_one_is_not(person: Person) -> None:
    filed = {"subject": "a", "description": "b", "fields": {"360001": "network"}, "tags": ["vip"]}
    ticket_id = person.post("/sandbox/tickets", filed)["id"]
    change = {"fields": {"360001": "account", "360004": ["laptop", "server"]}}
    shown = person.post(f"/sandbox/tickets/{ticket_id}", change)
    assert shown["tags"] == ["account", "laptop", "server", "vip"]


def test_a_bulk_update_is_a_job_that_tells_of_each_row(person: Person) -> None:
    ids = [
        int(person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"])
        for _ in range(2)
    ]
    rows = [
        {"id": ids[0], "priority": "high"},
        {"id": ids[1], "priority": "highest"},
        {"id": 5, "priority": "low"},
    ]
    job = person.ask("PUT", "/api/v2/tickets/update_many.json", {"tickets": rows}).json()
    seen = [job["job_status"]]
    while seen[-1]["status"] != "completed":
        path = f"/api/v2/job_statuses/{seen[-1]['id']}.json"
        seen.append(person.get(path)["job_status"])
    assert [each["status"] for each in seen] == ["queued", "working", "completed"]
    assert [(each["id"], each["success"]) for each in seen[-1]["results"]] == [
        (ids[0], True),
        (ids[1], False),
        (5, False),
    ]
    assert person.get(f"/sandbox/tickets/{ids[0]}")["fields"]["priority"] == "high"


def test_more_than_a_hundred_rows_are_too_many(person: Person) -> None:
    rows = [{"id": number} for number in range(101)]
    answer = person.ask("PUT", "/api/v2/tickets/update_many.json", {"tickets": rows})
    assert (answer.status_code, answer.json()["error"]) == (400, "TooManyValues")
    assert answer.json()["max_count"] == 100


def test_a_stale_stamp_is_a_conflict_for_fields_and_tags(person: Person) -> None:
    ticket_id = person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"]
    guard = {"safe_update": True, "updated_stamp": "2020-01-01T00:00:00Z"}
    fields = person.ask("PUT", f"/api/v2/tickets/{ticket_id}.json", {"ticket": guard})
    tags = {**guard, "safe_update": "true", "tags": ["x"]}
    tagged = person.ask("PUT", f"/api/v2/tickets/{ticket_id}/tags.json", tags)
    for answer in (fields, tagged):
        assert (answer.status_code, answer.json()["error"]) == (409, "UpdateConflict")
    assert person.get(f"/sandbox/tickets/{ticket_id}")["writes"] == 0


def test_tags_are_added_set_and_removed(person: Person) -> None:
    ticket_id = person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"]
    path = f"/api/v2/tickets/{ticket_id}/tags.json"
    seen = [
        person.ask(method, path, {"tags": tags}).json()["tags"]
        for method, tags in [("PUT", ["a", "b"]), ("DELETE", ["a"]), ("POST", ["c"])]
    ]
    assert seen == [["a", "b"], ["b"], ["c"]]
    assert person.get(f"/sandbox/tickets/{ticket_id}")["writes"] == 3


def test_keys_that_are_not_permitted_are_named_in_a_header_only(person: Person) -> None:
    ticket_id = person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"]
    changes = {"ticket": {"id": 1, "priorty": "high", "priority": "low"}}
    answer = person.ask("PUT", f"/api/v2/tickets/{ticket_id}.json", changes)
    assert answer.status_code == 200
    assert '["ticket.id", "ticket.priorty"]' in answer.headers["X-Zendesk-API-Warn"]


def test_a_closed_ticket_and_a_stranger_to_the_group_are_refused(person: Person) -> None:
    ticket_id = person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"]
    path = f"/api/v2/tickets/{ticket_id}.json"
    stranger = person.ask("PUT", path, {"ticket": {"assignee_id": 12}})
    assert (stranger.status_code, list(stranger.json()["details"])) == (422, ["assignee_id"])
    person.post(f"/sandbox/tickets/{ticket_id}", {"status": "closed"})
    assert person.ask("PUT", path, {"ticket": {"priority": "low"}}).status_code == 422


def test_the_export_refuses_a_start_within_the_last_minute(
    person: Person, clock: HandClock
) -> None:
    now = int(clock.now().timestamp())
    assert person.ask("GET", f"{CURSOR}?start_time={now - 30}").status_code == 400
    assert person.ask("GET", f"{CURSOR}?start_time={now - 60}").status_code == 200
    assert person.ask("GET", f"{CURSOR}?cursor=nonsense").status_code == 400


def test_without_a_delay_a_change_behind_the_cursor_is_still_told(
    person: Person, clock: HandClock
) -> None:
    person.post("/sandbox/settings", {"export_delay": 0})
    ids = [
        person.post("/sandbox/tickets", {"subject": "a", "description": "b"})["id"]
        for _ in range(3)
    ]
    start = int(clock.now().timestamp()) - 60
    first = person.get(f"{CURSOR}?start_time={start}")
    assert [str(row["id"]) for row in first["tickets"]] == ids
    person.post(f"/sandbox/tickets/{ids[0]}", {"tags": ["vip"]})
    second = person.get(f"{CURSOR}?cursor={first['after_cursor']}")
    assert [str(row["id"]) for row in second["tickets"]] == ids[:1]


def test_over_the_limit_the_desk_answers_429_with_the_seconds_left(
    person: Person, clock: HandClock
) -> None:
    person.post("/sandbox/settings", {"rate_limit": 2})
    clock.advance(80 - clock.now().second)
    answers = [person.ask("GET", "/api/v2/users/me.json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers.get("ratelimit-remaining") for answer in answers[:2]] == ["1", "0"]
    assert answers[2].headers["Retry-After"] == "40"
    assert "text/plain" in answers[2].headers["Content-Type"]
    clock.sleep(40)
    assert person.ask("GET", "/api/v2/users/me.json").status_code == 200


def test_faults_are_used_up_in_order(person: Person) -> None:
    person.post(
        "/sandbox/faults",
        [
            {"match": "GET /api/v2/users", "status": 429, "headers": {"Retry-After": "1"}},
            {"match": "GET /api/v2/users", "status": 500, "body": "text", "times": 2},
            {"match": "GET /api/v2/users", "drop": True},
        ],
    )
    answers = [person.ask("GET", "/api/v2/users/me.json").status_code for _ in range(3)]
    assert answers == [429, 500, 500]
    with pytest.raises(requests.ConnectionError):
        person.ask("GET", "/api/v2/users/me.json")
    assert person.ask("GET", "/api/v2/users/me.json").status_code == 200
    assert person.get("/sandbox/calls") == {"GET /api/v2/users/me.json": 5}


def test_a_person_can_come_between_two_calls(person: Person) -> None:
    seen: list[str] = []
    person.sandbox.break_next(
        Fault(match="GET /api/v2/users", before=lambda: seen.append("between"))
    )
    assert person.ask("GET", "/api/v2/users/me.json").status_code == 200
    assert seen == ["between"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v2/nothing.json", None, 404),
        ("GET", "/api/v2/tickets/999.json", None, 404),
        ("GET", "/sandbox/tickets/999", None, 404),
        ("POST", "/sandbox/settings", {"speed": 9}, 422),
        ("POST", "/sandbox/faults", [{"math": "GET"}], 422),
        ("POST", "/sandbox/tickets", {"assignee": "nobody@x.example"}, 422),
        ("POST", "/sandbox/tickets", [], 400),
        ("PUT", "/api/v2/tickets/update_many.json", {}, 400),
        ("POST", "/api/v2/webhooks", {"webhook": {}}, 400),
        ("GET", "/api/v2/job_statuses/V3-x.json", None, 404),
        ("GET", "/api/v2/webhooks/x/signing_secret", None, 404),
    ],
)
def test_calls_that_make_no_sense_are_answered_so(
    person: Person, method: str, path: str, body: object, status: int
) -> None:
    assert person.ask(method, path, body).status_code == status


@pytest.mark.parametrize(
    "auth",
    [None, (AUTH_USER, "wrong"), ("triage@sandbox.example", "TOKEN"), ("x/token", "TOKEN")],
)
def test_only_the_accounts_token_opens_the_api(
    person: Person, auth: tuple[str, str] | None
) -> None:
    if auth:
        auth = (auth[0], auth[1].replace("TOKEN", person.sandbox.token.reveal()))
    answer = requests.get(f"{person.sandbox.url}/api/v2/users/me.json", auth=auth, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {"error": "Couldn't authenticate you"}


def test_lists_are_given_in_pages_when_asked(person: Person) -> None:
    person.post("/sandbox/staff", {"groups": ["A", "B", "C"], "agents": []})
    person.post("/sandbox/settings", {"page_size_cap": 3})
    first = person.get("/api/v2/groups.json?page[size]=100")
    assert (len(first["groups"]), first["meta"]["has_more"]) == (3, True)
    rest = person.http.get(first["links"]["next"], timeout=10).json()
    assert (len(rest["groups"]), rest["meta"]["has_more"]) == (1, False)
    assert len(person.get("/api/v2/groups.json")["groups"]) == 4


def test_the_platform_serves_a_sandbox_until_it_is_stopped() -> None:
    ports: list[int] = []
    listening = threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    threading.Thread(target=serve, args=("127.0.0.1", 0, ready), daemon=True).start()
    assert listening.wait(10)
    told = requests.get(f"http://127.0.0.1:{ports[0]}/sandbox/tenant", timeout=10).json()
    assert ZendeskDesk(**told["desk"]).url == f"http://127.0.0.1:{ports[0]}"
