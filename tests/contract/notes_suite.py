"""What an adapter guarantees that can leave notes for agents, and knows where they see a ticket."""

from dataclasses import replace

import pytest
from people import SUBJECT, TEXT, Desk, read

from connector.errors import Gone
from connector.ports import LeavesNotes, Links

NOTE = "triaged set this.\n  Wörter: <b>VPN</b>, 温度"


class Linked:
    """Inherit beside `AdapterContract` where the adapter knows a ticket's address by its id."""

    def test_a_ticket_s_address_is_known_from_its_id(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert isinstance(desk.adapter, Links)
        assert desk.adapter.link(ticket.id) == ticket.url
        assert ticket.id in ticket.url


class AgentsNotes(Linked):
    """Inherit beside `AdapterContract` where the adapter leaves notes."""

    def test_a_note_is_for_agents_alone(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert isinstance(desk.adapter, LeavesNotes)
        desk.adapter.leave_note(ticket, NOTE)
        assert [note.strip() for note in desk.notes(ticket.id)] == [NOTE]
        assert desk.public_messages(ticket.id) == 1, "the requester sees what they wrote"

    def test_a_note_says_nothing_new_and_is_no_answer(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert isinstance(desk.adapter, LeavesNotes)
        desk.later()
        desk.adapter.leave_note(ticket, NOTE)
        after = read(desk, ticket.id)
        assert after.content_hash == ticket.content_hash
        assert (after.last_message, after.answered) == ("", False)
        assert after.fields == ticket.fields

    def test_a_note_overwrites_nothing_that_came_between(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        stale = read(desk, ticket_id)
        desk.change(ticket_id, fields={desk.mapped.category: desk.mapped.categories[1]})
        assert isinstance(desk.adapter, LeavesNotes)
        desk.adapter.leave_note(stale, NOTE)
        assert read(desk, ticket_id).fields[desk.mapped.category] == desk.mapped.categories[1]

    def test_no_note_is_left_on_a_ticket_that_is_gone(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert isinstance(desk.adapter, LeavesNotes)
        with pytest.raises(Gone):
            desk.adapter.leave_note(replace(ticket, id=desk.absent), NOTE)
