"""What every adapter guarantees: one suite, which a platform inherits with a `Desk` driver."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from past_suite import TellsOfThePast
from people import SUBJECT, TEXT, Desk, category, present, read, tags, told, walk

from connector.errors import Conflict, Forged, Gone, Rejected, Unreadable
from connector.inspection import CanBeInspected, ShowsClock
from connector.model import (
    Aspect,
    FieldKind,
    FieldUpdate,
    FieldValue,
    Secret,
    Status,
    Ticket,
    TicketId,
)
from connector.ports import ListsStaff


class AdapterContract(TellsOfThePast):
    """Inherit and give a fixture `desk`; the desk may hold other tickets than the suite's."""

    # who and what

    def test_the_desk_says_who_we_are(self, desk: Desk) -> None:
        who = desk.adapter.check()
        assert who.account
        assert who.name

    def test_mapped_fields_are_described_with_their_options(self, desk: Desk) -> None:
        infos = {info.id: info for info in desk.adapter.describe_fields()}
        assert infos[desk.mapped.category].kind is FieldKind.CHOICE
        assert set(desk.mapped.categories) <= set(infos[desk.mapped.category].options)
        assert infos[desk.mapped.choices].kind is FieldKind.CHOICES
        assert infos[desk.mapped.text].kind is FieldKind.TEXT
        assert infos[desk.mapped.text].options == ()

    def test_a_ticket_shows_a_value_for_every_described_field(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        described = {info.id for info in desk.adapter.describe_fields()}
        assert described <= set(ticket.fields)

    def test_staff_tells_groups_and_who_serves_in_them(self, desk: Desk) -> None:
        group, agent = desk.serving()
        assert isinstance(desk.adapter, ListsStaff)
        staff = desk.adapter.staff()
        assert group in staff.groups
        assert agent in staff.agents
        assert group.id in agent.groups

    def test_the_desks_time_is_told_after_an_answer(self, desk: Desk) -> None:
        if not isinstance(desk.adapter, CanBeInspected):
            pytest.skip("this desk's settings cannot be looked at")
        desk.adapter.check()
        inspection = desk.adapter.inspection()
        assert isinstance(inspection, ShowsClock)
        skew = inspection.clock_skew()
        assert skew is not None
        assert abs(skew) < 3600

    # reading

    def test_a_ticket_is_read_as_it_was_filed(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert (ticket.subject, ticket.description) == (SUBJECT, TEXT)
        assert (ticket.last_message, ticket.last_message_id) == ("", "")
        assert ticket.status is Status.OPEN
        assert ticket.created_at.utcoffset() == timedelta(0)

    def test_the_requesters_newest_message_is_read_and_no_agents_note(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.reply(ticket_id, "still broken")
        desk.reply(ticket_id, "now it smokes")
        desk.note(ticket_id, "the user is wrong")
        ticket = read(desk, ticket_id)
        assert ticket.last_message == "now it smokes"
        assert ticket.last_message_id
        assert ticket.description == TEXT

    def test_an_agents_answer_is_told_from_a_note_and_from_the_requester(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.note(ticket_id, "the user is wrong")
        desk.reply(ticket_id, "hello?")
        ticket = read(desk, ticket_id)
        assert not ticket.answered
        desk.answer(ticket_id, "we are on it")
        answered = read(desk, ticket_id)
        assert answered.answered
        assert answered.content_hash == ticket.content_hash

    def test_ids_that_do_not_exist_are_left_out(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        gone = desk.arrive(SUBJECT, TEXT)
        desk.delete(gone)
        odd = [desk.absent, TicketId("no number"), gone]
        assert [each.id for each in desk.adapter.fetch([*odd, ticket_id])] == [ticket_id]
        assert list(desk.adapter.fetch([])) == []

    def test_more_tickets_than_one_call_takes_are_read(self, desk: Desk) -> None:
        filed = [desk.arrive(f"{SUBJECT} {n}", TEXT) for n in range(130)]
        assert {each.id for each in desk.adapter.fetch(filed)} == set(filed)

    def test_the_content_hash_moves_with_the_requester_alone(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        filed = read(desk, ticket_id)
        desk.later()
        ours = desk.adapter.write(
            filed, [category(desk, desk.mapped.categories[0]), *tags(desk, "seen")]
        )
        desk.note(ticket_id, "looked at it")
        assert ours.revision != filed.revision
        assert ours.content_hash == filed.content_hash == read(desk, ticket_id).content_hash
        desk.reply(ticket_id, "hello?")
        assert read(desk, ticket_id).content_hash != filed.content_hash

    # the stream of changes

    def test_the_stream_is_lossless_and_resumable_from_any_page(self, desk: Desk) -> None:
        """Also with many tickets of one second at the border of a page."""
        desk.pages_of(3)
        start = present(desk)
        filed = [desk.arrive(f"{SUBJECT} {n}", TEXT) for n in range(10)]
        desk.settle()
        pages = walk(desk.adapter.changed_since(start))
        assert len(pages) >= 4
        assert sorted(told(pages, *filed)) == sorted(filed)
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
        for number, page in enumerate(pages):
            rest = walk(desk.adapter.changed_since(page.cursor))
            assert told(rest, *filed) == told(pages[number + 1 :], *filed)

    def test_the_stream_can_be_left_in_the_middle(self, desk: Desk) -> None:
        desk.pages_of(3)
        start = present(desk)
        filed = {desk.arrive(f"{SUBJECT} {n}", TEXT) for n in range(7)}
        desk.settle()
        seen: list[TicketId] = []
        cursor, last = start, False
        while not last:
            page = next(iter(desk.adapter.changed_since(cursor)))
            seen.extend(told([page], *filed))
            cursor, last = page.cursor, page.last
        assert sorted(seen) == sorted(filed)

    def test_a_quiet_desk_gives_one_last_page_and_nothing_twice(self, desk: Desk) -> None:
        start = present(desk)
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.settle()
        first = walk(desk.adapter.changed_since(start))
        assert told(first, ticket_id) == [ticket_id]
        again = walk(desk.adapter.changed_since(first[-1].cursor))
        assert told(again, ticket_id) == []
        assert again[-1].last

    def test_a_later_change_is_told_again_under_another_version(self, desk: Desk) -> None:
        start = present(desk)
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.settle()
        first = walk(desk.adapter.changed_since(start))
        desk.change(ticket_id, tags=["vip"])
        desk.settle()
        second = walk(desk.adapter.changed_since(first[-1].cursor))
        assert told(second, ticket_id) == [ticket_id]
        versions = {
            ref.version for page in [*first, *second] for ref in page.items if ref.id == ticket_id
        }
        assert len(versions) == 2

    def test_our_own_write_comes_back_once_and_says_nothing_new(self, desk: Desk) -> None:
        start = present(desk)
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.settle()
        first = walk(desk.adapter.changed_since(start))
        filed = read(desk, ticket_id)
        update = category(desk, desk.mapped.categories[0])
        desk.later()
        desk.adapter.write(filed, [update])
        desk.settle()
        second = walk(desk.adapter.changed_since(first[-1].cursor))
        assert told(second, ticket_id) == [ticket_id]
        back = read(desk, ticket_id)
        assert back.content_hash == filed.content_hash
        desk.later()
        desk.adapter.write(back, [update])
        desk.settle()
        assert told(walk(desk.adapter.changed_since(second[-1].cursor)), ticket_id) == []

    def test_deleted_tickets_are_told_as_deleted(self, desk: Desk) -> None:
        start = present(desk)
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.delete(ticket_id)
        desk.settle()
        pages = desk.adapter.changed_since(start)
        refs = [ref for page in pages for ref in page.items if ref.id == ticket_id]
        assert refs[-1].deleted

    # writing

    def test_a_write_sets_the_fields_and_gives_the_ticket_back(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        mapped = desk.mapped
        values: dict[str, FieldValue] = {
            mapped.category: mapped.categories[0],
            mapped.priority: mapped.high,
            mapped.text: "Ann Agent",
            mapped.choices: mapped.products,
        }
        after = desk.adapter.write(
            ticket,
            [
                FieldUpdate(aspect=Aspect.CATEGORY, field=field, value=value)
                for field, value in values.items()
            ],
        )
        now = read(desk, ticket.id)
        assert after == now
        assert {field: _sorted(now.fields[field]) for field in values} == {
            field: _sorted(value) for field, value in values.items()
        }
        assert (now.subject, now.description) == (SUBJECT, TEXT)

    def test_a_value_can_be_taken_back(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        mapped = desk.mapped
        field = mapped.category if mapped.clears_choices else mapped.text
        update = FieldUpdate(aspect=Aspect.CATEGORY, field=field, value=mapped.categories[0])
        set_ = desk.adapter.write(ticket, [update])
        cleared = desk.adapter.write(set_, [replace(update, value=None)])
        assert not cleared.fields[field]

    def test_equal_values_write_nothing(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        updates = [category(desk, desk.mapped.categories[0]), *tags(desk, "triage_seen")]
        after = desk.adapter.write(read(desk, ticket_id), updates)
        desk.later()
        assert desk.adapter.write(after, updates) == after
        assert read(desk, ticket_id).revision == after.revision

    def test_a_ticket_that_changed_since_it_was_read_is_not_written(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        stale = read(desk, ticket_id)
        desk.change(ticket_id, fields={desk.mapped.category: desk.mapped.categories[1]})
        theirs = read(desk, ticket_id)
        desk.later()
        with pytest.raises(Conflict):
            desk.adapter.write(
                stale, [category(desk, desk.mapped.categories[0]), *tags(desk, "seen")]
            )
        assert read(desk, ticket_id) == theirs

    def test_a_conflict_is_over_once_the_ticket_is_read_again(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        stale = read(desk, ticket_id)
        desk.change(ticket_id, tags=["vip"])
        update = category(desk, desk.mapped.categories[0])
        with pytest.raises(Conflict):
            desk.adapter.write(stale, [update])
        after = desk.adapter.write(read(desk, ticket_id), [update])
        assert after.fields[desk.mapped.category] == desk.mapped.categories[0]

    def test_unknown_fields_are_refused(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        for unknown in ("no_such_field", "987654321"):
            update = FieldUpdate(aspect=Aspect.CATEGORY, field=unknown, value="x")
            with pytest.raises(Rejected, match=unknown):
                desk.adapter.write(read(desk, ticket.id), [update])

    def test_values_that_a_field_does_not_offer_are_refused(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        with pytest.raises(Rejected):
            desk.adapter.write(ticket, [category(desk, "no_such_option")])
        assert read(desk, ticket.id).fields == ticket.fields

    def test_gone_tickets_are_told_as_gone(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        desk.delete(ticket.id)
        update = category(desk, desk.mapped.categories[0])
        for each in (ticket, replace(ticket, id=desk.absent)):
            with pytest.raises(Gone):
                desk.adapter.write(each, [update])

    def test_a_write_says_nothing_to_the_requester(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        desk.adapter.write(ticket, [category(desk, desk.mapped.categories[0]), *tags(desk, "seen")])
        assert desk.public_messages(ticket.id) == 1

    def test_two_threads_share_an_adapter_and_a_conflict_loses_no_change(self, desk: Desk) -> None:
        stale_id, other_id = desk.arrive(SUBJECT, TEXT), desk.arrive(SUBJECT, TEXT)
        stale, other = read(desk, stale_id), read(desk, other_id)
        desk.change(stale_id, tags=["vip"])
        update = category(desk, desk.mapped.categories[0])
        together = threading.Barrier(2)

        def write(ticket: Ticket) -> Ticket:
            together.wait(10)
            try:
                return desk.adapter.write(ticket, [update])
            except Conflict:
                return desk.adapter.write(read(desk, ticket.id), [update])

        with ThreadPoolExecutor(2) as pool:
            written = list(pool.map(write, [stale, other]))
        assert [each.id for each in written] == [stale_id, other_id]
        for ticket_id in (stale_id, other_id):
            assert read(desk, ticket_id).fields[desk.mapped.category] == update.value

    # webhooks

    def test_a_signed_call_names_its_ticket(self, desk: Desk) -> None:
        body = desk.hook_body(desk.example)
        headers = desk.sign(body, desk.secret)
        delivery = desk.adapter.parse_webhook(body, headers)
        assert delivery.tickets == (desk.example,)
        assert delivery.sent_at is not None
        assert delivery.sent_at.tzinfo is not None
        assert delivery.id
        assert desk.adapter.parse_webhook(body, headers).id == delivery.id

    def test_a_call_that_was_not_signed_as_it_stands_is_forged(self, desk: Desk) -> None:
        body = desk.hook_body(desk.example)
        good = desk.sign(body, desk.secret)
        reserialised = body.replace(b'": ', b'":').replace(b'":', b'" :')
        assert reserialised != body
        calls = [
            (body, {}),
            (reserialised, good),
            (body + b" ", good),
            (b"", good),
            (body, desk.sign(body, Secret("another key"))),
        ]
        calls += [(body, {**good, name: f"{good[name]}x"}) for name in good if "sig" in name]
        calls += [(body, {**good, name: "\udcff ü"}) for name in good if "sig" in name]
        for forged_body, headers in calls:
            with pytest.raises(Forged):
                desk.adapter.parse_webhook(forged_body, headers)

    def test_a_signed_call_that_names_no_ticket_is_unreadable(self, desk: Desk) -> None:
        for body in (b"", b"{", b"[]", b"null", b'"4711"', b'{"other": 1}', b"\xff\xfe"):
            with pytest.raises(Unreadable):
                desk.adapter.parse_webhook(body, desk.sign(body, desk.secret))

    # silence

    def test_no_log_record_holds_ticket_text_or_a_secret(
        self, desk: Desk, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        ticket_id = desk.arrive("unmistakable subject", "unmistakable description")
        desk.reply(ticket_id, "unmistakable reply")
        ticket = read(desk, ticket_id)
        after = desk.adapter.write(
            ticket, [category(desk, desk.mapped.categories[0]), *tags(desk, "seen")]
        )
        with pytest.raises(Rejected) as refused:
            desk.adapter.write(after, [category(desk, "unmistakable value")])
        desk.settle()
        walk(desk.adapter.changed_since(None))
        body = desk.hook_body(ticket_id)
        desk.adapter.parse_webhook(body, desk.sign(body, desk.secret))
        told = f"{caplog.text}{refused.value!r}{refused.value}"
        assert "unmistakable" not in told
        for secret in self.secrets(desk):
            assert secret.reveal() not in told

    def secrets(self, desk: Desk) -> Sequence[Secret]:
        return [desk.secret]


def _sorted(value: FieldValue) -> FieldValue:
    return tuple(sorted(value)) if isinstance(value, tuple) else value
