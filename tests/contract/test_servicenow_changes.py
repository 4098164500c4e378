"""Traps of reading a ServiceNow table by time: what would lose tickets, or take all for news."""

import json
from datetime import timedelta

import pytest
from people import SUBJECT, TEXT, HandClock, present, told, walk
from servicenow_people import ROWS, SandboxPeople

from adapters.servicenow.mapping import stamp_of
from connector.errors import ConfigError, Rejected, Retry
from connector.model import Cursor, TicketId


def backdated(instance: SandboxPeople, ticket: TicketId, seconds: int) -> None:
    """Let a row look as if its transaction had begun earlier."""
    stamp = stamp_of(instance.clock.now() - timedelta(seconds=seconds))
    instance.state.tickets[ticket]["sys_updated_on"] = stamp


class TestTrapsOfTheStream:
    def test_tickets_of_one_second_are_not_lost_at_the_border_of_a_page(
        self, instance: SandboxPeople
    ) -> None:
        instance.pages_of(4)
        start = present(instance)
        filed = [instance.arrive(f"{n}", TEXT) for n in range(10)]
        pages = walk(instance.adapter.changed_since(start))
        assert [len(page.items) for page in pages] == [4, 4, 2, 0]
        assert sorted(told(pages, *filed)) == sorted(filed)

    def test_a_page_of_rows_that_we_may_not_see_does_not_end_the_stream(
        self, instance: SandboxPeople
    ) -> None:
        """The limit counts them, so whole pages are empty or short, and the next may not be."""
        instance.pages_of(3)
        start = present(instance)
        hidden = [instance.arrive(f"hidden {n}", TEXT) for n in range(8)]
        instance.later()
        shown = [instance.arrive(f"shown {n}", TEXT) for n in range(2)]
        instance.state.hidden.update(hidden)
        pages = walk(instance.adapter.changed_since(start))
        assert told(pages, *hidden, *shown) == sorted(shown)
        assert pages[-1].last

    def test_the_address_of_a_next_page_is_not_followed(self, instance: SandboxPeople) -> None:
        """Only how far it lies is read from it, so a foreign one leads nowhere."""
        start = present(instance)
        ticket_id = instance.arrive(SUBJECT, TEXT)
        link = '<http://127.0.0.1:9/api/now/table/incident?sysparm_offset=1>;rel="next"'
        instance.break_next(ROWS, status=200, headers={"Link": link}, body={"result": []})
        before = instance.calls(ROWS)
        walk(instance.adapter.changed_since(start))
        assert instance.calls(ROWS) - before == 2
        instance.clock.sleep(1)
        instance.state.touch(instance.state.tickets[ticket_id], "agent")
        assert told(walk(instance.adapter.changed_since(start)), ticket_id) == [ticket_id]

    def test_no_row_slips_past_while_hidden_ones_are_stepped_over(
        self, instance: SandboxPeople
    ) -> None:
        """A hidden row that changes meanwhile leaves its place to the next, which we may see."""
        instance.pages_of(2)
        start = present(instance)
        hidden = []
        for n in range(2):
            hidden.append(instance.arrive(f"hidden {n}", TEXT))
            instance.later()
        shown = instance.arrive(SUBJECT, TEXT)
        instance.state.hidden.update(hidden)
        instance.clock.sleep(300)
        newest = instance.arrive(SUBJECT, TEXT)
        instance.break_next(ROWS, before=lambda: None)
        instance.meanwhile(ROWS, hidden[0], urgency="1")
        pages = walk(instance.adapter.changed_since(start))
        pages += walk(instance.adapter.changed_since(pages[-1].cursor))
        assert told(pages, shown, newest) == [shown, newest]

    def test_an_empty_page_that_is_not_the_last_does_not_stop_the_stream(
        self, instance: SandboxPeople
    ) -> None:
        start = present(instance)
        ticket_id = instance.arrive(SUBJECT, TEXT)
        instance.break_next(ROWS, empty_page=True)
        instance.pages_of(1)
        (*_, last) = pages = walk(instance.adapter.changed_since(start))
        assert told(pages, ticket_id) == []
        assert told(walk(instance.adapter.changed_since(last.cursor)), ticket_id) == [ticket_id]

    def test_a_row_of_a_slow_transaction_is_told_though_its_time_is_past(
        self, instance: SandboxPeople
    ) -> None:
        start = present(instance)
        early = instance.arrive(SUBJECT, TEXT)
        instance.clock.sleep(30)
        first = walk(instance.adapter.changed_since(start))
        late = instance.arrive(SUBJECT, TEXT)
        backdated(instance, late, 90)
        second = walk(instance.adapter.changed_since(first[-1].cursor))
        assert told(second, early, late) == [late]
        assert told(walk(instance.adapter.changed_since(second[-1].cursor)), early, late) == []

    def test_the_first_second_that_is_read_again_belongs_to_it(
        self, instance: SandboxPeople
    ) -> None:
        start = present(instance)
        instance.arrive(SUBJECT, TEXT)
        first = walk(instance.adapter.changed_since(start))
        late = instance.arrive(SUBJECT, TEXT)
        backdated(instance, late, 120)
        assert told(walk(instance.adapter.changed_since(first[-1].cursor)), late) == [late]

    def test_two_changes_within_one_second_are_both_told(self, instance: SandboxPeople) -> None:
        ticket_id = instance.arrive(SUBJECT, TEXT)
        row = instance.state.tickets[ticket_id]
        first = walk(instance.adapter.changed_since(present(instance)))
        instance.state.change(row, {"category": "network"}, "agent")
        assert row["sys_updated_on"] == row["sys_created_on"]
        second = walk(instance.adapter.changed_since(first[-1].cursor))
        assert told(second, ticket_id) == [ticket_id]

    def test_a_row_that_changes_while_pages_are_read_is_not_lost_and_hides_no_other(
        self, instance: SandboxPeople
    ) -> None:
        """With offsets, the row after it would move to its place, and be passed over."""
        instance.pages_of(2)
        start = present(instance)
        filed = []
        for n in range(6):
            filed.append(instance.arrive(f"{n}", TEXT))
            instance.later()
        pages = instance.adapter.changed_since(start)
        seen = [next(pages)]
        instance.state.change(instance.state.tickets[filed[0]], {"category": "network"}, "agent")
        seen += walk(pages)
        assert sorted(told(seen, *filed)) == sorted([*filed, filed[0]])

    def test_an_instance_whose_clock_is_behind_loses_nothing(
        self, instance: SandboxPeople, clock: HandClock
    ) -> None:
        old = instance.arrive(SUBJECT, TEXT)
        instance.state.now = lambda: clock.now() - timedelta(hours=2)
        backdated(instance, old, 3 * 3600)
        start = present(instance)
        new = instance.arrive(SUBJECT, TEXT)
        assert told(walk(instance.adapter.changed_since(start)), old, new) == [new]

    def test_a_stream_begins_now_and_never_tells_what_was_before(
        self, instance: SandboxPeople, clock: HandClock
    ) -> None:
        old = [instance.arrive(f"{n}", TEXT) for n in range(3)]
        clock.sleep(310)
        first = walk(instance.adapter.changed_since(None))
        new = instance.arrive(SUBJECT, TEXT)
        second = walk(instance.adapter.changed_since(first[-1].cursor))
        third = walk(instance.adapter.changed_since(second[-1].cursor))
        assert told([*first, *second, *third], *old, new) == [new]

    def test_a_row_that_is_deleted_from_the_table_ends_no_stream(
        self, instance: SandboxPeople
    ) -> None:
        start = present(instance)
        gone, kept = instance.arrive(SUBJECT, TEXT), instance.arrive(SUBJECT, TEXT)
        first = walk(instance.adapter.changed_since(start))
        instance.call("DELETE", f"incident/{gone}")
        second = walk(instance.adapter.changed_since(first[-1].cursor))
        assert told(first, gone, kept) == sorted([gone, kept])
        assert told(second, gone, kept) == []

    @pytest.mark.parametrize("cursor", ["", "17", "{}", '{"at": "soon", "seen": [], "floor": ""}'])
    def test_a_position_of_something_else_is_rejected(
        self, instance: SandboxPeople, cursor: str
    ) -> None:
        with pytest.raises(Rejected, match="stored position"):
            walk(instance.adapter.changed_since(Cursor(cursor or "[]")))

    def test_a_position_stays_small(self, instance: SandboxPeople) -> None:
        start = present(instance)
        for n in range(40):
            instance.arrive(f"{n}", TEXT)
        instance.clock.sleep(200)
        instance.arrive(SUBJECT, TEXT)
        pages = walk(instance.adapter.changed_since(start))
        assert len(json.loads(pages[-1].cursor)["seen"]) == 1


