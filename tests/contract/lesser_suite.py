"""What remains where a desk lacks a power: it tells of new tickets only, or signs nothing."""

import pytest
from people import SUBJECT, TEXT, Desk, category, present, read, told, walk

from connector.errors import Forged
from connector.model import Secret


class TellsOfNewOnesOnly:
    """Inherit before `AdapterContract` where the desk has no time of change, no filter, no order.

    Each test stands in for the suite's own of that name.
    """

    def test_a_later_change_is_told_again_under_another_version(self, desk: Desk) -> None:
        """It is not; but a webhook names the ticket, and what is read then is the new state."""
        start = present(desk)
        ticket_id = desk.arrive(SUBJECT, TEXT)
        first = walk(desk.adapter.changed_since(start))
        before = read(desk, ticket_id)
        desk.change(ticket_id, tags=["vip"])
        desk.reply(ticket_id, "and now?")
        assert told(walk(desk.adapter.changed_since(first[-1].cursor)), ticket_id) == []
        body = desk.hook_body(ticket_id)
        hinted = desk.adapter.parse_webhook(body, desk.sign(body, desk.secret)).tickets
        (after,) = desk.adapter.fetch(hinted)
        assert (after.tags, after.last_message) == ({"vip"}, "and now?")
        assert after.revision != before.revision
        assert after.content_hash != before.content_hash

    def test_our_own_write_comes_back_once_and_says_nothing_new(self, desk: Desk) -> None:
        """It never comes back."""
        start = present(desk)
        ticket_id = desk.arrive(SUBJECT, TEXT)
        first = walk(desk.adapter.changed_since(start))
        filed = read(desk, ticket_id)
        desk.adapter.write(filed, [category(desk, desk.mapped.categories[0])])
        assert told(walk(desk.adapter.changed_since(first[-1].cursor)), ticket_id) == []
        assert read(desk, ticket_id).content_hash == filed.content_hash

    def test_deleted_tickets_are_told_as_deleted(self, desk: Desk) -> None:
        """They are not told; whoever reads one finds that it is gone."""
        start = present(desk)
        gone, stays = desk.arrive(SUBJECT, TEXT), desk.arrive(SUBJECT, TEXT)
        desk.delete(gone)
        pages = walk(desk.adapter.changed_since(start))
        assert told(pages, gone, stays) == [stays]
        assert [each.id for each in desk.adapter.fetch([gone, stays])] == [stays]


class CarriesTheSecret:
    """Inherit before `AdapterContract` where a webhook carries its secret and no signature."""

    def test_a_call_that_was_not_signed_as_it_stands_is_forged(self, desk: Desk) -> None:
        """The secret says nothing of the body, but without it nothing is believed."""
        body = desk.hook_body(desk.example)
        good = desk.sign(body, desk.secret)
        name = next(each for each in good if "secret" in each)
        wrong = (f"{good[name]}x", good[name][:-1], good[name].upper(), "", "\udcff \xfc")
        calls = [{**good, name: each} for each in wrong]
        for headers in [{}, desk.sign(body, Secret("another key")), *calls]:
            with pytest.raises(Forged):
                desk.adapter.parse_webhook(body, headers)
