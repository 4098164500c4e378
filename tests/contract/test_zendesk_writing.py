"""Traps of writing to Zendesk: somebody comes between, or the desk says yes and does no."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests
from people import SUBJECT, TEXT, category, read, tag
from zendesk_people import SandboxPeople

from adapters.http import DeskSession
from connector.errors import Conflict, Rejected, Retry
from connector.model import Aspect, FieldUpdate, Ticket


class TestTrapsOfWriting:
    def test_a_conflict_between_reading_and_writing_writes_nothing(
        self, sandboxed: SandboxPeople
    ) -> None:
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        theirs = {sandboxed.mapped.category: "hardware"}
        sandboxed.meanwhile("PUT /api/v2/tickets/", ticket.id, fields=theirs)
        with pytest.raises(Conflict):
            sandboxed.adapter.write(ticket, [category(sandboxed, "network"), tag("seen")])
        now = read(sandboxed, ticket.id)
        assert now.fields[sandboxed.mapped.category] == "hardware"
        assert "seen" not in now.tags

    def test_a_change_within_the_stamps_second_is_not_overwritten(
        self, sandboxed: SandboxPeople
    ) -> None:
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        state = sandboxed.sandbox.state
        row = state.tickets[int(ticket.id)]
        state.set_field(row, sandboxed.mapped.category, "hardware")
        state.touch(row)
        assert read(sandboxed, ticket.id).revision == ticket.revision
        with pytest.raises(Conflict):
            sandboxed.adapter.write(ticket, [category(sandboxed, "network")])
        assert row["tags"] == ["hardware"]

    def test_a_tag_that_another_agent_adds_before_the_tags_are_written_stays(
        self, sandboxed: SandboxPeople
    ) -> None:
        """Somebody comes between our two steps: the fields are set, a second run sets the tags."""
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        updates = [category(sandboxed, "network"), tag("triage_seen")]
        path = f"PUT /api/v2/tickets/{ticket.id}/tags"
        sandboxed.meanwhile(path, ticket.id, tags=["network", "vip"])
        sandboxed.clock.sleep(1)
        with pytest.raises(Conflict):
            sandboxed.adapter.write(ticket, updates)
        between = read(sandboxed, ticket.id)
        assert between.fields[sandboxed.mapped.category] == "network"
        assert between.tags == {"network", "vip"}
        puts = sandboxed.calls(f"PUT /api/v2/tickets/{ticket.id}.json")
        after = sandboxed.adapter.write(between, updates)
        assert after.tags == {"network", "vip", "triage_seen"}
        assert sandboxed.calls(f"PUT /api/v2/tickets/{ticket.id}.json") == puts

    def test_a_tag_added_in_the_stamps_own_second_stays(self, sandboxed: SandboxPeople) -> None:
        """The stamp cannot tell; adding instead of setting is what saves the other tag."""
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        row = sandboxed.sandbox.state.tickets[int(ticket.id)]
        sandboxed.break_next(
            f"PUT /api/v2/tickets/{ticket.id}/tags", before=lambda: row["tags"].append("vip")
        )
        after = sandboxed.adapter.write(ticket, [tag("triage_seen")])
        assert after.tags == {"vip", "triage_seen"}

    def test_a_run_that_broke_off_after_adding_takes_the_old_tag_away_later(
        self, sandboxed: SandboxPeople
    ) -> None:
        first = sandboxed.adapter.write(
            read(sandboxed, sandboxed.arrive(SUBJECT, TEXT)), [tag("triage_old")]
        )
        sandboxed.break_next(f"DELETE /api/v2/tickets/{first.id}/tags", status=503)
        update = tag("triage_new", replaces="triage_old")
        with pytest.raises(Retry):
            sandboxed.adapter.write(first, [update])
        assert sandboxed.adapter.write(read(sandboxed, first.id), [update]).tags == {"triage_new"}

    def test_a_yes_that_ignored_a_key_is_rejected_by_its_name(
        self, sandboxed: SandboxPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The desk says so in a header only; zenpy's own `id` is listed there at every write."""
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        misspelt = {"priorty": "high"}
        monkeypatch.setattr("adapters.zendesk.mapping.changes_of", lambda _updates: misspelt)
        with pytest.raises(Rejected, match=r"ignored ticket\.priorty\."):
            sandboxed.adapter.write(ticket, [category(sandboxed, "network")])

    def test_an_agent_is_assigned_together_with_a_group_that_they_serve_in(
        self, sandboxed: SandboxPeople
    ) -> None:
        state = sandboxed.sandbox.state
        state.set_staff(
            ["Network", "Hardware"], [{"name": "Ann", "email": "ann@x.example", "group": "Network"}]
        )
        ann, network = str(state.agent_id("ann@x.example")), str(state.group_id("Network"))
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        update = FieldUpdate(aspect=Aspect.ASSIGNEE, field="assignee", value=ann)
        after = sandboxed.adapter.write(ticket, [update])
        assert (after.assignee, after.group) == (ann, network)
        nobody = FieldUpdate(aspect=Aspect.ASSIGNEE, field="assignee", value="123456")
        with pytest.raises(Rejected, match="serves in no group"):
            sandboxed.adapter.write(after, [nobody])

    def test_no_answer_gives_no_half_read_ticket(self, sandboxed: SandboxPeople) -> None:
        ticket = read(sandboxed, sandboxed.arrive(SUBJECT, TEXT))
        for body in ("<html>sign in</html>", "", [], {"ticket": None}, {"tickets": None}):
            for call in ("show_many.json", f"{ticket.id}.json"):
                sandboxed.break_next(f"GET /api/v2/tickets/{call}", status=200, body=body)
            with pytest.raises(Retry):
                sandboxed.adapter.fetch([ticket.id])
            with pytest.raises(Retry):
                sandboxed.adapter.write(ticket, [category(sandboxed, "network")])
        half = {"tickets": [{"id": ticket.id, "comment_count": 1}]}
        sandboxed.break_next("GET /api/v2/tickets/", status=200, body=half)
        with pytest.raises(Rejected, match="is no time"):
            sandboxed.adapter.fetch([ticket.id])

    def test_a_thread_that_met_a_409_repeats_its_change_while_another_succeeds(
        self, sandboxed: SandboxPeople, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the order in which zenpy objects, shared, forget what they have yet to send."""
        unlucky, lucky = (read(sandboxed, sandboxed.arrive(SUBJECT, TEXT)) for _ in range(2))
        update = category(sandboxed, "network")
        at_the_desk, sent = threading.Event(), threading.Event()
        other: list[Future[Ticket]] = []
        send = DeskSession.send

        def watched(self: DeskSession, request: requests.PreparedRequest, **more: Any) -> Any:
            ours = f"/{unlucky.id}.json" in (request.url or "")
            if ours and request.method == "PUT":
                sent.set()
            answer = send(self, request, **more)
            if ours and request.method == "GET" and not other:
                other.append(pool.submit(sandboxed.adapter.write, lucky, [update]))
                assert at_the_desk.wait(10)
            return answer

        def hold() -> None:
            at_the_desk.set()
            sent.wait(10)

        monkeypatch.setattr(DeskSession, "send", watched)
        sandboxed.break_next(f"PUT /api/v2/tickets/{lucky.id}", before=hold)
        sandboxed.break_next(f"PUT /api/v2/tickets/{unlucky.id}", status=409)
        with ThreadPoolExecutor(1) as pool:
            with pytest.raises(Conflict):
                sandboxed.adapter.write(unlucky, [update])
            assert other[0].result(10).fields[update.field] == "network"
        again = sandboxed.adapter.write(read(sandboxed, unlucky.id), [update])
        assert again.fields[update.field] == "network"

    def test_each_thread_has_a_zenpy_of_its_own_over_one_session(
        self, sandboxed: SandboxPeople
    ) -> None:
        client = sandboxed.adapter._client
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(client._zenpy).result(10)
        assert client._zenpy() is client._zenpy()
        assert client._zenpy() is not other
