"""The walk over what was there before: resolved tickets to learn from, open ones to catch up on."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from adapters.rest import changes, mapping
from adapters.rest.client import RestClient
from adapters.rest.config import RestDesk
from connector.errors import Rejected
from connector.model import Cursor

Piece = tuple[Sequence[Any], Cursor, bool]
"""Rows, the position after them, and whether that is all."""


def walk(
    client: RestClient, options: RestDesk, since: datetime, cursor: Cursor | None
) -> Iterator[Piece]:
    """Yield what was filed or changed after a time, going on from a position of an earlier walk."""
    told = _read(cursor)
    if options.changes.by == "updated":
        yield from _by_time(client, options, since, _later(since, told))
    else:
        yield from _by_page(client, options, since, told)


def _by_time(
    client: RestClient, options: RestDesk, since: datetime, start: datetime
) -> Iterator[Piece]:
    at = start
    met: set[str] = set()
    for rows, last in changes.walk(client, options, start):
        fresh = {changes.version_of(row, options): row for row in rows}
        wanted = [row for version, row in fresh.items() if version not in met]
        met.update(fresh)
        at = max([at, *(mapping.changed_at(row, options) for row in wanted)])
        in_time = [row for row in wanted if mapping.changed_at(row, options) >= since]
        yield in_time, _cursor(at.isoformat()), last


def _by_page(client: RestClient, options: RestDesk, since: datetime, place: str) -> Iterator[Piece]:
    """Read the whole list; where a walk goes on, the last page is read again."""
    for page in client.walk(options.tickets, {}, place or None):
        wanted = [row for row in page.rows if mapping.changed_at(row, options) >= since]
        yield wanted, _cursor(page.place), page.following is None


def _later(since: datetime, told: str) -> datetime:
    try:
        return max(since, datetime.fromisoformat(told)) if told else since
    except (ValueError, TypeError):
        raise _foreign() from None


def _foreign() -> Rejected:
    return Rejected("the stored position is none of this desk's history")


def _read(cursor: Cursor | None) -> str:
    try:
        return str(json.loads(cursor)["past"]) if cursor is not None else ""
    except (ValueError, KeyError, TypeError):
        raise _foreign() from None


def _cursor(place: str) -> Cursor:
    return Cursor(json.dumps({"past": place}))
