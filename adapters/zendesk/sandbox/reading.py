"""The sandbox's reading calls: users, groups, fields, tickets, comments, the incremental export."""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from adapters.zendesk.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.zendesk.sandbox.state import (
    TRIAGE_ID,
    DeskState,
    Raw,
    cursor_position,
    cursor_text,
)

FOREIGN = "https://desk.zendesk.example"
"""Origin of `after_url`: recorded answers carry another host than the one that was asked."""

LATEST_START = 60
"""Seconds back from now; the export refuses to start later."""

MOST = 100
"""The most rows of a list, and the most ids of `show_many`."""


def not_found() -> Refusal:
    """Make the answer for a row that does not exist."""
    return refusal(HTTPStatus.NOT_FOUND, "RecordNotFound", "Not found")


def found(state: DeskState, ticket_id: str) -> Raw:
    """Give a ticket that exists and is not deleted; refuses the call otherwise."""
    ticket = state.tickets.get(int(ticket_id))
    if ticket is None or ticket["status"] == "deleted":
        raise not_found()
    return ticket


def shown(ticket: Raw) -> Raw:
    """Give a ticket as everything but the export shows it."""
    return {key: value for key, value in ticket.items() if key != "generated_timestamp"}


class ReadingCalls:
    """Answers that change nothing."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self.after_origin = FOREIGN

    def me(self, _request: Request) -> Reply:
        """`GET /api/v2/users/me.json`."""
        user = next(user for user in self._state.users if user["id"] == TRIAGE_ID)
        return Reply(body={"user": user})

    def fields(self, _request: Request) -> Reply:
        """`GET /api/v2/ticket_fields.json`."""
        rows = self._state.fields
        return Reply(body={"ticket_fields": rows, "next_page": None, "count": len(rows)})

    def groups(self, request: Request) -> Reply:
        """`GET /api/v2/groups.json`."""
        return self._page(request, "groups", self._state.groups)

    def memberships(self, request: Request) -> Reply:
        """`GET /api/v2/group_memberships.json`."""
        return self._page(request, "group_memberships", self._state.memberships)

    def memberships_of(self, request: Request, user_id: str) -> Reply:
        """`GET /api/v2/users/{id}/group_memberships.json`."""
        rows = [each for each in self._state.memberships if each["user_id"] == int(user_id)]
        return self._page(request, "group_memberships", rows)

    def users(self, request: Request) -> Reply:
        """`GET /api/v2/users.json`: staff only, there is no list of requesters."""
        return self._page(request, "users", self._state.users)

    def triggers(self, _request: Request) -> Reply:
        """`GET /api/v2/triggers/active.json`."""
        return Reply(body={"triggers": self._state.triggers, "count": len(self._state.triggers)})

    def automations(self, _request: Request) -> Reply:
        """`GET /api/v2/automations/active.json`."""
        rows = self._state.automations
        return Reply(body={"automations": rows, "count": len(rows)})

    def field(self, _request: Request, field_id: str) -> Reply:
        """`GET /api/v2/ticket_fields/{id}.json`."""
        return Reply(body={"ticket_field": self.found_field(field_id)})

    def found_field(self, field_id: str) -> Raw:
        """Give a ticket field; refuses the call when there is none."""
        rows = [row for row in self._state.fields if str(row["id"]) == field_id]
        if not rows:
            raise not_found()
        return rows[0]

    def ticket(self, request: Request, ticket_id: str) -> Reply:
        """`GET /api/v2/tickets/{id}.json`."""
        return Reply(body={"ticket": self._with_count(request, found(self._state, ticket_id))})

    def show_many(self, request: Request) -> Reply:
        """`GET /api/v2/tickets/show_many.json`: ids that do not exist are left out."""
        ids = [each for each in request.query.get("ids", "").split(",") if each.isdecimal()]
        refuse_too_many(ids)
        tickets = (self._state.tickets.get(int(each)) for each in ids)
        rows = [
            self._with_count(request, ticket)
            for ticket in tickets
            if ticket is not None and ticket["status"] != "deleted"
        ]
        return Reply(body={"tickets": rows, "next_page": None, "count": len(rows)})

    def _with_count(self, request: Request, ticket: Raw) -> Raw:
        row = shown(ticket)
        if "comment_count" in request.query.get("include", "").split(","):
            row["comment_count"] = len(self._state.comments[ticket["id"]])
        return row

    def comments(self, request: Request, ticket_id: str) -> Reply:
        """`GET /api/v2/tickets/{id}/comments.json`, oldest first."""
        ticket = found(self._state, ticket_id)
        return self._page(request, "comments", self._state.comments[ticket["id"]])

    def export(self, request: Request) -> Reply:
        """`GET /api/v2/incremental/tickets/cursor.json`."""
        size = min(max(request.number("per_page", 1000), 1), self._state.page_size_cap)
        rows, position, end = self._state.export(self._position(request), size)
        return self._export_page(request, rows, position, end=end)

    def empty_page(self, request: Request) -> Reply:
        """Answer the export with no row and the news that there are more."""
        return self._export_page(request, [], self._position(request), end=False)

    def _export_page(
        self, request: Request, rows: list[Raw], position: tuple[int, int], *, end: bool
    ) -> Reply:
        cursor = cursor_text(position)
        body = {
            "tickets": rows,
            "after_url": f"{self.after_origin}{request.path}?cursor={cursor}",
            "after_cursor": cursor,
            "before_url": None,
            "before_cursor": None,
            "end_of_stream": end,
        }
        return Reply(body=body)

    def _position(self, request: Request) -> tuple[int, int]:
        if "cursor" in request.query:
            try:
                return cursor_position(request.query["cursor"])
            except ValueError:
                raise refusal(HTTPStatus.BAD_REQUEST, "InvalidCursor", "Invalid cursor") from None
        start = request.number("start_time", 0)
        if start > self._state.now().timestamp() - LATEST_START:
            raise refusal(HTTPStatus.BAD_REQUEST, "StartTimeTooRecent", "Too recent start_time")
        return (start, -1)

    def _page(self, request: Request, name: str, rows: Sequence[Raw]) -> Reply:
        """Give a list by cursor when `page[size]` asks for that, whole otherwise."""
        if "page[size]" not in request.query:
            return Reply(body={name: list(rows), "next_page": None, "count": len(rows)})
        size = min(max(request.number("page[size]", MOST), 1), MOST, self._state.page_size_cap)
        first = _place(request.query.get("page[after]", ""))
        page, more = list(rows[first : first + size]), first + size < len(rows)
        after = base64.b64encode(f"row {first + size}".encode()).decode() if more else None
        link = f"{request.base}{request.path}?page[size]={size}&page[after]={after}"
        body: dict[str, Any] = {
            name: page,
            "meta": {"has_more": more, "after_cursor": after, "before_cursor": None},
            "links": {"next": link if more else None, "prev": None},
        }
        return Reply(body=body)


def _place(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("row ") or 0)
    except ValueError:
        raise refusal(HTTPStatus.BAD_REQUEST, "InvalidCursor", "Invalid cursor") from None


def refuse_too_many(rows: Sequence[object]) -> None:
    """Refuse a call for more rows than one may name."""
    if len(rows) > MOST:
        raise refusal(
            HTTPStatus.BAD_REQUEST, "TooManyValues", "Too many values provided", max_count=MOST
        )
