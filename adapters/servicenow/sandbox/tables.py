"""The sandbox's Table API: lists, rows, inserts, updates, deletions, with their quirks."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from adapters.servicenow.sandbox.encoded import known, page, selected
from adapters.servicenow.sandbox.exchange import Reply, Request, no_record, refusal
from adapters.servicenow.sandbox.schema import (
    DISPLAYED,
    DROP_DOWNS,
    FIELDS,
    JOURNALS,
    REFERENCES,
    SYSTEM,
    TIMES,
)
from adapters.servicenow.sandbox.state import ACCOUNT, TABLE, DeskState, Row, stamp

LIMIT = 10_000
"""Rows of a page when none is asked for."""

_MEDIA = "application/json"


class TableCalls:
    """Answers in the name of the user who signed in."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self.user = ACCOUNT

    def list(self, request: Request, version: str, table: str) -> Reply:
        """`GET /api/now/table/{table}`: the limit counts rows that are then not shown."""
        _require_table(table)
        offset = request.number("sysparm_offset", 0)
        limit = min(request.number("sysparm_limit", LIMIT), self._state.page_size_cap)
        rows = [
            row
            for row in selected(self._state, table, request.query.get("sysparm_query", ""))
            if table != TABLE or self._is_committed(row)
        ]
        found, more = page(rows, offset, limit)
        visible = [row for row in found if row["sys_id"] not in self._state.hidden]
        if not visible and version == "v1/":
            raise no_record()
        headers = {} if len(rows) <= limit else {"Link": _links(request, offset, limit, more=more)}
        if request.query.get("sysparm_no_count") != "true":
            headers["X-Total-Count"] = str(len(rows))
        shown = [self._shown(request, table, row) for row in visible]
        return Reply(body={"result": shown}, headers=headers)

    def empty_page(self, request: Request) -> Reply:
        """Answer a list with no row and the news that there are more."""
        link = _links(request, request.number("sysparm_offset", 0), LIMIT, more=True)
        return Reply(body={"result": []}, headers={"Link": link})

    def _is_committed(self, row: Row) -> bool:
        delay = self._state.export_delay
        return not delay or row["sys_updated_on"] <= stamp(
            self._state.now() - timedelta(seconds=delay)
        )

    def read(self, request: Request, _version: str, table: str, sys_id: str) -> Reply:
        """`GET /api/now/table/{table}/{sys_id}`."""
        return Reply(body={"result": self._shown(request, table, self._row(table, sys_id))})

    def _row(self, table: str, sys_id: str) -> Row:
        _require_table(table)
        row = self._state.tables[table].get(sys_id)
        if row is None or sys_id in self._state.hidden:
            raise no_record()
        return row

    def create(self, request: Request, _version: str, table: str) -> Reply:
        """`POST /api/now/table/incident`."""
        wanted = _content(request)
        if table != TABLE:
            raise _forbidden()
        caller = self._state.tables["sys_user"].get(wanted.get("caller_id", ""))
        mine = self._state.person(self.user, self.user)
        subject, text = wanted.get("short_description", ""), wanted.get("description", "")
        row = self._state.arrive(subject, text, caller or mine, self.user)
        rest = {
            name: value
            for name, value in self._taken(row, wanted).items()
            if name not in {"short_description", "description", "caller_id"}
        }
        self._state.set(row, rest)
        return Reply(status=HTTPStatus.CREATED, body={"result": self._shown(request, table, row)})

    def update(self, request: Request, _version: str, table: str, sys_id: str) -> Reply:
        """`PATCH /api/now/table/incident/{sys_id}`: what may not be written is dropped silently."""
        wanted = _content(request)
        row = self._row(table, sys_id)
        if table != TABLE:
            raise _forbidden()
        taken = self._taken(row, wanted)
        if self.user != ACCOUNT:  # a requester may add to the conversation, and nothing else
            taken = {name: value for name, value in taken.items() if name == "comments"}
        if self._state.change(row, taken, self.user):
            for _ in range(self._state.rule_updates):
                self._state.touch(row, "system")
            if self.user == ACCOUNT:
                self._state.writes[sys_id] = self._state.writes.get(sys_id, 0) + 1
        return Reply(body={"result": self._shown(request, table, row)})

    def _taken(self, row: Row, wanted: Mapping[str, str]) -> dict[str, str]:
        """Give what of a request is written: a drop-down is not emptied by an empty text."""
        return {
            name: value
            for name, value in wanted.items()
            if known(TABLE, name)
            and name not in SYSTEM
            and name not in self._state.protected
            and name != "priority"
            and not (name in DROP_DOWNS and not value and row.get(name))
        }

    def delete(self, _request: Request, _version: str, table: str, sys_id: str) -> Reply:
        """`DELETE /api/now/table/{table}/{sys_id}`: nothing is left of it in any list."""
        self._row(table, sys_id)
        del self._state.tables[table][sys_id]
        return Reply(status=HTTPStatus.NO_CONTENT)

    def _shown(self, request: Request, table: str, row: Row) -> dict[str, Any]:
        """Show a row as asked: fields that do not exist are left out without a word."""
        asked = request.query.get("sysparm_fields", "")
        names = asked.split(",") if asked else sorted(FIELDS[table])
        return {name: self._cell(request, table, row, name) for name in names if known(table, name)}

    def _cell(self, request: Request, table: str, row: Row, path: str) -> Any:
        """Show one value in the shape that was asked for; a journal shows nothing in its row."""
        value = "" if path in JOURNALS else self._state.value(table, row, path)
        mode = request.query.get("sysparm_display_value", "false")
        linked = request.query.get("sysparm_exclude_reference_link") != "true"
        target = REFERENCES.get(table, {}).get(path)
        display = self._display(target, path, value)
        link = {"link": f"{request.base}/api/now/table/{target}/{value}"}
        if mode == "all":
            both = {"display_value": display, "value": value}
            return {**both, **link} if target and value and linked else both
        if target and value and linked:
            return {**link, **({"value": value} if mode == "false" else {"display_value": display})}
        return value if mode == "false" else display

    def _display(self, target: str | None, path: str, value: str) -> str:
        if target and value:
            row = self._state.tables[target].get(value)
            return row.get(DISPLAYED[target], "") if row else ""
        if path in TIMES and value and self._state.zone_hours:
            moment = datetime.fromisoformat(f"{value}+00:00")
            return stamp(moment + timedelta(hours=self._state.zone_hours))
        return value


