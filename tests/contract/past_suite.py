"""What an adapter guarantees of the past: walks that nothing falls out of, from any page on."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from people import SUBJECT, TEXT, Desk, read

from connector.errors import Rejected
from connector.model import Cursor, Page, Status, TicketId
from connector.ports import ListsBacklog

Walk = Callable[..., Iterator[Page[Any]]]


def ids(pages: Sequence[Page[Any]], *of: TicketId) -> list[TicketId]:
    return [each.id for page in pages for each in page.items if each.id in of]


def is_resumable(walk: Walk, since: datetime, wanted: Sequence[TicketId]) -> None:
    pages = list(walk(since))
    assert sorted(ids(pages, *wanted)) == sorted(wanted)
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    shares = [page.share for page in pages if page.share is not None]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    for number, page in enumerate(pages):
        rest = list(walk(since, page.cursor))
        assert set(ids(rest, *wanted)) >= set(ids(pages[number + 1 :], *wanted))
        assert rest[-1].last
    # Not read anew: what lay well before the place is behind it.
    assert len(ids(list(walk(since, pages[-1].cursor)), *wanted)) < len(wanted)


class TellsOfThePast:
    """Inherited by `AdapterContract`."""

    def test_history_gives_resolved_tickets_as_first_filed(self, desk: Desk) -> None:
        since = datetime.now(UTC) - timedelta(days=1)
        value = desk.mapped.categories[0]
        ticket_id = desk.arrive(SUBJECT, TEXT, fields={desk.mapped.category: value})
        still_open = desk.arrive(SUBJECT, TEXT)
        desk.reply(ticket_id, "never mind")
        desk.change(ticket_id, solve=True)
        desk.settle()
        pages = list(desk.adapter.history(since))
        found = {ticket.id: ticket for page in pages for ticket in page.items}
        assert still_open not in found
        assert found[ticket_id].status is Status.RESOLVED
        assert (found[ticket_id].description, found[ticket_id].last_message) == (TEXT, "")
        assert found[ticket_id].fields[desk.mapped.category] == value
        assert pages[-1].last

    def test_the_past_is_lossless_and_resumable_from_any_page(self, desk: Desk) -> None:
        desk.pages_of(3)
        since = datetime.now(UTC) - timedelta(days=1)
        filed = [desk.arrive(f"{SUBJECT} {n}", TEXT) for n in range(14)]
        for ticket in filed[::2]:
            desk.change(ticket, solve=True)
        desk.settle()
        is_resumable(desk.adapter.history, since, filed[::2])
        if isinstance(desk.adapter, ListsBacklog):
            is_resumable(desk.adapter.backlog, since, filed[1::2])

    def test_the_backlog_names_what_is_open_and_can_be_read(self, desk: Desk) -> None:
        if not isinstance(desk.adapter, ListsBacklog):
            pytest.skip("this platform does not tell which tickets were left open")
        since = datetime.now(UTC) - timedelta(days=1)
        still_open, solved, gone = (desk.arrive(SUBJECT, TEXT) for _ in range(3))
        desk.change(solved, solve=True)
        desk.delete(gone)
        desk.settle()
        pages = list(desk.adapter.backlog(since))
        assert ids(pages, still_open, solved, gone) == [still_open]
        assert read(desk, still_open).status is Status.OPEN

    def test_a_position_of_something_else_is_refused(self, desk: Desk) -> None:
        since = datetime.now(UTC) - timedelta(days=1)
        with pytest.raises(Rejected):
            list(desk.adapter.history(since, Cursor("elsewhere")))
