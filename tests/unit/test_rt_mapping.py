"""Request Tracker's JSON read and written: values, priorities, refusals, tags."""

from typing import Any

import pytest

from adapters.rt import catalog as catalogs
from adapters.rt import mapping, threads
from adapters.rt.catalog import Catalog, CustomField
from connector.errors import Rejected
from connector.model import TAGS, Aspect, FieldKind, FieldUpdate, Status

PRIORITIES = {"low": 10, "normal": 50, "high": 100}
CATEGORY = CustomField(id="1", name="Category", type="Select", options=("a", "b"))
PRODUCTS = CustomField(id="2", name="Products", type="Select", multiple=True, options=("x",))
LABELS = CustomField(id="3", name="Labels", type="Freeform", multiple=True)


def catalog(*fields: CustomField, tags: str | None = None) -> Catalog:
    return Catalog(
        queues={"7": "Network"},
        custom={each.id: each for each in fields},
        teams=frozenset({"7"}),
        tags=catalogs.tag_fields(tags, fields),
    )


def raw(*custom: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "Subject": "s",
        "Status": "new",
        "Priority": "0",
        "Queue": {"id": "7"},
        "Owner": {"id": "Nobody"},
        "Created": "2026-01-02T03:04:05Z",
        "LastUpdated": "2026-01-02T03:04:05Z",
        "Requestor": [{"id": "rita"}],
        "CustomFields": list(custom),
        **more,
    }


def row(field: CustomField, *values: str | None) -> dict[str, Any]:
    return {"id": field.id, "name": field.name, "values": list(values)}


def update(field: str, value: Any, replaces: Any = None) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.CATEGORY, field=field, value=value, replaces=replaces)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("0", None),
        (0, None),
        ("5", 5),
        ("10", "low"),
        ("49", "low"),
        ("50", "normal"),
        ("100", "high"),
        ("9000", "high"),
        ("-3", -3),
        (None, None),
        ("?", None),
    ],
)
def test_a_number_counts_as_the_highest_name_that_it_reaches(number: Any, name: Any) -> None:
    """A number below all names was set by somebody, so it is not taken for nothing."""
    assert mapping.priority_of(number, PRIORITIES) == name


def test_zero_has_a_name_where_it_is_given_one() -> None:
    assert mapping.priority_of("0", {"low": 0, "high": 50}) == "low"


@pytest.mark.parametrize("rows", ["", None, [], [""], {}])
def test_a_ticket_without_custom_fields_is_read(rows: Any) -> None:
    """In a search, RT writes an empty text where there are none."""
    fields = mapping.fields_of(raw(CustomFields=rows), catalog(), PRIORITIES)
    assert dict(fields) == {"priority": None, "status": "new", "queue": "Network", "owner": None}


def test_values_are_read_by_what_a_field_takes() -> None:
    known = catalog(CATEGORY, PRODUCTS)
    unknown = CustomField(id="9", name="New one")
    values = mapping.fields_of(
        raw(row(CATEGORY, None), row(PRODUCTS, "x"), row(unknown, "p", "q")), known, PRIORITIES
    )
    assert (values["Category"], values["1"]) == (None, None)
    assert (values["Products"], values["2"]) == (("x",), ("x",))
    assert values["New one"] == ("p", "q")


def test_a_name_that_means_two_fields_or_one_of_rts_own_is_left_out() -> None:
    rows = [row(CustomField(id=number, name="Kind"), "v") for number in ("4", "5")]
    rows += [
        row(CustomField(id="6", name="priority"), "v"),
        row(CustomField(id="8", name="77"), "v"),
        row(CustomField(id="9", name=TAGS), "v"),
    ]
    values = mapping.fields_of(raw(*rows), catalog(), PRIORITIES)
    assert [values[key] for key in ("4", "5", "6", "8", "9")] == ["v"] * 5
    assert values["priority"] is None
    assert not {"Kind", "77", TAGS} & set(values)


def test_a_name_of_several_queues_offers_what_all_of_them_offer() -> None:
    other = CustomField(id="4", name="Category", type="Select", options=("b", "c"))
    infos = {info.id: info for info in catalogs.field_infos(catalog(CATEGORY, other), PRIORITIES)}
    assert infos["Category"].options == ("b",)
    assert (infos["1"].options, infos["4"].options) == (("a", "b"), ("b", "c"))
    unlike = CustomField(id="4", name="Category", type="Freeform")
    infos = {info.id: info for info in catalogs.field_infos(catalog(CATEGORY, unlike), PRIORITIES)}
    assert infos["Category"].kind is FieldKind.OTHER


@pytest.mark.parametrize(
    ("type_", "most", "kind"),
    [
        ("Select", "1", FieldKind.CHOICE),
        ("Select", "0", FieldKind.CHOICES),
        ("Freeform", "1", FieldKind.TEXT),
        ("Text", "1", FieldKind.TEXT),
        ("Combobox", "1", FieldKind.TEXT),
        ("Freeform", "0", FieldKind.CHOICES),
        ("Date", "1", FieldKind.OTHER),
        ("IPAddress", "1", FieldKind.OTHER),
        ("Image", "0", FieldKind.OTHER),
    ],
)
def test_kinds_of_custom_fields(type_: str, most: str, kind: FieldKind) -> None:
    field = catalogs.custom_field_of({"id": 1, "Name": "F", "Type": type_, "MaxValues": most})
    assert field.kind is kind


def test_tags_live_in_a_field_of_many_free_values_alone() -> None:
    fields = (CATEGORY, PRODUCTS, LABELS)
    assert catalogs.tag_fields("Labels", fields) == {"3"}
    assert catalogs.tag_fields("3", fields) == {"3"}
    for unfit in (None, "Products", "Category", "2", "Nothing", ""):
        assert catalogs.tag_fields(unfit, fields) == frozenset()


