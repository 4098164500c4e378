"""Traps of Request Tracker: what would lose a ticket, a value or the credential."""

from pathlib import Path
from typing import Any

import pytest
from people import SUBJECT, TEXT, HandClock, category, read, tag, told, walk
from rt_people import TAGS_FIELD, RtSandboxPeople

from adapters.rt.sandbox.state import UNSEEN_FIELD
from connector.errors import Conflict, Gone, Rejected, Retry, Unauthorized
from connector.model import TAGS, Aspect, Cursor, FieldUpdate, Secret, Status, TicketId

SEARCH = "GET /REST/2.0/transactions"


def update(field: str, value: Any) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.PRIORITY, field=field, value=value)


def start_of(desk: RtSandboxPeople) -> Cursor:
    return walk(desk.adapter.changed_since(None))[-1].cursor


class TestTrapsOfTheStream:
    def test_tickets_of_one_second_are_not_lost_at_the_border_of_a_page(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        desk.pages_of(4)
        start = start_of(desk)
        filed = [desk.arrive(f"{n}", TEXT) for n in range(10)]
        assert len({row.created for row in desk.sandbox.state.tickets.values()}) == 1
        pages = walk(desk.adapter.changed_since(start))
        assert [len(page.items) for page in pages] == [4, 4, 2]
        assert told(pages, *filed) == filed

    def test_pages_whose_rows_are_all_hidden_are_not_the_end(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        """Custom fields that we may not see are hidden like comments, and no query spares them."""
        desk = rt_sandboxed
        desk.pages_of(3)
        start = start_of(desk)
        ticket = desk.arrive(SUBJECT, TEXT)
        first = desk.sandbox.state.tickets[int(ticket)]
        for _ in range(8):
            desk.sandbox.state.note(first, "CustomField", "root", Field=UNSEEN_FIELD)
        later = desk.arrive(SUBJECT, TEXT)
        pages = walk(desk.adapter.changed_since(start))
        assert told(pages, ticket, later) == [ticket, later]
        assert pages[-1].last

    def test_hidden_rows_at_the_end_end_the_round(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        row = desk.sandbox.state.tickets[int(ticket)]
        for _ in range(250):
            desk.sandbox.state.note(row, "CustomField", "root", Field=UNSEEN_FIELD)
        pages = walk(desk.adapter.changed_since(start_of(desk)))
        assert [(page.items, page.last) for page in pages] == [((), True)]

    def test_a_transaction_that_commits_late_is_told(self, rt_sandboxed: RtSandboxPeople) -> None:
        """Numbers are given out before the commit: a slow one appears behind the position."""
        desk = rt_sandboxed
        start = start_of(desk)
        slow, quick = desk.arrive(SUBJECT, TEXT), desk.arrive(SUBJECT, TEXT)
        rows = desk.sandbox.state.transactions
        held = [row for row in rows if row["ObjectId"] == slow]
        for row in held:
            rows.remove(row)
        first = walk(desk.adapter.changed_since(start))
        assert told(first, slow, quick) == [quick]
        rows.extend(held)
        second = walk(desk.adapter.changed_since(first[-1].cursor))
        assert told(second, slow, quick) == [slow]
        assert told(walk(desk.adapter.changed_since(second[-1].cursor)), slow, quick) == []

    def test_mail_and_internal_comments_do_not_wake_us(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        desk.sandbox.state.rights |= {"ShowTicketComments"}
        ticket = desk.arrive(SUBJECT, TEXT)
        start = start_of(desk)
        desk.note(ticket, "between us")
        desk.sandbox.state.mail(desk.sandbox.state.tickets[int(ticket)], "root")
        assert told(walk(desk.adapter.changed_since(start)), ticket) == []

    def test_a_position_of_another_desk_is_refused(self, rt_sandboxed: RtSandboxPeople) -> None:
        with pytest.raises(Rejected, match="position"):
            walk(rt_sandboxed.adapter.changed_since(Cursor("MTc2NzMyMzA0Ni4w")))

    def test_an_address_in_an_answer_is_not_followed(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        start = start_of(desk)
        foreign = {"items": [], "total": None, "next_page": "http://127.0.0.1:9/REST/2.0/x"}
        desk.break_next(SEARCH, status=200, body=foreign)
        ticket = desk.arrive(SUBJECT, TEXT)
        assert told(walk(desk.adapter.changed_since(start)), ticket) == [ticket]


class TestTrapsOfReading:
    def test_a_merged_ticket_is_gone_and_not_the_other_one(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        kept, merged = desk.arrive(SUBJECT, TEXT), desk.arrive(SUBJECT, "doublet")
        before = read(desk, merged)
        desk.put(merged, {"MergeInto": int(kept)})
        assert [each.id for each in desk.adapter.fetch([merged, kept])] == [kept]
        with pytest.raises(Gone, match="merged"):
            desk.adapter.write(before, [category(desk, "network")])

    def test_a_ticket_that_we_may_no_longer_see_is_gone(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        forbidden = {"message": "Forbidden"}
        desk.break_next(f"GET /REST/2.0/ticket/{ticket.id}", status=403, body=forbidden)
        with pytest.raises(Gone):
            desk.adapter.write(ticket, [category(desk, "network")])

    def test_the_message_is_the_plain_part_and_no_attachment(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, "")
        state = desk.sandbox.state
        state.attachments.clear()
        created = state.transactions[0]
        state.attach(created, "", media="multipart/mixed")
        state.attach(created, "line of a log", filename="log.txt")
        state.attach(created, "<p>in HTML</p>", media="text/html")
        assert read(desk, ticket).description == "<p>in HTML</p>"
        state.attach(created, "in plain text")
        assert read(desk, ticket).description == "in plain text"

    def test_who_files_without_a_requestor_is_the_requestor(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        filed = {"Queue": "Support", "Subject": SUBJECT, "Content": TEXT}
        ticket = TicketId(desk.call("rita", "POST", "ticket", filed)["id"])
        desk.reply(ticket, "and more")
        assert read(desk, ticket).requester == "rita"
        assert read(desk, ticket).last_message == "and more"

    def test_a_rejected_ticket_is_resolved_whatever_it_is_called(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        """Which statuses are final stands in the lifecycle, and only a search tells."""
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        desk.put(ticket, {"Status": "stalled"})
        assert read(desk, ticket).status is Status.OPEN
        desk.put(ticket, {"Status": "rejected"})
        assert read(desk, ticket).status is Status.RESOLVED

    def test_lifecycles_are_asked_once_for_each_status(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        read(desk, ticket)
        before = desk.calls()
        read(desk, ticket)
        assert desk.calls() - before == 3  # rows, who said something, and what

    def test_the_history_tells_the_first_subject_and_asks_for_no_date(
        self, rt_sandboxed: RtSandboxPeople, clock: HandClock
    ) -> None:
        """RT reads dates in the account's time zone; the sandbox refuses them."""
        desk = rt_sandboxed
        since = clock.now()
        ticket = desk.arrive("as first filed", TEXT)
        desk.put(ticket, {"Subject": "as renamed"})
        desk.change(ticket, solve=True)
        pages = list(desk.adapter.history(since))
        assert [each.subject for page in pages for each in page.items] == ["as first filed"]
        clock.advance(10)
        assert [page.items for page in desk.adapter.history(clock.now())] == [()]

    def test_the_history_goes_on_over_pages_and_hidden_rows(
        self, rt_sandboxed: RtSandboxPeople, clock: HandClock
    ) -> None:
        desk = rt_sandboxed
        desk.pages_of(2)
        since = clock.now()
        filed = [desk.arrive(f"{n}", TEXT) for n in range(12)]
        for ticket in filed:
            desk.change(ticket, solve=True)
        seen = [each.id for page in desk.adapter.history(since) for each in page.items]
        assert sorted(seen) == sorted(filed)
        desk.sandbox.state.unseen = {int(ticket) for ticket in filed[1:9]}
        pages = list(desk.adapter.history(since))
        seen = [each.id for page in pages for each in page.items]
        assert sorted(seen) == sorted([filed[0], *filed[9:]])
        assert pages[-1].last


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


class TestTrapsOfTheCredential:
    def test_a_netrc_file_does_not_replace_the_token(
        self, rt_sandboxed: RtSandboxPeople, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login mallory password x\n", encoding="utf-8")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        assert rt_sandboxed.adapter.check().account == "triage"

    def test_a_password_serves_as_well(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        secrets = {"password": desk.sandbox.state.password}
        with desk.connect(secrets, token=None, password="secret:password") as adapter:
            assert adapter.check().name == "Triage"
        with (
            desk.connect(
                {"password": Secret("wrong")}, token=None, password="secret:password"
            ) as a,
            pytest.raises(Unauthorized, match="401 Unauthorized"),
        ):
            a.check()

    def test_a_wrong_token_is_unauthorized(self, rt_sandboxed: RtSandboxPeople) -> None:
        with rt_sandboxed.connect({"token": Secret("1-2-3")}) as adapter:
            with pytest.raises(Unauthorized):
                adapter.check()
            with pytest.raises(Unauthorized):
                walk(adapter.changed_since(None))

    def test_a_token_of_somebody_else_is_told_at_once(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        with (
            desk.connect({"token": desk.tokens["root"]}) as adapter,
            pytest.raises(Unauthorized, match="not one of the user 'triage'"),
        ):
            adapter.check()
        with (
            desk.connect(account="nobody.known") as adapter,
            pytest.raises(Unauthorized, match=r"user/nobody\.known"),
        ):
            adapter.check()


class TestTrapsOfTheLimits:
    @pytest.mark.parametrize(
        ("headers", "after"),
        [({"Retry-After": "7"}, 7.0), ({}, None), ({"Retry-After": "soon"}, None)],
        ids=["seconds", "missing", "garbage"],
    )
    def test_a_429_of_a_proxy_with_a_text_body_is_a_retry(
        self, rt_sandboxed: RtSandboxPeople, headers: dict[str, str], after: float | None
    ) -> None:
        rt_sandboxed.break_next("GET /REST/2.0/", status=429, headers=headers, body="too many")
        with pytest.raises(Retry) as refused:
            rt_sandboxed.adapter.fetch([TicketId("1")])
        assert refused.value.after == after

    @pytest.mark.parametrize(
        "body", ["<html>sign in</html>", "", [], {"items": None}, {"items": [1]}, {"count": 0}]
    )
    def test_an_answer_that_lists_nothing_is_no_empty_list(
        self, rt_sandboxed: RtSandboxPeople, body: object
    ) -> None:
        """A login page, or a proxy's, answers 200: read as empty it would lose tickets."""
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        for call in ("GET /REST/2.0/tickets", SEARCH, "POST /REST/2.0/attachments"):
            desk.break_next(call, status=200, body=body)
            with pytest.raises(Retry):
                desk.adapter.fetch([ticket])

    @pytest.mark.parametrize("body", ["<html>", {"message": "?"}, None])
    def test_a_write_whose_answer_cannot_be_read_is_tried_again(
        self, rt_sandboxed: RtSandboxPeople, body: object
    ) -> None:
        desk = rt_sandboxed
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        desk.break_next(f"PUT /REST/2.0/ticket/{ticket.id}", status=200, body=body)
        with pytest.raises(Retry):
            desk.adapter.write(ticket, [category(desk, "network")])


class TestStaffAndWarnings:
    def test_a_desk_in_order_gives_no_warning(self, rt_sandboxed: RtSandboxPeople) -> None:
        rt_sandboxed.arrive(SUBJECT, TEXT)
        assert rt_sandboxed.adapter.check().warnings == ()

    def test_teams_replace_the_admin_ccs_of_a_queue(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        desk.sandbox.state.user("bo", "Bo Berg", "bo@sandbox.example", staff=True)
        with desk.connect(teams={"Support": ("bo", "left.us"), "Nowhere": ("ann",)}) as adapter:
            (agent,) = adapter.staff().agents
            assert (agent.id, agent.name, agent.email) == ("bo", "Bo Berg", "bo@sandbox.example")
            (warning,) = (each for each in adapter.check().warnings if "teams" in each)
            assert "'Nowhere'" in warning

    def test_members_of_a_group_are_listed_where_they_may_be_read(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        desk = rt_sandboxed
        state = desk.sandbox.state
        state.groups[31] = ["ann"]
        state.watchers[state.queue_id("Support")] = [("group", "31"), ("user", "ann")]
        with desk.connect() as adapter:
            (warning,) = (each for each in adapter.check().warnings if "AdminCc" in each)
            assert "'Support'" in warning
            assert [agent.id for agent in adapter.staff().agents] == ["ann"]
            state.watchers[state.queue_id("Support")] = [("group", "31")]
            assert adapter.staff().agents == ()
            state.rights |= {"AdminGroupMembership"}
            assert not [each for each in adapter.check().warnings if "AdminCc" in each]
            assert [agent.id for agent in adapter.staff().agents] == ["ann"]

    def test_fields_that_cannot_be_described_are_named_and_still_written(
        self, rt_sandboxed: RtSandboxPeople
    ) -> None:
        """SeeCustomField on a queue shows that a field is there, not what it takes."""
        desk = rt_sandboxed
        desk.sandbox.state.rights.discard("SeeCustomField")
        with desk.connect(tags_field=None) as adapter:
            (warning,) = (each for each in adapter.check().warnings if "SeeCustomField" in each)
            assert "'Category'" in warning
            infos = {info.id: info for info in adapter.describe_fields()}
            assert (infos["Category"].kind, infos["Category"].options) == ("text", ())
            (ticket,) = adapter.fetch([desk.arrive(SUBJECT, TEXT)])
            after = adapter.write(ticket, [category(desk, "network")])
            assert after.fields["Category"] == "network"
            with pytest.raises(Rejected):
                adapter.write(after, [category(desk, "no option")])

    def test_mail_that_our_changes_cause_is_warned_of(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        ticket = desk.arrive(SUBJECT, TEXT)
        desk.sandbox.state.mail(desk.sandbox.state.tickets[int(ticket)], "triage")
        (warning,) = desk.adapter.check().warnings
        assert "RT sent mail because this account changed tickets" in warning

    def test_mail_that_cannot_be_seen_is_warned_of(self, rt_sandboxed: RtSandboxPeople) -> None:
        desk = rt_sandboxed
        desk.arrive(SUBJECT, TEXT)
        desk.sandbox.state.rights.discard("ShowOutgoingEmail")
        (warning,) = desk.adapter.check().warnings
        assert "ShowOutgoingEmail" in warning

    def test_an_account_that_sees_nothing_is_told_so(self, rt_sandboxed: RtSandboxPeople) -> None:
        """RT answers 200 and nothing, as if there were no queue and no ticket."""
        desk = rt_sandboxed
        assert [each for each in desk.adapter.check().warnings if "ShowTicket" in each]
        desk.sandbox.state.queues.clear()
        (warning,) = desk.adapter.check().warnings
        assert "SeeQueue" in warning
