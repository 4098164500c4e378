"""Traps of writing to ServiceNow: no condition, no refusal, priority that is derived, journals."""

from dataclasses import replace
from typing import Any

import pytest
from people import SUBJECT, TEXT, category, read, tag
from servicenow_people import TABLE, TAGS_FIELD, SandboxPeople

from connector.errors import Conflict, Rejected, Retry
from connector.model import Aspect, FieldUpdate, FieldValue

WRITE = f"PATCH {TABLE}/incident/"


def priority(value: FieldValue) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.PRIORITY, field="priority", value=value)


class TestSomebodyComesBetween:
    def test_a_change_before_our_last_look_writes_nothing(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        instance.meanwhile(f"GET {TABLE}/incident/{ticket.id}", ticket.id, category="hardware")
        with pytest.raises(Conflict):
            instance.adapter.write(ticket, [category(instance, "network")])
        assert instance.calls(WRITE) == 0

    def test_a_change_that_no_counter_shows_is_not_overwritten(
        self, instance: SandboxPeople
    ) -> None:
        """A script may write without counting: the value itself tells."""
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        instance.state.set(instance.state.tickets[ticket.id], {"category": "hardware"})
        assert read(instance, ticket.id).revision == ticket.revision
        with pytest.raises(Conflict):
            instance.adapter.write(ticket, [category(instance, "network")])
        assert instance.calls(WRITE) == 0

    def test_a_change_in_the_moment_of_writing_is_noticed_by_the_count(
        self, instance: SandboxPeople
    ) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        instance.meanwhile(WRITE, ticket.id, urgency="1")
        update = category(instance, "network")
        with pytest.raises(Conflict, match="in the same moment"):
            instance.adapter.write(ticket, [update])
        between = read(instance, ticket.id)
        assert (between.fields["category"], between.fields["urgency"]) == ("network", "1")
        calls = instance.calls(WRITE)
        assert instance.adapter.write(between, [update]) == between
        assert instance.calls(WRITE) == calls

    def test_updates_of_business_rules_are_told_apart_when_they_are_told(
        self, instance: SandboxPeople
    ) -> None:
        instance.state.rule_updates = 1
        first, second = (read(instance, instance.arrive(SUBJECT, TEXT)) for _ in range(2))
        update = category(instance, "network")
        with pytest.raises(Conflict):
            instance.adapter.write(first, [update])
        with instance.connect(rule_updates=1) as adapter:
            assert adapter.write(second, [update]).fields["category"] == "network"


class TestWhatTheDeskDoesNotSay:
    def test_a_field_without_a_right_to_it_is_named(self, instance: SandboxPeople) -> None:
        instance.state.protected.add("category")
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        updates = [category(instance, "network"), priority("2")]
        with pytest.raises(Rejected, match="left category as it was; give the account the right"):
            instance.adapter.write(ticket, updates)
        assert read(instance, ticket.id).fields["priority"] == "2"

    def test_tags_without_a_right_to_their_field_are_named(self, instance: SandboxPeople) -> None:
        instance.state.protected.add(TAGS_FIELD)
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        with pytest.raises(Rejected, match="left tags as it was"):
            instance.adapter.write(ticket, [tag("triage_seen")])

    def test_an_option_that_the_desk_would_take_silently_is_not_sent(
        self, instance: SandboxPeople
    ) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        taken = instance.call("PATCH", f"incident/{ticket.id}", {"category": "nonsense"})
        assert taken["category"] == "nonsense"
        calls = instance.calls(WRITE)
        with pytest.raises(Rejected, match="'category' does not offer that value"):
            instance.adapter.write(read(instance, ticket.id), [category(instance, "more of it")])
        assert instance.calls(WRITE) == calls

    def test_an_option_that_was_added_meanwhile_is_taken(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        choice = {"name": "incident", "element": "category", "value": "coffee", "inactive": "false"}
        instance.state.insert("sys_choice", choice)
        after = instance.adapter.write(ticket, [category(instance, "coffee")])
        assert after.fields["category"] == "coffee"

    def test_a_choice_that_cannot_be_taken_away_is_named(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT, fields={"category": "network"}))
        with pytest.raises(Rejected, match="left category as it was"):
            instance.adapter.write(ticket, [category(instance, None)])

    def test_a_journal_is_no_place_for_a_value(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        for journal in ("comments", "work_notes"):
            update = replace(category(instance, "hello"), field=journal)
            with pytest.raises(Rejected, match=f"'{journal}' is no field of incident"):
                instance.adapter.write(ticket, [update])
        assert instance.calls(WRITE) == 0

    def test_an_answer_without_the_row_is_tried_again(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        for body in ("<html>sign in</html>", {"result": []}, {}):
            instance.break_next(WRITE, status=200, body=body)
            with pytest.raises(Retry):
                instance.adapter.write(ticket, [category(instance, "network")])


class TestPriority:
    @pytest.mark.parametrize("value", ["1", "2", "3", "4"])
    def test_it_is_set_by_impact_and_urgency(self, instance: SandboxPeople, value: str) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        assert ticket.fields["priority"] == "5"
        after = instance.adapter.write(ticket, [priority(value)])
        assert after.fields["priority"] == value

    def test_writing_it_directly_is_ignored_by_the_desk_and_named(
        self, instance: SandboxPeople
    ) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        with (
            instance.connect(priority_lookup={}) as adapter,
            pytest.raises(Rejected, match="left priority as it was"),
        ):
            adapter.write(ticket, [priority("2")])

    def test_the_lookup_can_be_told(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        with instance.connect(priority_lookup={"2": [1, 2]}) as adapter:
            after = adapter.write(ticket, [priority("2")])
            assert (after.fields["impact"], after.fields["urgency"]) == ("1", "2")
            with pytest.raises(Rejected, match="priority_lookup has 2 only"):
                adapter.write(after, [priority("3")])

    def test_a_lookup_that_is_not_the_instances_own_is_noticed(
        self, instance: SandboxPeople
    ) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        with (
            instance.connect(priority_lookup={"2": [3, 3]}) as adapter,
            pytest.raises(Rejected, match="left priority as it was"),
        ):
            adapter.write(ticket, [priority("2")])


class TestTagsInAField:
    def test_others_words_stay_as_they_are(self, instance: SandboxPeople) -> None:
        ticket_id = instance.arrive(SUBJECT, TEXT, fields={TAGS_FIELD: " board member,vip ,vip"})
        first = instance.adapter.write(read(instance, ticket_id), [tag("triage_old")])
        assert first.tags == {"board member", "vip", "triage_old"}
        instance.adapter.write(first, [tag("triage_new", replaces="triage_old")])
        row = instance.state.tickets[ticket_id]
        assert row[TAGS_FIELD] == "board member, vip, triage_new"

    def test_fields_and_tags_are_one_call(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        updates = [category(instance, "network"), tag("triage_a"), tag("triage_b")]
        after = instance.adapter.write(ticket, updates)
        assert after.tags == {"triage_a", "triage_b"}
        assert instance.calls(WRITE) == 1


class TestAssignment:
    @pytest.fixture
    def ann(self, instance: SandboxPeople) -> Any:
        agent = {"name": "Ann", "email": "ann@x.example", "group": "Network"}
        instance.state.set_staff(["Hardware", "Network"], [agent])
        return instance.state.agent("ann@x.example")["sys_id"]

    def test_an_agent_is_assigned_together_with_a_group_that_they_serve_in(
        self, instance: SandboxPeople, ann: str
    ) -> None:
        network = instance.state.group("Network")["sys_id"]
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        update = FieldUpdate(aspect=Aspect.ASSIGNEE, field="assigned_to", value=ann)
        after = instance.adapter.write(ticket, [update])
        assert (after.assignee, after.group) == (ann, network)
        nobody = replace(update, value="b" * 32)
        with pytest.raises(Rejected, match="serves in no group"):
            instance.adapter.write(after, [nobody])

    def test_a_ticket_stays_in_the_group_in_which_it_is(
        self, instance: SandboxPeople, ann: str
    ) -> None:
        hardware = instance.state.group("Hardware")["sys_id"]
        ticket_id = instance.arrive(SUBJECT, TEXT, fields={"assignment_group": hardware})
        update = FieldUpdate(aspect=Aspect.ASSIGNEE, field="assigned_to", value=ann)
        with pytest.raises(Rejected, match="does not serve in the ticket's group"):
            instance.adapter.write(read(instance, ticket_id), [update])
