"""Traps of writing to Request Tracker: its yes means nothing, and people come between."""

from typing import Any

import pytest
from people import SUBJECT, TEXT, category, read, tag
from rt_people import TAGS_FIELD, RtSandboxPeople

from connector.errors import Conflict, Rejected
from connector.model import TAGS, Aspect, FieldUpdate


def update(field: str, value: Any) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.PRIORITY, field=field, value=value)


class TestTrapsOfWriting:
    def test_a_yes_that_refused_is_rejected_with_field_and_reason(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        for field, value, reason in [
            ("Category", "no option", "not among the field's values"),
            ("owner", "nobody.known", "no such user"),
            ("owner", "rita", "may not own tickets"),
            ("queue", "Nowhere", "no such queue"),
            ("status", "nonsense", "not a valid value"),
        ]:
            with pytest.raises(Rejected, match=rf"left {field} as it was \(.*{reason}"):
                desk.adapter.write(ticket, [update(field, value)])

    @pytest.mark.parametrize(
        ("right", "field", "value"),
        [("ModifyCustomField", "Category", "network"), ("ModifyTicket", "priority", "high")],
    )
    def test_a_missing_right_is_told_by_name(
        self, rt_sandboxed: RtSandboxPeople, right: str, field: str, value: str
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        desk.sandbox.state.rights.discard(right)
        with pytest.raises(Rejected, match=rf"left {field} as it was \(permission denied.*{right}"):
            desk.adapter.write(ticket, [update(field, value)])

    def test_somebody_elses_ticket_is_not_given_away(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        desk.sandbox.state.tickets[int(ticket)].owner = "root"
        with pytest.raises(Rejected, match=r"left owner as it was \(somebody owns it"):
            desk.adapter.write(read(desk, ticket), [update("owner", "ann")])

    def test_an_owner_is_set_and_taken_away(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert (ticket.assignee, ticket.fields["owner"]) == ("", None)
        owned = desk.adapter.write(ticket, [update("owner", "triage")])
        assert (owned.assignee, owned.fields["owner"]) == ("triage", "triage")
        assert desk.adapter.write(owned, [update("owner", None)]).assignee == ""

    def test_a_priority_is_written_as_a_number(self, rt_sandboxed: RtSandboxPeople) -> None:
        """RT takes a word that it does not know for 0, and says yes."""
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert ticket.fields["priority"] is None
        after = desk.adapter.write(ticket, [update("priority", "urgent")])
        assert after.fields["priority"] == "urgent"
        assert desk.sandbox.state.tickets[int(ticket.id)].priority == 200
        with pytest.raises(Rejected, match=r"desk\.priorities"):
            desk.adapter.write(after, [update("priority", "unheard of")])

    def test_an_empty_field_is_not_emptied_again(self, rt_sandboxed: RtSandboxPeople) -> None:
        """RT would put an empty value into it, and note a change."""
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert desk.adapter.write(ticket, [category(desk, None)]) == ticket
        assert desk.calls(f"PUT /REST/2.0/ticket/{ticket.id}") == 0
        desk.put(ticket.id, {"CustomFields": {"Category": None}})
        assert read(desk, ticket.id).fields["Category"] is None

    def test_somebody_who_comes_between_reading_and_writing_is_not_overwritten(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        """In the same second as our reading: the time of the last change cannot tell."""
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        state = desk.sandbox.state

        def change() -> None:
            row = state.tickets[int(ticket.id)]
            row.values[5] = ["vip"]
            state.note(row, "CustomField", "ann", Field="5")

        desk.break_next(f"PUT /REST/2.0/ticket/{ticket.id}", before=change)
        updates = [category(desk, "network"), tag("triage_seen")]
        with pytest.raises(Conflict):
            desk.adapter.write(ticket, updates)
        between = read(desk, ticket.id)
        assert (between.fields["Category"], between.tags) == (None, {"vip"})
        assert desk.adapter.write(between, updates).tags == {"vip", "triage_seen"}

    def test_a_change_in_the_second_of_our_reading_is_a_conflict(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        row = desk.sandbox.state.tickets[int(ticket.id)]
        row.values[1] = ["hardware"]
        with pytest.raises(Conflict):
            desk.adapter.write(ticket, [category(desk, "network")])

    def test_a_412_is_a_conflict_and_over_once_the_ticket_is_read_again(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        desk.break_next(f"PUT /REST/2.0/ticket/{ticket.id}", status=412)
        with pytest.raises(Conflict):
            desk.adapter.write(ticket, [category(desk, "network")])
        after = desk.adapter.write(read(desk, ticket.id), [category(desk, "network")])
        assert after.fields["Category"] == "network"

    def test_fields_and_tags_are_one_call(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        before = desk.calls()
        desk.adapter.write(
            ticket, [category(desk, "network"), update("priority", "high"), tag("seen")]
        )
        assert desk.calls() - before == 3  # read, written, read

    def test_a_field_is_named_by_number_or_by_name(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        after = desk.adapter.write(ticket, [update("1", "network")])
        assert (after.fields["1"], after.fields["Category"]) == ("network", "network")
        infos = {info.id: info for info in desk.adapter.describe_fields()}
        assert infos["1"].options == infos["Category"].options
        assert (infos["1"].title, infos["Category"].title) == ("Category", "Category")


class TestWithoutTags:
    def test_a_desk_without_a_field_for_tags_has_none(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.change(ticket_id, tags=["vip"])
        with desk.connect(tags_field=None) as adapter:
            fields = {info.id for info in adapter.describe_fields()}
            (ticket,) = adapter.fetch([ticket_id])
            assert TAGS not in fields
            assert TAGS not in ticket.fields
            assert ticket.tags == frozenset()
            assert ticket.fields[TAGS_FIELD] == ("vip",)
            with pytest.raises(Rejected, match=r"desk\.tags_field"):
                adapter.write(ticket, [tag("triage_seen")])

    @pytest.mark.parametrize("unfit", ["Category", "Suggested assignee", "Products", "Nothing"])
    def test_a_field_that_cannot_hold_tags_is_warned_of(
        self, rt_sandboxed: RtSandboxPeople, unfit: str
    ) -> None:
        with rt_sandboxed.connect(tags_field=unfit) as adapter:
            (warning,) = (each for each in adapter.check().warnings if "tags_field" in each)
            assert repr(unfit) in warning
            assert TAGS not in {info.id for info in adapter.describe_fields()}
