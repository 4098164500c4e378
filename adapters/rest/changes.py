"""The stream of changes by time: read again over an overlap, lossless while rows move."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.rest import mapping
from adapters.rest.client import RestClient, require_other
from adapters.rest.config import RestDesk
from connector.errors import Rejected
from connector.model import Cursor, Page, Status, TicketId, TicketRef

START_BACK = timedelta(minutes=5)
"""Before the desk's own time: room for a database whose clock differs from its web server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the stream was read: the newest time seen, and which states near it were told.

    Nothing before `floor`, where the stream began, is ever told.
    """

    at: datetime
    floor: datetime
    seen: frozenset[str] = frozenset()

    @classmethod
    def read(cls, cursor: Cursor) -> "Position":
        """Read a stored cursor; raises `Rejected`."""
        try:
            told: Any = json.loads(cursor)
            at, floor = (datetime.fromisoformat(told[name]) for name in ("at", "floor"))
            return cls(at=at, floor=floor, seen=frozenset(told["seen"]))
        except (ValueError, KeyError, TypeError):
            raise Rejected(
                "the stored position is not one by time: changes.by was another; "
                "put it back, or give the tenant a new name to begin anew"
            ) from None

    def cursor(self) -> Cursor:
        """Write the position as a cursor."""
        told = {
            "at": self.at.isoformat(),
            "floor": self.floor.isoformat(),
            "seen": sorted(self.seen),
        }
        return Cursor(json.dumps(told, separators=(",", ":")))

    def start(self, overlap: timedelta) -> datetime:
        """Give the time from which the next look reads."""
        return max(self.at - overlap, self.floor)


def present(now: datetime, desk_time: datetime | None) -> Position:
    """Begin some minutes ago by whichever clock is behind."""
    start = min(now, desk_time or now) - START_BACK
    return Position(at=start, floor=start)


def told_since(
    client: RestClient, options: RestDesk, position: Position
) -> Iterator[Page[TicketRef]]:
    """Yield what changed after a position; a page without news is passed over, but for the last."""
    overlap = timedelta(seconds=options.changes.overlap)
    start, at = position.start(overlap), position.at
    met: dict[str, datetime] = {}
    for rows, last in walk(client, options, start):
        news = []
        for row in rows:
            moment, version = mapping.changed_at(row, options), version_of(row, options)
            if moment >= start and version not in met and version not in position.seen:
                news.append(ref_of(row, version, options))
            met[version] = moment
            at = max(at, moment)
        edge = at - overlap
        near = frozenset(version for version, moment in met.items() if moment >= edge)
        # What was told before and did not come again has changed since, which only the end shows.
        seen = near if last else position.seen | near
        if news or last:
            reached = replace(position, at=at, seen=seen)
            yield Page(items=tuple(news), cursor=reached.cursor(), last=last)


def version_of(row: Mapping[str, Any], options: RestDesk) -> str:
    """Name a state of a ticket by all that the list shows of it: a second may hold two changes."""
    return f"{mapping.id_of(row, options)}.{mapping.digest(row)}"


def ref_of(row: Mapping[str, Any], version: str, options: RestDesk) -> TicketRef:
    """Read a row of the list as a ticket's id and version."""
    deleted = mapping.status_of(row, options) is Status.DELETED
    return TicketRef(id=TicketId(mapping.id_of(row, options)), version=version, deleted=deleted)


def walk(
    client: RestClient, options: RestDesk, since: datetime
) -> Iterator[tuple[Sequence[Any], bool]]:
    """Yield pages of the tickets changed since a time, oldest first, and whether that is all."""
    if options.changes.order == "descending":
        yield from _backwards(client, options, since)
    else:
        yield from _forwards(client, options, since)


def _forwards(
    client: RestClient, options: RestDesk, since: datetime
) -> Iterator[tuple[Sequence[Any], bool]]:
    """Read on from the newest time of each page, so that no row can slip over a page's border.

    A ticket that changes moves to the end of the list, and all behind it one row forward: counting
    pages would lose one. Pages are counted only within the filter's slack, and what took several
    of them is read again until that brings nothing new.
    """
    slack = timedelta(seconds=options.changes.slack)
    known: set[str] = set()
    place, brought = client.first, False
    before: list[Any] | None = None
    while True:
        page = client.page(options.tickets, _since(options, since), place)
        require_other(page.rows, None if place == client.first else before)
        before = page.rows
        rows = _checked(page.rows, options, since - slack)
        versions = {version_of(row, options) for row in rows}
        brought = brought or not versions <= known
        known |= versions
        newest = mapping.changed_at(rows[-1], options) if rows else since
        ended, moved = page.following is None, newest - since > slack
        again = brought and place != client.first and (ended or moved)
        yield rows, ended and not again
        if again:
            place, brought = client.first, False
        elif page.following is None:
            return
        elif moved:
            since, place, brought = newest, client.first, False
        else:
            place = page.following


def _backwards(
    client: RestClient, options: RestDesk, since: datetime
) -> Iterator[tuple[Sequence[Any], bool]]:
    """Read from the newest to `since`: rows only move towards the beginning, so none is passed."""
    rows: dict[str, Any] = {}
    for page in client.walk(options.tickets, _since(options, since)):
        rows.update((version_of(row, options), row) for row in page.rows)
        times = [mapping.changed_at(row, options) for row in page.rows]
        if times != sorted(times, reverse=True):
            raise _unordered("descending")
        if times and times[-1] < since:
            break
    found = [row for row in rows.values() if mapping.changed_at(row, options) >= since]
    found.sort(key=lambda row: mapping.changed_at(row, options))
    for begin in range(0, max(len(found), 1), client.page_size):
        end = begin + client.page_size
        yield found[begin:end], end >= len(found)


def _since(options: RestDesk, since: datetime) -> Mapping[str, str]:
    """Give the filter's parameter; a fraction of a second is cut off, which only reads more."""
    told = options.changes
    if told.parameter is None:
        return {}
    unix = told.format == "unix"
    text = str(int(since.timestamp())) if unix else since.astimezone(UTC).strftime(told.format)
    return {told.parameter: text}


def _checked(rows: Sequence[Any], options: RestDesk, oldest: datetime) -> Sequence[Any]:
    """Let rows pass that are as they were asked for; others would lose tickets in silence."""
    times = [mapping.changed_at(row, options) for row in rows]
    if times != sorted(times):
        raise _unordered("ascending")
    if times and times[0].timestamp() < int(oldest.timestamp()):
        raise Rejected(
            f"the desk gives tickets from before the time in {options.changes.parameter!r}: it "
            "ignores changes.parameter, reads changes.format otherwise, or needs more changes.slack"
        )
    return rows


def _unordered(order: str) -> Rejected:
    return Rejected(
        f"the desk's list is not in {order} order of desk.ticket.updated: ask for it in "
        "desk.tickets.query, or correct changes.order"
    )