def _require_table(table: str) -> None:
    if table not in FIELDS:
        raise refusal(HTTPStatus.BAD_REQUEST, f"Invalid table {table}")


def _content(request: Request) -> Mapping[str, str]:
    """Read a row from a body; both headers are mandatory."""
    for header in ("accept", "content-type"):
        if not request.headers.get(header, "").startswith(_MEDIA):
            raise refusal(HTTPStatus.BAD_REQUEST, f"The header {header} is missing or unsupported")
    if not isinstance(request.body, dict):
        raise refusal(HTTPStatus.BAD_REQUEST, "Exception while reading request")
    return {name: "" if value is None else str(value) for name, value in request.body.items()}


def _forbidden() -> Exception:
    return refusal(
        HTTPStatus.FORBIDDEN, "Operation Failed", "ACL Exception Update Failed due to security"
    )


def _links(request: Request, offset: int, limit: int, *, more: bool) -> str:
    places: Sequence[tuple[str, int, bool]] = (
        ("next", offset + limit, more),
        ("prev", max(offset - limit, 0), offset > 0),
        ("first", 0, True),
    )
    return ",".join(
        f'<{request.base}{request.path}?{_moved(request, at)}>;rel="{name}"'
        for name, at, is_there in places
        if is_there
    )


def _moved(request: Request, offset: int) -> str:
    return urlencode({**request.query, "sysparm_offset": str(offset)})
