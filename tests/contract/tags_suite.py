"""What an adapter guarantees of tags: one suite for desks that keep some, one for those without."""

import pytest
from people import SUBJECT, TEXT, Desk, category, read, tag

from connector.errors import Conflict, Rejected
from connector.model import TAGS, FieldKind


class KeepsTags:
    """Inherit beside `AdapterContract` where the desk has tags."""

    def test_tags_are_described(self, desk: Desk) -> None:
        infos = {info.id: info for info in desk.adapter.describe_fields()}
        assert infos[TAGS].kind is FieldKind.TAGS

    def test_tags_of_others_are_never_lost(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        stale = read(desk, ticket_id)
        desk.change(ticket_id, tags=["vip"])
        with pytest.raises(Conflict):
            desk.adapter.write(stale, [tag("triage_seen")])
        after = desk.adapter.write(read(desk, ticket_id), [tag("triage_seen")])
        assert after.tags == {"vip", "triage_seen"}

    def test_an_own_earlier_tag_makes_room_for_the_new_one(self, desk: Desk) -> None:
        ticket_id = desk.arrive(SUBJECT, TEXT)
        desk.change(ticket_id, tags=["vip"])
        first = desk.adapter.write(read(desk, ticket_id), [tag("triage_old")])
        after = desk.adapter.write(first, [tag("triage_new", replaces="triage_old")])
        assert after.tags == {"vip", "triage_new"} == read(desk, ticket_id).tags


class KeepsNoTags:
    """Inherit beside `AdapterContract` where the desk has no tags."""

    def test_no_tags_are_described(self, desk: Desk) -> None:
        assert TAGS not in {info.id for info in desk.adapter.describe_fields()}
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        assert (TAGS in ticket.fields, ticket.tags) == (False, frozenset())

    def test_a_tag_is_refused_and_nothing_that_came_with_it_is_written(self, desk: Desk) -> None:
        ticket = read(desk, desk.arrive(SUBJECT, TEXT))
        together = [category(desk, desk.mapped.categories[0]), tag("triage_seen")]
        with pytest.raises(Rejected, match="keeps no tags"):
            desk.adapter.write(ticket, together)
        assert read(desk, ticket.id) == ticket
