"""The calls to a ServiceNow instance: rows of the Table API, every answer proved and translated.

No client library: pysnow writes with PUT after a GET, lets the parameters of one call leak into the
next, and pins libraries of 2019. What is left of it after that is an address joined to a query.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import requests
from requests.utils import parse_header_links

from adapters.http import DeskSession, json_object
from adapters.servicenow.auth import sign_in
from adapters.servicenow.config import ServiceNowDesk
from adapters.servicenow.query import (
    SYS_ID,
    Condition,
    Json,
    Where,
    encoded,
    require_applied,
    text_of,
)
from connector.errors import Retry, Unauthorized
from connector.model import Secret
from connector.ports import Clock

PAGE = 500
"""Rows per page: some hundred kilobytes where all fields are asked for."""

_API = "/api/now/v2/table"
"""Version 2, since the first answers an empty list with 404."""

_VALUES = {
    "sysparm_display_value": "false",
    "sysparm_exclude_reference_link": "true",
}
"""Stored values: display values follow the account's language and time zone."""

_REFUSAL_LENGTH = 64
_OFFSET = re.compile(r"sysparm_offset=(\d{1,9})(?!\d)")


class Answer(NamedTuple):
    """Rows, and whether the query has more: a short page alone tells nothing.

    The limit counts rows that the account may not see, and these are left out afterwards. `step` is
    how far to go on over a page that shows nothing: half of it, since rows may move meanwhile.
    """

    rows: Sequence[Json]
    more: bool
    step: int


def error_code(body: object) -> str:
    """Give the instance's own word for a refusal; its `detail`, which may quote a row, is not."""
    error = body.get("error") if isinstance(body, Mapping) else None
    message = error.get("message") if isinstance(error, Mapping) else error
    told = message if isinstance(message, str) and len(message) <= _REFUSAL_LENGTH else ""
    return told if all(each.isalnum() or each in " .'_-" for each in told) else ""


class ServiceNowClient:
    """Calls to one instance, as JSON in and out; threads may share it."""

    def __init__(self, options: ServiceNowDesk, secret: Secret | None, clock: Clock) -> None:
        self._url = f"{options.url}{_API}"
        self._session = DeskSession(
            options.url,
            clock,
            error_code=error_code,
            tickets=rf"^{_API}/{options.table}/[0-9a-f]{{32}}$",
        )
        self._session.headers["Accept"] = "application/json"
        self._credential = sign_in(self._session, options, secret, clock)

    @property
    def session(self) -> DeskSession:
        """Give what all calls go through."""
        return self._session

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def page(
        self,
        table: str,
        where: Where,
        fields: Sequence[str],
        *,
        order: Sequence[str] = (SYS_ID,),
        offset: int = 0,
        limit: int = PAGE,
    ) -> Answer:
        """Read rows of a table; raises `ConfigError` when a condition was not applied."""
        parameters = {
            **_VALUES,
            "sysparm_query": encoded(where, order),
            "sysparm_fields": _listed([*fields, *(each.field for each in where)]),
            "sysparm_limit": str(limit),
            "sysparm_offset": str(offset),
        }
        response = self._send("GET", table, params=parameters)
        rows = json_object(response).get("result")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Retry(f"GET {_API}/{table}: the answer holds no list of rows")
        require_applied(table, where, rows)
        return _answer(response, rows, offset, limit)

    def rows(self, table: str, where: Where, fields: Sequence[str]) -> Iterator[Json]:
        """Walk all rows that meet the conditions, in the order of their ids."""
        after: Where = ()
        offset, more = 0, True
        while more:
            found, more, step = self.page(table, [*where, *after], [*fields, SYS_ID], offset=offset)
            yield from found
            if found:
                after, offset = [Condition(SYS_ID, ">", text_of(found[-1].get(SYS_ID)))], 0
            else:
                offset += step

    def row(self, table: str, sys_id: str, fields: Sequence[str]) -> Json:
        """Read one row; raises `Gone` when it is a ticket."""
        parameters = {**_VALUES, "sysparm_fields": _listed(fields)}
        return _row(self._send("GET", f"{table}/{sys_id}", params=parameters))

    def patch(
        self, table: str, sys_id: str, changes: Mapping[str, str], fields: Sequence[str]
    ) -> Json:
        """Set fields of one row and give it as it came back; raises `Gone`."""
        parameters = {
            **_VALUES,
            "sysparm_fields": _listed(fields),
            "sysparm_input_display_value": "false",
        }
        return _row(self._send("PATCH", f"{table}/{sys_id}", params=parameters, json=dict(changes)))

    def _send(self, method: str, path: str, **content: Any) -> requests.Response:
        """Call the instance; a refused token is had anew once."""
        url = f"{self._url}/{path}"
        try:
            return self._session.request(method, url, **content)
        except Unauthorized:
            if not self._credential.renew():
                raise
        return self._session.request(method, url, **content)


def _row(response: requests.Response) -> Json:
    row = json_object(response).get("result")
    if not isinstance(row, dict):
        raise Retry(f"{response.request.method} {_API}: the answer holds no row")
    return row


def _listed(fields: Sequence[str]) -> str:
    return ",".join(dict.fromkeys(fields))


def _answer(response: requests.Response, rows: Sequence[Json], offset: int, limit: int) -> Answer:
    """Read from the headers whether there is more; of the next page's address only its number."""
    links = parse_header_links(response.headers.get("Link", "").strip())
    following = [link.get("url", "") for link in links if link.get("rel") == "next"]
    total = response.headers.get("X-Total-Count", "")
    counted = total.isdecimal() and offset + limit < int(total)
    more = bool(following) or counted or len(rows) >= limit
    told = _OFFSET.search(following[0]) if following else None
    page = int(told[1]) - offset if told else limit
    return Answer(rows, more, max(page // 2, 1))
