"""The walk over what was there before: resolved tickets to learn from, open ones to catch up on."""

import json
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from adapters.progress import share
from adapters.rest import changes, mapping
from adapters.rest.client import RestClient
from adapters.rest.config import RestDesk
from connector.errors import Rejected
from connector.model import Cursor

MOST_TOLD = 500
"""Rows near its end that a cursor names: more than a second of any desk; beyond that, some are
read twice."""


class Piece(NamedTuple):
    """Rows, the position after them, whether that is all, and how far the walk has come."""

    rows: Sequence[Any]
    cursor: Cursor
    last: bool
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is looked for: rows `wanted` that changed after `since`, at most `size` in a piece.

    Where each row costs calls of its own, small pieces keep what was done when a call fails.
    """

    since: datetime
    now: datetime
    wanted: Callable[[Any], bool]
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A time or a page, and which rows from there on were given already."""

    at: str = ""
    told: Sequence[str] = ()

    @classmethod
    def read(cls, cursor: Cursor | None) -> "Place":
        """Read a stored cursor; raises `Rejected`."""
        if cursor is None:
            return cls()
        try:
            found: Any = json.loads(cursor)
            return cls(at=str(found["past"]), told=tuple(map(str, found["told"])))
        except (ValueError, KeyError, TypeError):
            raise _foreign() from None

    @property
    def moment(self) -> datetime:
        """Read the place as a time; raises `Rejected`."""
        try:
            return mapping.time_of(self.at)
        except (ValueError, OverflowError):
            raise _foreign() from None

    def cursor(self) -> Cursor:
        """Write the place as a cursor."""
        return Cursor(json.dumps({"past": self.at, "told": list(self.told)}))


def walk(
    client: RestClient, options: RestDesk, wish: Wish, cursor: Cursor | None
) -> Iterator[Piece]:
    """Yield what was filed or changed after a time, going on from a position of an earlier walk."""
    place = Place.read(cursor)
    if options.changes.by == "updated" and options.changes.order == "ascending":
        yield from _by_time(client, options, wish, place)
    else:
        yield from _by_page(client, options, wish, place)


def _by_time(client: RestClient, options: RestDesk, wish: Wish, place: Place) -> Iterator[Piece]:
    """Read on by time; what moved over a page's border lies within the filter's slack."""
    slack = timedelta(seconds=options.changes.slack)
    at = max(place.moment, wish.since) if place.at else wish.since
    met = dict.fromkeys(place.told, at)
    for rows, last in changes.walk(client, options, max(at - slack, wish.since)):
        fresh = _fresh(rows, options, wish, met)
        for piece, ends in _pieces(list(fresh), wish.size):
            for version in piece:
                met[version] = mapping.changed_at(fresh[version], options)
                at = max(at, met[version])
            newest = islice(reversed(met.items()), MOST_TOLD)
            told = [version for version, moment in newest if moment >= at - slack]
            reached = Place(at=at.isoformat(), told=told).cursor()
            given = [fresh[version] for version in piece]
            yield Piece(given, reached, last and ends, share(at, wish.since, wish.now))


def _by_page(client: RestClient, options: RestDesk, wish: Wish, place: Place) -> Iterator[Piece]:
    """Read the whole list, or a descending one down to the time; tickets that are told newest first
    only move towards the beginning, so none is passed over.
    """
    newest_first = options.changes.by == "updated"
    told = list(place.told)
    for page in client.walk(options.tickets, {}, place.at or None):
        fresh = _fresh(page.rows, options, wish, set(told) if page.place == place.at else ())
        told = told if page.place == place.at else []
        times = [mapping.changed_at(row, options) for row in page.rows]
        over = newest_first and min(times, default=wish.since) < wish.since
        for piece, ends in _pieces(list(fresh), wish.size):
            told += piece
            reached = Place(at=page.place, told=tuple(told)).cursor()
            last = ends and (over or page.following is None)
            yield Piece([fresh[version] for version in piece], reached, last, None)
        if over:
            return


def _fresh(
    rows: Sequence[Any], options: RestDesk, wish: Wish, met: Container[str]
) -> dict[str, Any]:
    """Give the rows that are wanted and were not given before, by their versions."""
    found = {changes.version_of(row, options): row for row in rows}
    return {
        version: row
        for version, row in found.items()
        if version not in met
        and mapping.changed_at(row, options) >= wish.since
        and wish.wanted(row)
    }


def _pieces(versions: Sequence[str], size: int | None) -> Iterator[tuple[Sequence[str], bool]]:
    """Cut a page into pieces, one at least, and tell which is its last."""
    size = size or max(len(versions), 1)
    for begin in range(0, max(len(versions), 1), size):
        yield versions[begin : begin + size], begin + size >= len(versions)


def _foreign() -> Rejected:
    return Rejected("the stored position is none of this desk's history")
