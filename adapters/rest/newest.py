"""The stream of new tickets by their numbers, for desks that tell no time of change."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from adapters.rest import mapping
from adapters.rest.client import RestClient
from adapters.rest.config import RestDesk
from connector.errors import Rejected
from connector.model import Cursor, Page, TicketId, TicketRef

WINDOW = 1000
"""Numbers below the highest in which one that was passed over is still awaited: a number is given
when a ticket begins to be filed, and shows when that ends, maybe after higher ones."""

NEW = "new"
"""The version of every ticket here: it is told once, when it is new."""

Run = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The highest number told, the runs below it that were not, and the page that it was on."""

    last: int
    gaps: tuple[Run, ...] = ()
    page: int = 0

    @classmethod
    def read(cls, cursor: Cursor) -> "Place":
        """Read a stored cursor; raises `Rejected`."""
        try:
            told: Any = json.loads(cursor)
            gaps = tuple((int(first), int(last)) for first, last in told["gaps"])
            return cls(last=int(told["last"]), gaps=gaps, page=int(told["page"]))
        except (ValueError, KeyError, TypeError):
            raise Rejected(
                "the stored position is not one by number: changes.by was another; "
                "put it back, or give the tenant a new name to begin anew"
            ) from None

    def cursor(self) -> Cursor:
        """Write the place as a cursor."""
        told = {"last": self.last, "gaps": self.gaps, "page": self.page}
        return Cursor(json.dumps(told, separators=(",", ":")))

    def is_new(self, number: int) -> bool:
        """Whether a number was not told yet."""
        return number > self.last or any(first <= number <= last for first, last in self.gaps)

    def after(self, numbers: list[int], page: int) -> "Place":
        """Give the place once these, in ascending order, were told."""
        last = max([self.last, *numbers])
        edges = [self.last, *(number for number in numbers if number > self.last)]
        later = [(one + 1, other - 1) for one, other in pairwise(edges) if other - one > 1]
        gaps = [part for run in self.gaps for part in _without(run, numbers)]
        kept = [(max(first, last - WINDOW), end) for first, end in (*gaps, *later)]
        return Place(last=last, gaps=tuple(run for run in kept if run[0] <= run[1]), page=page)


def _without(run: Run, numbers: list[int]) -> Iterator[Run]:
    """Give what is left of a run of numbers without some of them."""
    first, last = run
    for number in numbers:
        if first <= number <= last:
            if first < number:
                yield first, number - 1
            first = number + 1
    if first <= last:
        yield first, last


def present(client: RestClient, options: RestDesk) -> Place:
    """Give the place after all that is there; of a descending list the first page tells."""
    page = 0
    if options.changes.order == "descending":
        numbers = sorted(_numbers(client.page(options.tickets, {}, client.first).rows, options))
    else:
        numbers, page = _new(client, options, Place(last=0))
    return Place(last=numbers[0] - 1).after(numbers, page) if numbers else Place(last=0)


def told_since(client: RestClient, options: RestDesk, place: Place) -> Iterator[Page[TicketRef]]:
    """Yield what is new, lowest number first, so that nothing before a page is still to come."""
    numbers, page = _new(client, options, place)
    for begin in range(0, max(len(numbers), 1), client.page_size):
        chunk = numbers[begin : begin + client.page_size]
        last = begin + client.page_size >= len(numbers)
        place = place.after(chunk, page if last else place.page)
        items = tuple(TicketRef(id=TicketId(str(each)), version=NEW) for each in chunk)
        yield Page(items=items, cursor=place.cursor(), last=last)


def _new(client: RestClient, options: RestDesk, place: Place) -> tuple[list[int], int]:
    """Read the numbers that were not told yet, in ascending order, and the last page's number."""
    found: set[int] = set()
    order, reached = options.changes.order, place.page
    pages = _from_the_end(client, options, place) if order == "ascending" else _all(client, options)
    for at, numbers in pages:
        reached = at
        found.update(number for number in numbers if place.is_new(number))
        if order == "descending" and min(numbers, default=0) <= place.last:
            break
    return sorted(found), reached


def _all(client: RestClient, options: RestDesk) -> Iterator[tuple[int, list[int]]]:
    for page in client.walk(options.tickets, {}):
        yield 0, _numbers(page.rows, options)


def _from_the_end(
    client: RestClient, options: RestDesk, place: Place
) -> Iterator[tuple[int, list[int]]]:
    """Begin on the page before the one on which the last walk ended, or earlier if that is empty.

    Tickets that are deleted let all behind them move forward, also over several pages.
    """
    by_page = options.pages.by == "number"
    step = 1 if by_page else client.page_size
    at = max(int(client.first or 0), place.page - step)
    while at > int(client.first or 0):
        rows = client.page(options.tickets, {}, str(at)).rows
        if rows and min(_numbers(rows, options)) <= place.last:
            break
        at = max(int(client.first or 0), at - step)
    for page in client.walk(options.tickets, {}, str(at) if client.first else ""):
        numbers = _numbers(page.rows, options)
        if numbers != sorted(numbers):
            raise Rejected(
                "the desk's list is not in ascending order of desk.ticket.id: ask for it in "
                "desk.tickets.query, or correct changes.order"
            )
        if numbers:
            at = int(page.place or 0)
        yield at, numbers


def _numbers(rows: list[Any], options: RestDesk) -> list[int]:
    ids = [mapping.id_of(row, options) for row in rows]
    wrong = next((each for each in ids if not each.isdecimal()), None)
    if wrong is not None:
        raise Rejected("desk.ticket.id is no number, which `changes.by: id` needs")
    return [int(each) for each in ids]
