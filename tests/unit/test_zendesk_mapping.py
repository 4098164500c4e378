"""Zendesk's JSON into our words and back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.values import same
from adapters.zendesk import mapping
from connector.errors import Rejected
from connector.model import TAGS, Agent, Aspect, FieldKind, FieldUpdate, FieldValue, Status

RAW: dict[str, Any] = {
    "id": 4711,
    "subject": "VPN down",
    "raw_subject": "{{dc.vpn}} down",
    "description": "first message",
    "status": "new",
    "priority": None,
    "type": None,
    "requester_id": 11,
    "assignee_id": 12,
    "group_id": 77,
    "tags": ["b", "a"],
    "custom_fields": [
        {"id": 360001, "value": "network"},
        {"id": 360002, "value": None},
        {"id": 360003, "value": ["x", "y"]},
        {"id": 360004, "value": True},
        {"id": 360005, "value": 3},
        {"id": 360006, "value": 2.5},
    ],
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T05:04:05+02:00",
    "generated_timestamp": 1767323046,
}


def update(field: str, value: FieldValue) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.CATEGORY, field=field, value=value)


def test_a_ticket_is_read_whole() -> None:
    ticket = mapping.ticket_of(RAW, "https://acme.zendesk.com")
    assert (ticket.id, ticket.subject, ticket.description) == ("4711", "VPN down", "first message")
    assert ticket.revision == "2026-01-02T05:04:05+02:00"
    assert ticket.created_at == ticket.updated_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert ticket.updated_at.tzinfo is UTC
    assert (ticket.requester, ticket.group, ticket.assignee) == ("11", "77", "12")
    assert ticket.tags == {"a", "b"}
    assert ticket.url == "https://acme.zendesk.com/agent/tickets/4711"
    assert dict(ticket.fields) == {
        "priority": None,
        "type": None,
        "status": "new",
        "group": "77",
        "assignee": "12",
        "tags": ("a", "b"),
        "360001": "network",
        "360002": None,
        "360003": ("x", "y"),
        "360004": True,
        "360005": 3,
        "360006": "2.5",
    }


def test_a_ticket_of_nulls_is_read_as_empty() -> None:
    bare = dict.fromkeys(RAW) | {
        "id": "9",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05",
    }
    ticket = mapping.ticket_of(bare, "https://acme.zendesk.com")
    assert (ticket.id, ticket.subject, ticket.description, ticket.group) == ("9", "", "", "")
    assert ticket.status is Status.OPEN


def test_a_ticket_without_a_time_is_rejected() -> None:
    with pytest.raises(Rejected, match="ticket 4711: updated_at is no time"):
        mapping.ticket_of({**RAW, "updated_at": None}, "")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("new", Status.OPEN),
        ("open", Status.OPEN),
        ("pending", Status.OPEN),
        ("hold", Status.OPEN),
        ("solved", Status.RESOLVED),
        ("closed", Status.RESOLVED),
        ("deleted", Status.DELETED),
        (None, Status.OPEN),
    ],
)
def test_statuses_become_where_a_ticket_stands(raw: str | None, status: Status) -> None:
    assert mapping.status_of(raw) is status


@pytest.mark.parametrize(
    ("raw", "text"), [(12, "12"), ("12", "12"), (None, ""), (True, ""), ({"id": 1}, ""), (1.5, "")]
)
def test_ids_are_text_whatever_they_come_as(raw: object, text: str) -> None:
    assert mapping.id_of(raw) == text


def test_only_the_requesters_public_messages_after_the_first_count() -> None:
    def comment(number: int, author: int, *, public: bool) -> dict[str, Any]:
        return {"id": number, "author_id": author, "public": public, "body": f"text {number}"}

    thread = [
        comment(1, 11, public=True),
        comment(2, 11, public=True),
        comment(3, 12, public=True),
        comment(4, 11, public=False),
    ]
    ticket = mapping.ticket_of(RAW, "", thread)
    assert (ticket.last_message, ticket.last_message_id) == ("text 2", "2")
    assert mapping.ticket_of(RAW, "", thread[:1]).last_message_id == ""
    assert mapping.ticket_of(RAW, "", thread[2:]).last_message_id == ""


@pytest.mark.parametrize(
    ("count", "maybe"), [(0, False), (1, False), (2, True), (None, True), ("3", True)]
)
def test_comments_are_read_unless_there_is_surely_none(
    count: object,
    maybe: bool,  # noqa: FBT001
) -> None:
    assert mapping.may_have_replies({"comment_count": count}) is maybe


def test_a_row_of_the_export_is_an_id_and_a_version() -> None:
    ref = mapping.ref_of(RAW)
    assert (ref.id, ref.version, ref.deleted) == ("4711", "1767323046", False)
    assert mapping.ref_of({**RAW, "status": "deleted"}).deleted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (" text ", "text"),
        (("b", "a"), ("a", "b")),
        (3, "3"),
        (True, "true"),
        (("a",), ("a",)),
    ],
)
def test_what_the_desk_holds_alike_is_the_same(one: FieldValue, other: FieldValue) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [(None, "a"), ("a", "b"), (("a",), ("a", "b")), (1, 2), (False, None)]
)
def test_what_differs_is_not_the_same(one: FieldValue, other: FieldValue) -> None:
    assert not same(one, other)


def test_updates_become_the_attributes_of_one_call() -> None:
    changes = mapping.changes_of(
        [
            update("priority", "high"),
            update("360001", "network"),
            update("360003", ("x", "y")),
            update("360004", value=False),
            update("360002", ""),
            update("assignee", "12"),
            update("group", None),
        ]
    )
    assert changes == {
        "priority": "high",
        "assignee_id": 12,
        "group_id": None,
        "custom_fields": [
            {"id": 360001, "value": "network"},
            {"id": 360003, "value": ["x", "y"]},
            {"id": 360004, "value": False},
            {"id": 360002, "value": None},
        ],
    }


@pytest.mark.parametrize("field", ["subject", "description", "comment", "priorty", "", TAGS])
def test_fields_that_cannot_be_set_are_rejected_by_name(field: str) -> None:
    with pytest.raises(Rejected, match=f"field '{field}'"):
        mapping.changes_of([update(field, "x")])


def test_an_assignee_must_be_an_id() -> None:
    with pytest.raises(Rejected, match="takes the id"):
        mapping.changes_of([update("assignee", "Ann Agent")])


def test_fields_are_described_with_kinds_and_option_tags() -> None:
    def field(number: int, kind: str, **more: Any) -> dict[str, Any]:
        return {"id": number, "type": kind, "title": kind, "removable": True, **more}

    options = [{"name": "Network", "value": "network"}, {"name": "Other", "value": "other"}]
    infos = mapping.field_infos(
        [
            field(1, "tagger", custom_field_options=options),
            field(2, "multiselect", custom_field_options=options),
            field(3, "text"),
            field(4, "textarea"),
            field(5, "regexp"),
            field(6, "integer"),
            field(7, "decimal"),
            field(8, "checkbox"),
            field(9, "date"),
            field(10, "text", active=False),
            field(11, "subject", removable=False),
        ],
        [{"id": 77, "name": "Network"}],
    )
    kinds = {info.id: info.kind for info in infos}
    assert list(kinds) == [
        *("priority", "type", "status", "group", "assignee", "tags"),
        *map(str, range(1, 10)),
    ]
    assert [kinds[str(number)] for number in range(1, 10)] == [
        FieldKind.CHOICE,
        FieldKind.CHOICES,
        *[FieldKind.TEXT] * 3,
        *[FieldKind.NUMBER] * 2,
        FieldKind.FLAG,
        FieldKind.OTHER,
    ]
    by_id = {info.id: info for info in infos}
    assert by_id["1"].options == by_id["2"].options == ("network", "other")
    assert by_id["group"].options == ("77",)
    assert by_id["assignee"].kind is FieldKind.AGENT


def test_staff_leaves_out_who_is_gone() -> None:
    staff = mapping.staff_of(
        [{"id": 1, "name": "Network"}, {"id": 2, "name": "Old", "deleted": True}],
        [{"user_id": 12, "group_id": 1}, {"user_id": 12, "group_id": 3}],
        [
            {"id": 12, "name": "Ann", "email": "ann@x.example"},
            {"id": 13, "name": "Suspended", "suspended": True},
            {"id": 14, "name": "Left", "active": False},
        ],
    )
    assert [group.name for group in staff.groups] == ["Network"]
    ann = Agent(id="12", name="Ann", email="ann@x.example", groups=("1", "3"))
    assert staff.agents == (ann,)


def test_an_agent_gets_a_ticket_in_its_group_their_default_or_any() -> None:
    rows = [{"group_id": 1}, {"group_id": 2, "default": True}, {"group_id": 3}]
    assert mapping.group_for(rows, "3") == "3"
    assert mapping.group_for(rows, "9") == "2"
    assert mapping.group_for(rows[:1], "") == "1"
    assert mapping.group_for([], "1") == ""


@pytest.mark.parametrize(
    ("header", "keys"),
    [
        ("", ()),
        ('Removed restricted keys ["_json"] from parameters according to whitelist', ("_json",)),
        (
            '{:unpermitted_keys=>["ticket.id", "ticket.priorty"], :invalid_values=>["ticket.x"]}',
            ("ticket.priorty", "ticket.x"),
        ),
        (':unpermitted_keys=>["id"], :invalid_values=>[]', ()),
        ("some words of warning", ()),
    ],
)
def test_the_warning_header_names_what_was_ignored(header: str, keys: tuple[str, ...]) -> None:
    assert mapping.ignored_keys(header) == keys


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "RecordNotFound", "description": "Not found"}, "RecordNotFound"),
        ({"error": "Couldn't authenticate you"}, "Couldn't authenticate you"),
        ({"error": {"title": "Forbidden", "message": "a long text"}}, "Forbidden"),
        (
            {"error": "RecordInvalid", "details": {"priority": [], "360001": [], "a\nb": []}},
            "RecordInvalid (priority) (360001)",
        ),
        ({"error": "Requester: <rita@x.example> wrote"}, ""),
        ({"error": "x" * 65}, ""),
        ({"error": None}, ""),
        (["error"], ""),
        ("error", ""),
    ],
)
def test_an_error_is_told_by_its_code_and_never_by_its_text(body: object, code: str) -> None:
    assert mapping.error_code(body) == code


MAIL = {"field": "notification_user", "value": ["requester_id", "subject", "body"]}


@pytest.mark.parametrize(
    ("action", "limit", "mails"),
    [
        (MAIL, {"field": "priority", "value": None}, True),
        (MAIL, {"field": "update_type", "value": "Change"}, True),
        (MAIL, {"field": "update_type", "value": "Create"}, False),
        (MAIL, {"field": "comment_is_public", "value": "true"}, False),
        (MAIL, {"field": "role", "operator": "is_not", "value": "900"}, False),
        ({**MAIL, "value": "requester_and_ccs"}, {}, True),
        ({**MAIL, "value": ["12", "subject"]}, {}, False),
        ({"field": "priority", "value": "high"}, {}, False),
    ],
)
def test_triggers_that_may_mail_requesters_are_found(
    action: dict[str, Any],
    limit: dict[str, Any],
    mails: bool,  # noqa: FBT001
) -> None:
    trigger = {"actions": [action], "conditions": {"all": [limit]}}
    assert mapping.mails_on_change(trigger, "900") is mails


def test_a_trigger_without_conditions_or_actions_is_read() -> None:
    assert not mapping.mails_on_change({}, "900")
    assert mapping.mails_on_change({"actions": [MAIL]}, "900")
