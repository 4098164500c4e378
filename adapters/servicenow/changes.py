"""A table's stream of changes: pages by key, read again over an overlap, nothing told twice."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from adapters.servicenow.catalog import STATE
from adapters.servicenow.client import ServiceNowClient
from adapters.servicenow.config import Habits
from adapters.servicenow.mapping import COUNT, ref_of, stamp_of, time_of
from adapters.servicenow.query import STAMP, SYS_ID, Condition, Json, Where, text_of
from connector.errors import Rejected
from connector.model import Cursor, Page, TicketRef

_DIGEST = 9
"""Bytes that stand for a row's version in a cursor: twelve characters, and among the some thousand
rows of an overlap no two alike in a thousand million years of polling."""

STANDING = (SYS_ID, COUNT, STAMP, STATE, "active")
"""Fields that tell a row's version and where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a stream was read: the newest time seen, and which rows before it were told.

    Nothing before `floor`, where the stream began, is ever told.
    """

    at: str
    seen: frozenset[str] = frozenset()
    floor: str = ""

    @classmethod
    def read(cls, cursor: Cursor) -> "Position":
        """Read a stored cursor; raises `Rejected`."""
        try:
            told: Any = json.loads(cursor)
            position = cls(at=told["at"], seen=frozenset(told["seen"]), floor=told["floor"])
            time_of(position.at)
        except (ValueError, KeyError, TypeError):
            raise Rejected("the stored position is none of a ServiceNow table") from None
        return position

    def cursor(self) -> Cursor:
        """Write the position as a cursor."""
        told = {"at": self.at, "seen": sorted(self.seen), "floor": self.floor}
        return Cursor(json.dumps(told, separators=(",", ":")))

    def start(self, overlap: int) -> str:
        """Give the time from which the next look reads."""
        return max(_earlier(self.at, overlap), self.floor)


def told_since(
    client: ServiceNowClient, table: str, habits: Habits, position: Position, overlap: int
) -> Iterator[Page[TicketRef]]:
    """Yield what changed after a position; a page without news is passed over, but for the last."""
    met: dict[str, str] = {}
    at = position.at
    for rows, last in walk(client, table, position.start(overlap), STANDING):
        news = []
        for row in rows:
            version = _digest(row)
            if version not in met and version not in position.seen:
                news.append(ref_of(row, habits))
            met[version] = text_of(row.get(STAMP))
            at = max(at, met[version])
        edge = _earlier(at, overlap)
        met = {version: stamp for version, stamp in met.items() if stamp >= edge}
        # What was told before and did not come again has changed since, which only the end shows.
        seen = frozenset(met) if last else position.seen | frozenset(met)
        if news or last:
            reached = replace(position, at=at, seen=seen)
            yield Page(items=tuple(news), cursor=reached.cursor(), last=last)


def walk(
    client: ServiceNowClient,
    table: str,
    since: str,
    fields: Sequence[str],
    after: tuple[str, str] | None = None,
) -> Iterator[tuple[Sequence[Json], bool]]:
    """Yield pages of the rows changed at or after a time, by time and id, and whether that is all.

    With `after`, a row's time and id, the walk goes on behind that row.

    After a page that is not the last come the rows of its last row's second with a higher id, and
    then those of later seconds: two plain queries, where one with `^NQ` would leave open to which
    part the order belongs. Offsets would lose rows that move while they are read; one is used only
    over rows that the account may not see, and then by half a page.
    """
    key: Where = [Condition(STAMP, ">=", since)] if after is None else _behind(*after)
    within, offset = after is not None, 0
    while True:
        rows, more, step = client.page(table, key, fields, order=(STAMP, SYS_ID), offset=offset)
        yield rows, not more and not within
        if rows and more:
            stamp, sys_id = (text_of(rows[-1].get(name)) for name in (STAMP, SYS_ID))
            key, within, offset = _behind(stamp, sys_id), True, 0
        elif more:
            offset += step
        elif within:
            second = next(each.value for each in key if each.field == STAMP)
            key, within, offset = [Condition(STAMP, ">", second)], False, 0
        else:
            return


def _behind(stamp: str, sys_id: str) -> Where:
    """Ask for the other rows of a second."""
    return [Condition(STAMP, "=", stamp), Condition(SYS_ID, ">", sys_id)]


def newest(client: ServiceNowClient, table: str) -> str:
    """Give the time of a table's newest change that the account may see; `""` when it sees none."""
    rows = client.page(table, (), (STAMP,), order=(f"-{STAMP}",), limit=1).rows
    return text_of(rows[0].get(STAMP)) if rows else ""


def _earlier(stamp: str, seconds: int) -> str:
    return stamp_of(time_of(stamp) - timedelta(seconds=seconds))


def _digest(row: Json) -> str:
    version = f"{text_of(row.get(SYS_ID))}.{text_of(row.get(COUNT))}"
    return urlsafe_b64encode(hashlib.sha256(version.encode()).digest()[:_DIGEST]).decode()