class TestDroppedQueries:
    """An instance that cannot read a condition drops it and answers with the rest of the table."""

    def test_a_row_older_than_the_bound_stops_the_tenant(self, instance: SandboxPeople) -> None:
        old = {"sys_id": "a" * 32, "sys_mod_count": "1", "sys_updated_on": "2001-01-01 00:00:00"}
        start = present(instance)
        instance.break_next(ROWS, status=200, body={"result": [old]})
        with pytest.raises(ConfigError, match="returns_no_rows"):
            walk(instance.adapter.changed_since(start))

    def test_a_misspelt_field_is_noticed_on_the_real_answer(
        self, instance: SandboxPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start = present(instance)
        instance.arrive(SUBJECT, TEXT)
        monkeypatch.setattr("adapters.servicenow.changes.STAMP", "sys_updatd_on")
        with pytest.raises(ConfigError, match="let the account read sys_updatd_on"):
            walk(instance.adapter.changed_since(start))

    def test_a_stranger_among_the_tickets_asked_for_stops_the_tenant(
        self, instance: SandboxPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine, other = instance.arrive(SUBJECT, TEXT), instance.arrive(SUBJECT, TEXT)
        monkeypatch.setattr("adapters.servicenow.query.Condition.__str__", lambda _self: "x=y")
        with pytest.raises(ConfigError):
            instance.adapter.fetch([mine])
        assert other in instance.state.tickets


class TestTheTimeZone:
    @pytest.mark.parametrize("hours", [-5, 2])
    def test_an_account_in_another_zone_does_not_connect(
        self, instance: SandboxPeople, hours: float
    ) -> None:
        instance.state.zone_hours = hours
        with pytest.raises(ConfigError, match="set the time zone of 'triage' to GMT"):
            instance.adapter.check()

    def test_in_greenwich_it_connects(self, instance: SandboxPeople) -> None:
        assert instance.adapter.check().warnings == ()

    def test_a_row_that_changes_between_the_two_calls_is_tested_again(
        self, instance: SandboxPeople, clock: HandClock
    ) -> None:
        me = instance.state.person("triage", "")
        calls = iter(range(9))

        def touch() -> None:
            if next(calls) == 1:
                clock.sleep(1)
                instance.state.touch(me, "admin")

        instance.break_next("GET /api/now/v2/table/sys_user", times=9, before=touch)
        assert instance.adapter.check().name == "Triage"

    def test_a_table_of_which_nothing_may_be_seen_is_a_warning(
        self, instance: SandboxPeople
    ) -> None:
        instance.state.hidden.update(instance.arrive(f"{n}", TEXT) for n in range(3))
        (warning,) = instance.adapter.check().warnings
        assert "sees no row of incident" in warning

    def test_an_answer_that_is_no_list_is_tried_again(self, instance: SandboxPeople) -> None:
        start = present(instance)
        for body in ("<html>waking up</html>", {}, {"result": {}}, {"result": ["x"]}):
            instance.break_next(ROWS, status=200, body=body)
            with pytest.raises(Retry):
                walk(instance.adapter.changed_since(start))
