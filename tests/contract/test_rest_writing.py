"""Writing to a desk that says yes to everything: conditions, read back, bodies from templates."""

from collections.abc import Mapping
from typing import Any

import pytest
from people import SUBJECT, TEXT, category, read, tag
from rest_people import RestPeople

from connector.errors import Conflict, Gone, Rejected
from connector.model import Aspect, FieldUpdate, FieldValue, TicketId

PATCH = "PATCH /v2/tickets/"
REVISION = {"condition": "revision", "body": {"ticket": {"version": "{revision}"}}}


def update(field: str, value: FieldValue) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.CATEGORY, field=field, value=value)


def sent(desk: RestPeople, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Note the bodies of all updates from now on."""
    bodies: list[Mapping[str, Any]] = []
    client = desk.adapter._client
    original = client.update

    def noting(ticket_id: str, body: Mapping[str, Any], tag: str) -> None:
        bodies.append(body)
        original(ticket_id, body, tag)

    monkeypatch.setattr(client, "update", noting)
    return bodies


def change_between(desk: RestPeople, ticket: TicketId, name: str, value: str) -> None:
    """Have a person change a field after our last look and before our write."""

    def change() -> None:
        state = desk.sandbox.state
        state.set(state.tickets[int(ticket)], name, value)
        state.touch(state.tickets[int(ticket)])

    desk.break_next("PUT /plain" if desk.sandbox.dialect == "plain" else PATCH, before=change)


class TestConditions:
    @pytest.mark.parametrize("write", [{"condition": "etag"}, REVISION])
    def test_the_desk_refuses_a_write_that_comes_too_late(
        self, rest: RestPeople, write: Mapping[str, Any]
    ) -> None:
        rest.adapter = rest.connect(write=write, ticket__revision="/version")
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        change_between(rest, ticket.id, "category", "hardware")
        with pytest.raises(Conflict, match="stale_"):
            rest.adapter.write(ticket, [category(rest, "network")])
        again = read(rest, ticket.id)
        assert again.fields["category"] == "hardware"
        assert rest.adapter.write(again, [tag("seen")]).tags == {"seen"}

    def test_without_a_condition_a_change_that_we_can_see_is_a_conflict(
        self, plain_rest: RestPeople
    ) -> None:
        ticket = read(plain_rest, plain_rest.arrive(SUBJECT, TEXT))
        plain_rest.change(ticket.id, fields={"category": "hardware"})
        before = plain_rest.calls("PUT")
        with pytest.raises(Conflict):
            plain_rest.adapter.write(ticket, [category(plain_rest, "network")])
        assert plain_rest.calls("PUT") == before

    def test_without_a_condition_what_others_set_in_that_moment_stays(
        self, plain_rest: RestPeople
    ) -> None:
        """Only what we write is in the body; the same field would be overwritten, as said there."""
        ticket = read(plain_rest, plain_rest.arrive(SUBJECT, TEXT))
        change_between(plain_rest, ticket.id, "sentiment", "negative")
        after = plain_rest.adapter.write(ticket, [category(plain_rest, "network")])
        assert (after.fields["category"], after.fields["sentiment"]) == ("network", "negative")

    @pytest.mark.parametrize(("tag_", "told"), [("", "no ETag"), ('W/"7"', "only a weak ETag")])
    def test_an_etag_that_cannot_make_a_write_conditional_is_refused_before_it(
        self, rest: RestPeople, monkeypatch: pytest.MonkeyPatch, tag_: str, told: str
    ) -> None:
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        client = rest.adapter._client
        original = client.ticket
        monkeypatch.setattr(client, "ticket", lambda ticket_id: (original(ticket_id)[0], tag_))
        with pytest.raises(Rejected, match=f"{told}.*condition: none"):
            rest.adapter.write(ticket, [category(rest, "network")])
        assert rest.calls(PATCH) == 0


class TestReadBack:
    def test_a_field_that_the_desk_passed_over_with_yes_is_refused(self, rest: RestPeople) -> None:
        fields = {
            **rest.desk()["fields"],
            "category": {
                **rest.desk()["fields"]["category"],
                "write": {"ticket": {"category": "{value}"}},
            },
        }
        rest.adapter = rest.connect(fields=fields)
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        both = [category(rest, "network"), update("priority", "high")]
        with pytest.raises(Rejected, match="said yes and left category as it was"):
            rest.adapter.write(ticket, both)
        assert read(rest, ticket.id).fields["priority"] == "high"

    def test_an_empty_answer_is_read_back_too(self, plain_rest: RestPeople) -> None:
        """204, whatever came of it."""
        fields = {**plain_rest.desk()["fields"], "shelf": {"at": "/shelf"}}
        plain_rest.adapter = plain_rest.connect(fields=fields)
        ticket = read(plain_rest, plain_rest.arrive(SUBJECT, TEXT))
        with pytest.raises(Rejected, match="left shelf as it was"):
            plain_rest.adapter.write(ticket, [update("shelf", "top")])

    def test_a_write_that_would_move_the_time_and_change_nothing_is_not_made(
        self, rest: RestPeople
    ) -> None:
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        after = rest.adapter.write(ticket, [category(rest, "network")])
        rest.later()
        assert rest.adapter.write(after, [category(rest, "network")]) == after
        assert rest.calls(PATCH) == 1

    def test_a_ticket_that_was_merged_into_another_is_gone(self, rest: RestPeople) -> None:
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        other = rest.arrive(SUBJECT, TEXT)
        shown = {"ticket": {"id": int(other), "status": "new"}}
        rest.break_next(f"GET /v2/tickets/{ticket.id}", status=200, body=shown)
        with pytest.raises(Gone, match="another one"):
            rest.adapter.write(ticket, [category(rest, "network")])

    def test_a_value_that_the_desk_lists_since_yesterday_is_offered(self, rest: RestPeople) -> None:
        rest.adapter.describe_fields()
        with pytest.MonkeyPatch.context() as patch:
            ticket = read(rest, rest.arrive(SUBJECT, TEXT))
            known = dict(rest.adapter._known)
            info = known["category"]
            patch.setitem(known, "category", type(info)(**{**_slots(info), "options": ("other",)}))
            patch.setattr(rest.adapter, "_known", known)
            after = rest.adapter.write(ticket, [category(rest, "network")])
        assert after.fields["category"] == "network"


def _slots(info: Any) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__slots__}


class TestBodies:
    def test_all_updates_go_in_one_call(
        self, rest: RestPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        bodies = sent(rest, monkeypatch)
        updates = [
            category(rest, "network"),
            update("priority", "high"),
            update("products", ("laptop", "printer")),
            tag("seen"),
        ]
        rest.adapter.write(ticket, updates)
        assert bodies == [
            {
                "ticket": {
                    "custom_fields": [
                        {"id": 101, "value": "network"},
                        {"id": 104, "value": ["laptop", "printer"]},
                    ],
                    "priority": "high",
                    "tags": ["seen"],
                }
            }
        ]

    def test_one_template_serves_all_fields(
        self, rest: RestPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fields = {
            name: {key: each for key, each in field.items() if key != "write"}
            for name, field in rest.desk()["fields"].items()
        }
        names = {"category": "101", "sentiment": "102"}
        chosen = {name: {**fields[name], "name": number} for name, number in names.items()}
        template = {"ticket": {"custom_fields": [{"id": "{field}", "value": "{value}"}]}}
        rest.adapter = rest.connect(
            fields=chosen, write={"field": template, "body": {"comment": "set for {id} by triage"}}
        )
        ticket = read(rest, rest.arrive(SUBJECT, TEXT))
        bodies = sent(rest, monkeypatch)
        with pytest.raises(Rejected, match="left category, sentiment as it was"):
            rest.adapter.write(ticket, [category(rest, "network"), update("sentiment", "neutral")])
        rows = [{"id": "101", "value": "network"}, {"id": "102", "value": "neutral"}]
        note = f"set for {ticket.id} by triage"
        assert bodies == [{"comment": note, "ticket": {"custom_fields": rows}}]

    def test_names_of_ours_stand_for_the_desks_numbers(
        self, plain_rest: RestPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = read(plain_rest, plain_rest.arrive(SUBJECT, TEXT))
        assert ticket.fields["priority"] is None
        bodies = sent(plain_rest, monkeypatch)
        after = plain_rest.adapter.write(ticket, [update("priority", "high")])
        cleared = plain_rest.adapter.write(after, [update("priority", None)])
        assert bodies == [{"prio": 3}, {"prio": 0}]
        assert (after.fields["priority"], cleared.fields["priority"]) == ("high", None)

    def test_tags_of_one_text_are_written_as_one(
        self, plain_rest: RestPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket_id = plain_rest.arrive(SUBJECT, TEXT)
        plain_rest.change(ticket_id, tags=["vip", "berlin"])
        bodies = sent(plain_rest, monkeypatch)
        plain_rest.adapter.write(read(plain_rest, ticket_id), [tag("seen")])
        assert bodies == [{"labels": "berlin,seen,vip"}]
