"""The walk over what a table holds already, resumable behind any row."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters import progress
from adapters.servicenow import changes, mapping
from adapters.servicenow.client import ServiceNowClient
from adapters.servicenow.query import STAMP, SYS_ID, Json, text_of
from connector.errors import Rejected
from connector.model import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The time and id of the last row that a walk gave; no id where it gave none yet."""

    at: str
    sys_id: str = ""

    @classmethod
    def read(cls, cursor: Cursor) -> "Place":
        """Read a stored cursor; raises `Rejected`."""
        try:
            told: Any = json.loads(cursor)
            place = cls(at=str(told["at"]), sys_id=str(told["id"]))
            mapping.time_of(place.at)
        except (ValueError, KeyError, TypeError):
            raise Rejected("the stored position is none of this table's history") from None
        if place.sys_id and not mapping.is_id(place.sys_id):
            raise Rejected("the stored position is none of this table's history")
        return place

    def cursor(self) -> Cursor:
        """Write the place as a cursor."""
        return Cursor(json.dumps({"at": self.at, "id": self.sys_id}))

    def share(self, since: datetime, now: datetime) -> float:
        """Tell how far the walk has come."""
        return progress.share(mapping.time_of(self.at), since, now)


def walk(
    client: ServiceNowClient,
    table: str,
    fields: Sequence[str],
    since: datetime,
    cursor: Cursor | None,
) -> Iterator[tuple[Sequence[Json], Place, bool]]:
    """Yield pages of the rows changed since a time, where each ends, and whether it is the last."""
    place = Place.read(cursor) if cursor else Place(at=mapping.stamp_of(since))
    after = (place.at, place.sys_id) if place.sys_id else None
    for rows, last in changes.walk(client, table, place.at, fields, after):
        if rows:
            at, sys_id = (text_of(rows[-1].get(name)) for name in (STAMP, SYS_ID))
            place = Place(at=at, sys_id=sys_id)
        yield rows, place, last