def test_tags_keep_others_and_lose_our_own_earlier_one() -> None:
    known = catalog(LABELS, tags="Labels")
    updates = [update(TAGS, "new", replaces="old"), update(TAGS, "more")]
    changes = mapping.changes_of(raw(row(LABELS, "old", "vip", None)), known, PRIORITIES, updates)
    assert changes == {"CustomFields": {"3": ["more", "new", "vip"]}}


def test_changes_go_by_number_and_words_by_name() -> None:
    ticket = raw(row(CATEGORY, "a"), row(PRODUCTS))
    updates = [
        update("priority", "high"),
        update("queue", "Network"),
        update("owner", None),
        update("Category", ""),
        update("2", ("x",)),
    ]
    assert mapping.changes_of(ticket, catalog(CATEGORY, PRODUCTS), PRIORITIES, updates) == {
        "Priority": 100,
        "Queue": "Network",
        "Owner": "Nobody",
        "CustomFields": {"1": None, "2": ["x"]},
    }
    assert mapping.changes_of(ticket, catalog(), PRIORITIES, [update("priority", None)]) == {
        "Priority": 0
    }


@pytest.mark.parametrize("wrong", [("queue", ""), ("nope", "x"), ("9", "x"), ("priority", "nope")])
def test_what_rt_would_pass_over_is_refused_before_it_is_sent(wrong: tuple[str, str]) -> None:
    with pytest.raises(Rejected, match=wrong[0]):
        mapping.changes_of(raw(row(CATEGORY)), catalog(CATEGORY), PRIORITIES, [update(*wrong)])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Ticket 7: Permission Denied", "permission denied"),
        ("Invalid value for custom field", "not among the field's values"),
        ("Ticket 7: That user may not own tickets in that queue", "may not own"),
        ("Ticket 7: Queue secret plans does not exist", "no such queue"),
        ("secret plans", "no reason that is known"),
    ],
)
def test_a_reason_quotes_nothing(message: str, reason: str) -> None:
    told = mapping.reason_of(["Category changed", message])
    assert reason in told
    assert "secret plans" not in told


def test_an_error_tells_fixed_phrases_alone() -> None:
    assert mapping.error_code({"message": "Precondition Failed"}) == "Precondition Failed"
    for body in ({"message": "Unknown field: x at /usr line 1."}, {"message": 5}, [], None, "x"):
        assert mapping.error_code(body) == ""


def test_a_ticket_is_what_its_row_and_its_thread_say() -> None:
    thread = mapping.Thread(first="text", last="more", last_id="12")
    ticket = mapping.ticket_of(
        raw(row(CATEGORY, "a"), Owner={"id": "ann"}),
        catalog(CATEGORY),
        PRIORITIES,
        url="https://rt.acme.example",
        status=Status.OPEN,
        thread=thread,
    )
    assert (ticket.id, ticket.group, ticket.assignee, ticket.requester) == ("5", "7", "ann", "rita")
    assert (ticket.description, ticket.last_message) == ("text", "more")
    assert ticket.url == "https://rt.acme.example/Ticket/Display.html?id=5"


def test_every_value_moves_the_revision() -> None:
    known = catalog(CATEGORY, LABELS, tags="Labels")
    tickets = [
        raw(row(CATEGORY), row(LABELS)),
        raw(row(CATEGORY, "a"), row(LABELS)),
        raw(row(CATEGORY), row(LABELS, "vip")),
        raw(row(CATEGORY), row(LABELS), Subject="t"),
        raw(row(CATEGORY), row(LABELS), Priority="3"),
        raw(row(CATEGORY), row(LABELS), Owner={"id": "ann"}),
        raw(row(CATEGORY), row(LABELS), Status="open"),
        raw(row(CATEGORY), row(LABELS), Queue={"id": "8"}),
        raw(row(CATEGORY), row(LABELS), LastUpdated="2026-01-02T03:04:06Z"),
    ]
    revisions = {
        mapping.revision_of(each, mapping.fields_of(each, known, PRIORITIES)) for each in tickets
    }
    assert len(revisions) == len(tickets)


def test_a_row_without_a_time_is_rejected() -> None:
    with pytest.raises(Rejected, match="Created is no time"):
        mapping.ticket_of(
            raw(Created=""), catalog(), {}, url="", status=Status.OPEN, thread=mapping.Thread()
        )


def test_a_page_of_transactions_names_each_ticket_once_by_its_newest() -> None:
    rows = [
        {"id": "1", "ObjectId": "7", "Type": "Create"},
        {"id": "2", "ObjectId": "8", "Type": "Status", "NewValue": "deleted"},
        {"id": "3", "ObjectId": "7", "Type": "Correspond"},
        {"id": "4", "ObjectId": "8", "Type": "CustomField"},
        {"id": "5", "ObjectId": "9", "Type": "Status", "NewValue": "deleted"},
        {"id": "6", "ObjectId": "9", "Type": "Status", "NewValue": "open"},
    ]
    refs = mapping.refs_of(rows)
    assert [(ref.id, ref.version, ref.deleted) for ref in refs] == [
        ("7", "3", False),
        ("8", "4", True),
        ("9", "6", False),
    ]


def test_the_first_subject_is_what_stood_before_the_first_change() -> None:
    change = {"Type": "Set", "Field": "Subject"}
    rows = [{"Type": "Create"}, {**change, "OldValue": "first"}, {**change, "OldValue": "second"}]
    assert threads.first_subject(rows) == "first"
    assert threads.first_subject(rows[:1]) is None
