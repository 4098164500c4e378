"""The stream over any kind of pages, and what a careless walk would lose or tell twice."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from people import SUBJECT, TEXT, HandClock, present, told, walk
from rest_people import RestPeople
from sandbox_person import Receiver
from suite import AdapterContract

from connector.errors import Rejected
from connector.model import TicketId

LIST = "GET /v2/tickets"
SIZE = {"size_parameter": "per_page"}
FORMS: Mapping[str, Mapping[str, Any]] = {
    "number": {"by": "number", "parameter": "page", **SIZE},
    "offset": {"by": "offset", "parameter": "offset", **SIZE},
    "cursor": {"by": "cursor", "parameter": "offset", "pointer": "/meta/cursor", **SIZE},
    "next": {"by": "next", "pointer": "/meta/next", **SIZE},
    "link": {"by": "link", **SIZE},
}
each_form = pytest.mark.parametrize("form", FORMS)


def arrive(desk: RestPeople, number: int) -> list[TicketId]:
    return [desk.arrive(f"{SUBJECT} {n}", TEXT) for n in range(number)]


def on_call(desk: RestPeople, number: int, match: str, action: Callable[[], object]) -> None:
    """Do something just before the so-manieth call that begins so is answered."""
    if number > 1:
        desk.break_next(match, times=number - 1, before=lambda: None)
    desk.break_next(match, before=action)


class TestPages:
    @each_form
    def test_every_kind_of_pages_is_lossless_and_resumable(
        self, rest: RestPeople, form: str
    ) -> None:
        rest.adapter = rest.connect(pages=FORMS[form])
        AdapterContract().test_the_stream_is_lossless_and_resumable_from_any_page(rest)

    @each_form
    def test_a_ticket_that_moves_while_pages_are_read_pushes_no_other_out(
        self, rest: RestPeople, form: str
    ) -> None:
        """The first row goes to the end of the list, and all others one row forward."""
        rest.adapter = rest.connect(pages=FORMS[form])
        rest.pages_of(3)
        start = present(rest)
        filed = arrive(rest, 10)

        def move() -> None:
            rest.later()
            rest.sandbox.state.touch(rest.sandbox.state.tickets[int(filed[0])])

        on_call(rest, 3, LIST, move)
        assert set(told(walk(rest.adapter.changed_since(start)), *filed)) == set(filed)

    def test_a_page_that_is_silently_cut_short_is_not_the_last(self, rest: RestPeople) -> None:
        rest.post("settings", {"page_size_cap": 4})
        start = present(rest)
        filed = arrive(rest, 10)
        assert sorted(told(walk(rest.adapter.changed_since(start)), *filed)) == filed

    def test_a_short_page_is_the_last_where_the_options_say_so(self, rest: RestPeople) -> None:
        rest.adapter = rest.connect(pages__end="short")
        start = present(rest)
        arrive(rest, 3)
        before = rest.calls(LIST)
        walk(rest.adapter.changed_since(start))
        assert rest.calls(LIST) == before + 1

    @pytest.mark.parametrize("form", ["next", "link", "cursor"])
    def test_an_empty_page_is_not_the_last_where_more_is_promised(
        self, rest: RestPeople, form: str
    ) -> None:
        rest.adapter = rest.connect(pages=FORMS[form])
        start = present(rest)
        filed = arrive(rest, 2)
        rest.break_next(LIST, empty_page=True)
        assert sorted(told(walk(rest.adapter.changed_since(start)), *filed)) == filed

    @pytest.mark.parametrize("form", ["next", "link"])
    @pytest.mark.parametrize("scheme", ["http:", ""])
    def test_a_next_address_elsewhere_is_not_followed(
        self, rest: RestPeople, form: str, scheme: str
    ) -> None:
        """The credential would go with it."""
        rest.adapter = rest.connect(pages=FORMS[form])
        with Receiver() as elsewhere:
            address = elsewhere.url.replace("http:", scheme)
            body = {"tickets": [], "meta": {"next": address}}
            headers = {"Link": f'<{address}>; rel="next"'}
            start = present(rest)
            rest.break_next(LIST, status=200, body=body, headers=headers)
            with pytest.raises(Rejected, match="page by number, offset or cursor"):
                walk(rest.adapter.changed_since(start))
            assert elsewhere.got == []

    @pytest.mark.parametrize(
        "pages",
        [{"by": "number", "parameter": "sheet", "size": 3}, {"by": "cursor", "parameter": "at"}],
    )
    def test_a_desk_that_does_not_go_on_by_our_pages_is_not_read_for_ever(
        self, rest: RestPeople, pages: dict[str, Any]
    ) -> None:
        pages = {"pointer": "/meta/cursor", "size_parameter": "per_page", **pages}
        rest.adapter = rest.connect(pages=pages)
        rest.pages_of(3)
        start = present(rest)
        arrive(rest, 7)
        with pytest.raises(Rejected, match=r"correct `by`, `parameter` or `pointer`"):
            walk(rest.adapter.changed_since(start))

    def test_a_list_that_knows_no_pages_is_read_once(self, plain_rest: RestPeople) -> None:
        staff = plain_rest.adapter.staff()
        assert len(staff.agents) == len({agent.id for agent in staff.agents}) == 1


class TestByTime:
    def test_a_second_of_slack_is_borne(self, rest: RestPeople) -> None:
        """The practice desk's filter lets tickets of the second before through."""
        rest.arrive(SUBJECT, TEXT)
        start = present(rest)
        ticket = rest.arrive(SUBJECT, TEXT)
        first = walk(rest.adapter.changed_since(start))
        assert told(first, ticket) == [ticket]
        assert told(walk(rest.adapter.changed_since(first[-1].cursor)), ticket) == []

    def test_two_changes_within_one_second_are_both_told(self, rest: RestPeople) -> None:
        start = present(rest)
        ticket = rest.arrive(SUBJECT, TEXT)
        first = walk(rest.adapter.changed_since(start))
        state = rest.sandbox.state
        state.set(state.tickets[int(ticket)], "category", "network")
        assert told(walk(rest.adapter.changed_since(first[-1].cursor)), ticket) == [ticket]

    def test_a_desk_that_ignores_the_filter_pauses_the_tenant(
        self, rest: RestPeople, clock: HandClock
    ) -> None:
        rest.arrive(SUBJECT, TEXT)
        clock.advance(4000)
        rest.arrive(SUBJECT, TEXT)
        start = present(rest)
        rest.adapter = rest.connect(changes__parameter="modified_after")
        with pytest.raises(Rejected, match=r"ignores changes\.parameter"):
            walk(rest.adapter.changed_since(start))

    @pytest.mark.parametrize(
        ("order", "sort"), [("ascending", "-updated_at"), ("descending", "updated_at")]
    )
    def test_a_list_in_another_order_is_refused(
        self, rest: RestPeople, clock: HandClock, order: str, sort: str
    ) -> None:
        for _ in range(2):
            rest.arrive(SUBJECT, TEXT)
            clock.advance(10)
        rest.adapter = rest.connect(changes__order=order, tickets__query={"sort": sort})
        with pytest.raises(Rejected, match=f"not in {order} order"):
            walk(rest.adapter.changed_since(None))

    def test_a_filter_by_days_loses_nothing_and_reads_each_page_a_few_times(
        self, rest: RestPeople, clock: HandClock
    ) -> None:
        changes = {"by": "updated", "parameter": "updated_since", "format": "%Y-%m-%d"}
        rest.adapter = rest.connect(changes={**changes, "slack": 86400})
        rest.pages_of(5)
        start = present(rest)
        filed = []
        for n in range(40):
            filed.append(rest.arrive(f"{SUBJECT} {n}", TEXT))
            clock.advance(60)
        before = rest.calls(LIST)
        pages = walk(rest.adapter.changed_since(start))
        assert sorted(told(pages, *filed)) == filed
        assert rest.calls(LIST) - before <= 3 * (40 // 5 + 1)
        assert told(walk(rest.adapter.changed_since(pages[-1].cursor)), *filed) == []

    def test_what_shows_late_with_an_old_time_is_found_within_the_overlap(
        self, rest: RestPeople, clock: HandClock
    ) -> None:
        """A search index, or a transaction that took its time."""
        start = present(rest)
        late = rest.arrive(SUBJECT, TEXT)
        hidden = rest.sandbox.state.tickets.pop(int(late))
        clock.advance(90)
        newer = rest.arrive(SUBJECT, TEXT)
        first = walk(rest.adapter.changed_since(start))
        assert told(first, late, newer) == [newer]
        rest.sandbox.state.tickets[int(late)] = hidden
        assert told(walk(rest.adapter.changed_since(first[-1].cursor)), late, newer) == [late]

    def test_a_stream_begins_by_the_desks_clock_where_that_is_behind(
        self, rest: RestPeople, clock: HandClock
    ) -> None:
        """The practice desk's web server tells the real time, ours here is two hours ahead."""
        ticket = rest.arrive(SUBJECT, TEXT)
        clock.advance(7200)
        assert told(walk(rest.adapter.changed_since(None)), ticket) == [ticket]

    def test_a_position_by_number_is_not_taken_for_one_by_time(
        self, rest: RestPeople, plain_rest: RestPeople
    ) -> None:
        for one, other in ((rest, plain_rest), (plain_rest, rest)):
            with pytest.raises(Rejected, match=r"changes\.by was another"):
                walk(one.adapter.changed_since(present(other)))


class TestByNumber:
    def test_a_number_that_shows_after_higher_ones_is_told(self, plain_rest: RestPeople) -> None:
        start = present(plain_rest)
        filed = arrive(plain_rest, 5)
        hidden = plain_rest.sandbox.state.tickets.pop(int(filed[1]))
        first = walk(plain_rest.adapter.changed_since(start))
        assert told(first, *filed) == [filed[0], *filed[2:]]
        plain_rest.sandbox.state.tickets[int(filed[1])] = hidden
        again = walk(plain_rest.adapter.changed_since(first[-1].cursor))
        assert told(again, *filed) == [filed[1]]

    def test_deleted_tickets_let_the_rest_move_forward_and_none_is_lost(
        self, plain_rest: RestPeople
    ) -> None:
        plain_rest.pages_of(4)
        old = arrive(plain_rest, 22)
        start = present(plain_rest)
        for ticket in old[:15]:
            plain_rest.delete(ticket)
        filed = arrive(plain_rest, 3)
        assert told(walk(plain_rest.adapter.changed_since(start)), *filed) == filed

    def test_a_quiet_look_reads_the_end_and_not_the_whole_list(
        self, plain_rest: RestPeople
    ) -> None:
        plain_rest.pages_of(4)
        arrive(plain_rest, 40)
        start = present(plain_rest)
        before = plain_rest.calls("GET /plain/items")
        assert walk(plain_rest.adapter.changed_since(start))[-1].last
        assert plain_rest.calls("GET /plain/items") - before <= 4

    @pytest.mark.parametrize("order", ["ascending", "descending", "none"])
    def test_a_desk_that_begins_empty_is_read_from_its_first_ticket(
        self, plain_rest: RestPeople, order: str
    ) -> None:
        rows = self._in_order(plain_rest, order)
        start = present(plain_rest)
        filed = arrive(plain_rest, 11)
        pages = walk(plain_rest.adapter.changed_since(start))
        assert sorted(told(pages, *filed)) == filed
        assert told(walk(plain_rest.adapter.changed_since(pages[-1].cursor)), *filed) == []
        assert rows == order

    @pytest.mark.parametrize("order", ["descending", "none"])
    def test_what_was_there_at_the_start_is_never_told(
        self, plain_rest: RestPeople, order: str
    ) -> None:
        self._in_order(plain_rest, order)
        old = arrive(plain_rest, 9)
        start = present(plain_rest)
        filed = arrive(plain_rest, 9)
        assert told(walk(plain_rest.adapter.changed_since(start)), *old, *filed) == filed

    def _in_order(self, desk: RestPeople, order: str) -> str:
        """Have the practice desk's list come in an order, and pages of four rows."""
        desk.adapter = desk.connect(changes__order=order)
        desk.pages_of(4)
        if order == "descending":
            tickets = desk.sandbox.desk._api._plain
            plain: Any = tickets
            original = plain._shown
            tickets_of = desk.sandbox.state.tickets

            def mirrored(ticket: Any) -> Any:
                held = sorted(tickets_of)
                return original(tickets_of[held[len(held) - 1 - held.index(ticket.id)]])

            plain._shown = mirrored
        return order

    def test_an_ascending_list_in_another_order_is_refused(self, plain_rest: RestPeople) -> None:
        self._in_order(plain_rest, "descending")
        arrive(plain_rest, 3)
        plain_rest.adapter = plain_rest.connect(changes__order="ascending")
        with pytest.raises(Rejected, match="not in ascending order"):
            walk(plain_rest.adapter.changed_since(None))

    def test_ids_that_are_no_numbers_are_refused(self, plain_rest: RestPeople) -> None:
        plain_rest.arrive(SUBJECT, TEXT)
        plain_rest.adapter = plain_rest.connect(ticket__id="/state")
        with pytest.raises(Rejected, match="no number"):
            walk(plain_rest.adapter.changed_since(None))
