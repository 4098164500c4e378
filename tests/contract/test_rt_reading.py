"""Traps of reading a Request Tracker: what would lose a ticket, or take one for another."""

import pytest
from people import SUBJECT, TEXT, HandClock, category, read, told, walk
from rt_people import RtSandboxPeople

from adapters.rt.sandbox.state import UNSEEN_FIELD
from connector.errors import Gone, Rejected
from connector.model import Cursor, Status, TicketId

SEARCH = "GET /REST/2.0/transactions"


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

    def test_a_ticket_between_hidden_rows_is_told(self, rt_sandboxed: RtSandboxPeople) -> None:
        """The newest number of all is hidden, so it does not tell how far to read."""
        desk = rt_sandboxed
        desk.pages_of(3)
        row = desk.sandbox.state.tickets[int(desk.arrive(SUBJECT, TEXT))]
        start = start_of(desk)
        for _ in range(8):
            desk.sandbox.state.note(row, "CustomField", "root", Field=UNSEEN_FIELD)
        ticket = desk.arrive(SUBJECT, TEXT)
        for _ in range(3):
            desk.sandbox.state.note(row, "CustomField", "root", Field=UNSEEN_FIELD)
        assert told(walk(desk.adapter.changed_since(start)), ticket) == [ticket]

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
