"""Traps of reading ServiceNow's rows: shapes of values, journals, inherited fields, rights."""

import pytest
from people import SUBJECT, TEXT, read
from servicenow_people import ROWS, TABLE, SandboxPeople

from connector.errors import ConfigError, Gone, Rejected
from connector.model import FieldKind, Status


class TestShapesOfValues:
    @pytest.mark.parametrize(
        ("display", "linked"),
        [
            ("false", "true"),
            ("false", "false"),
            ("true", "false"),
            ("all", "true"),
            ("all", "false"),
        ],
    )
    def test_a_ticket_is_the_same_in_every_shape(
        self, instance: SandboxPeople, monkeypatch: pytest.MonkeyPatch, display: str, linked: str
    ) -> None:
        group, agent = instance.serving()
        assigned = {"assignment_group": group.id, "assigned_to": agent.id, "category": "network"}
        ticket_id = instance.arrive(SUBJECT, TEXT, fields=assigned)
        usual = read(instance, ticket_id)
        shapes = {
            "sysparm_display_value": display,
            "sysparm_exclude_reference_link": linked,
        }
        monkeypatch.setattr("adapters.servicenow.client._VALUES", shapes)
        assert read(instance, ticket_id) == usual
        assert (usual.group, usual.assignee) == (group.id, agent.id)
        assert instance.adapter.staff().groups == (group,)

    def test_an_empty_reference_is_nothing(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        assert (ticket.group, ticket.fields["assignment_group"]) == ("", None)


class TestMessages:
    def test_only_the_callers_comments_are_their_messages(self, instance: SandboxPeople) -> None:
        """Work notes lie in the same journal, and agents comment too."""
        ticket_id = instance.arrive(SUBJECT, TEXT)
        instance.reply(ticket_id, "still broken")
        instance.later()
        instance.call("PATCH", f"incident/{ticket_id}", {"comments": "have you tried"})
        instance.later()
        row = instance.state.tickets[ticket_id]
        instance.state.change(row, {"work_notes": "a note to myself"}, "rita.requester")
        assert read(instance, ticket_id).last_message == "still broken"

    def test_html_comes_without_its_marks(self, instance: SandboxPeople) -> None:
        ticket_id = instance.arrive(SUBJECT, TEXT)
        instance.reply(ticket_id, "[code]<p>still broken</p>[/code]")
        assert read(instance, ticket_id).last_message == "<p>still broken</p>"

    def test_many_tickets_cost_two_calls_for_fifty(self, instance: SandboxPeople) -> None:
        filed = [instance.arrive(f"{n}", TEXT) for n in range(60)]
        instance.reply(filed[-1], "hello?")
        instance.adapter.describe_fields()
        rows, entries = instance.calls(ROWS), instance.calls(f"GET {TABLE}/sys_journal_field")
        found = {each.id: each for each in instance.adapter.fetch(filed)}
        assert found[filed[-1]].last_message == "hello?"
        assert instance.calls(ROWS) - rows == 2
        assert instance.calls(f"GET {TABLE}/sys_journal_field") - entries == 2


class TestStates:
    def test_a_row_that_was_deleted_is_left_out_and_gone(self, instance: SandboxPeople) -> None:
        ticket = read(instance, instance.arrive(SUBJECT, TEXT))
        instance.call("DELETE", f"incident/{ticket.id}")
        assert instance.adapter.fetch([ticket.id]) == []
        with pytest.raises(Gone):
            instance.adapter.write(ticket, [])

    @pytest.mark.parametrize(
        ("state", "status"),
        [("1", Status.OPEN), ("2", Status.OPEN), ("6", Status.RESOLVED), ("7", Status.RESOLVED)],
    )
    def test_states_of_an_incident(
        self, instance: SandboxPeople, state: str, status: Status
    ) -> None:
        assert read(instance, instance.arrive("", "", fields={"state": state})).status is status

    def test_states_can_be_told(self, instance: SandboxPeople) -> None:
        ids = [instance.arrive("", "", fields={"state": state}) for state in "238"]
        options = {"resolved_states": ["3"], "deleted_states": ["2"]}
        with instance.connect(**options) as adapter:
            found = {each.id: each.status for each in adapter.fetch(ids)}
        # The last is neither here, but no longer active.
        assert found == {ids[1]: Status.RESOLVED, ids[2]: Status.RESOLVED}


class TestFields:
    def test_inherited_columns_are_described_and_the_nearest_table_counts(
        self, instance: SandboxPeople
    ) -> None:
        infos = {info.id: info for info in instance.adapter.describe_fields()}
        assert infos["urgency"].options == ("1", "2", "3")
        assert infos["state"].options == ("1", "2", "3", "6", "7", "8")
        assert infos["assigned_to"].kind is FieldKind.AGENT
        assert infos["assignment_group"].options == (instance.serving()[0].id,)
        assert infos["active"].kind is FieldKind.FLAG

    def test_what_would_be_a_message_or_change_the_requesters_words_is_no_field(
        self, instance: SandboxPeople
    ) -> None:
        described = {info.id for info in instance.adapter.describe_fields()}
        words = {"comments", "work_notes", "short_description", "description", "number", "sys_id"}
        assert not described & words

    def test_a_table_that_is_not_there_is_named(self, instance: SandboxPeople) -> None:
        with (
            instance.connect(table="u_incidnet") as adapter,
            pytest.raises(ConfigError, match=r"desk\.table: the instance shows no table"),
        ):
            adapter.describe_fields()

    @pytest.mark.parametrize("field", ["u_no_such_field", "category_of_mine", "u_products"])
    def test_a_field_for_tags_has_to_be_a_text_that_is_there(
        self, instance: SandboxPeople, field: str
    ) -> None:
        with (
            instance.connect(tags_field=field) as adapter,
            pytest.raises(ConfigError, match=rf"desk\.tags_field: .*{field}"),
        ):
            adapter.describe_fields()

    def test_a_field_that_we_may_not_read_is_missed_by_name(self, instance: SandboxPeople) -> None:
        ticket_id = instance.arrive(SUBJECT, TEXT)
        instance.adapter.describe_fields()
        row = {"sys_id": ticket_id, "sys_mod_count": "0", "state": "1"}
        instance.break_next(ROWS, status=200, body={"result": [row]})
        with pytest.raises(Rejected, match=r"may not read sys_updated_on, .*description"):
            instance.adapter.fetch([ticket_id])

    def test_a_user_who_is_not_shown_is_named(self, instance: SandboxPeople) -> None:
        """With an API key the account's name is only told, not proven."""
        key = {"key": instance.sandbox.door.api_key}
        changes = {"account": "somebody", "password": None, "api_key": "secret:key"}
        with (
            instance.connect(key, **changes) as adapter,
            pytest.raises(Rejected, match="no user 'somebody'"),
        ):
            adapter.check()
