"""The dialect `/v2`: changes by time, pages of every kind, ETags, custom fields as a list."""

import hmac
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from adapters.practice.exchange import Refusal, Reply, Request
from adapters.practice.server import dispatch, route
from adapters.rest.mapping import digest, time_of
from adapters.rest.sandbox.state import ACCOUNT, OPTIONS, DeskState, Filed, stamp
from connector.model import Secret

CUSTOM: Mapping[str, int] = {"category": 101, "sentiment": 102, "assignee": 103, "products": 104}
SLACK = 1.0
"""Seconds by which the filter lets older tickets through."""


class ModernApi:
    """Answers whoever calls: somebody without the key sees an empty desk, with status 200."""

    def __init__(self, state: DeskState, key: Secret) -> None:
        self._state = state
        self._credential = f"Bearer {key.reveal()}".encode()
        v2 = "/v2"
        self._routes = (
            route("GET", f"{v2}/me", self._me),
            route("GET", f"{v2}/tickets", self._tickets),
            route("GET", f"{v2}/tickets/{{id}}", self._ticket),
            route("PATCH PUT", f"{v2}/tickets/{{id}}", self._update),
            route("GET", f"{v2}/tickets/{{id}}/messages", self._messages),
            route("GET", f"{v2}/categories", self._categories),
            route("GET", f"{v2}/groups", self._groups),
            route("GET", f"{v2}/agents", self._agents),
        )

    def answer(self, request: Request) -> Reply:
        """Answer a call."""
        reply = dispatch(self._routes, request)
        if reply is None:
            raise refusal(HTTPStatus.NOT_FOUND, "not_found")
        return reply

    def _known(self, request: Request) -> bool:
        return hmac.compare_digest(request.authorization.encode(), self._credential)

    def _me(self, request: Request) -> Reply:
        known = self._known(request)
        email, name = (ACCOUNT, "Triage") if known else (None, "Guest")
        return Reply(body={"user": {"email": email, "name": name}})

    def _tickets(self, request: Request) -> Reply:
        since = request.query.get("updated_since")
        oldest = time_of(since).timestamp() - SLACK if since else float("-inf")
        found = [
            each for each in self._state.tickets.values() if each.updated.timestamp() >= oldest
        ]
        backwards = request.query.get("sort") == "-updated_at"
        found.sort(key=lambda each: (each.updated, each.id), reverse=backwards)
        rows = [self._shown(each) for each in found] if self._known(request) else []
        return self._paged(request, "tickets", rows)

    def _paged(self, request: Request, name: str, rows: Sequence[Any]) -> Reply:
        """Cut a page, told by number or by offset, and tell the way to the next in three forms.

        A page is silently capped, however many rows are asked for.
        """
        size = min(request.number("per_page", 25), self._state.page_size_cap)
        begin = request.number("offset", (request.number("page", 1) - 1) * size)
        end = begin + size
        query = {**request.query, "offset": str(end)}
        query.pop("page", None)
        more = f"{request.base}{request.path}?{urlencode(query)}" if end < len(rows) else None
        body = {
            name: list(rows[begin:end]),
            "meta": {"next": more, "cursor": str(end) if more else None},
        }
        return Reply(body=body, headers={"Link": f'<{more}>; rel="next"'} if more else {})

    def _shown(self, ticket: Filed) -> dict[str, Any]:
        custom = [{"id": n, "value": ticket.fields.get(name)} for name, n in CUSTOM.items()]
        return {
            "id": ticket.id,
            "subject": ticket.subject,
            "description": ticket.messages[0].text,
            "requester": {"email": ticket.requester},
            "created_at": stamp(ticket.created),
            "updated_at": stamp(ticket.updated),
            "version": ticket.version,
            "status": ticket.status,
            "priority": ticket.fields.get("priority"),
            "group_id": ticket.group or None,
            "assignee_id": ticket.assignee or None,
            "custom_fields": custom,
            "tags": ticket.tags,
        }

    def _found(self, request: Request, ticket_id: str) -> Filed:
        ticket = self._state.tickets.get(int(ticket_id)) if self._known(request) else None
        if ticket is None:
            raise refusal(HTTPStatus.NOT_FOUND, "not_found")
        return ticket

    def _ticket(self, request: Request, ticket_id: str) -> Reply:
        shown = self._shown(self._found(request, ticket_id))
        return Reply(body={"ticket": shown}, headers={"ETag": tag_of(shown)})

    def _update(self, request: Request, ticket_id: str) -> Reply:
        """Set what is known, pass over what is not, and move the time in any case."""
        ticket = self._found(request, ticket_id)
        told = request.told.get("ticket")
        told = told if isinstance(told, dict) else {}
        wanted = request.headers.get("if-match")
        if wanted is not None and wanted != tag_of(self._shown(ticket)):
            raise refusal(HTTPStatus.PRECONDITION_FAILED, "stale_etag")
        if told.get("version") not in {None, ticket.version}:
            raise refusal(HTTPStatus.CONFLICT, "stale_version")
        names = {number: name for name, number in CUSTOM.items()}
        for row in told.get("custom_fields") or ():
            self._state.set(ticket, names.get(row.get("id"), ""), row.get("value"))
        if "priority" in told:
            self._state.set(ticket, "priority", told["priority"])
        if isinstance(told.get("tags"), list):
            ticket.tags = sorted({str(each) for each in told["tags"]})
        self._state.wrote(ticket)
        return Reply(body={"ticket": self._shown(ticket)})

    def _messages(self, request: Request, ticket_id: str) -> Reply:
        rows = [
            {
                "id": each.id,
                "body": each.text,
                "author": {"email": each.author},
                "public": each.public,
                "created_at": stamp(each.written),
            }
            for each in self._found(request, ticket_id).messages
        ]
        return self._paged(request, "messages", rows)

    def _categories(self, request: Request) -> Reply:
        return self._paged(request, "categories", [{"slug": each} for each in OPTIONS["category"]])

    def _groups(self, request: Request) -> Reply:
        rows = [{"id": number, "name": name} for number, name in self._state.groups.items()]
        return self._paged(request, "groups", rows)

    def _agents(self, request: Request) -> Reply:
        rows = [
            {"id": n, "name": each["name"], "email": each["email"], "group_ids": [each["group"]]}
            for n, each in self._state.agents.items()
        ]
        return self._paged(request, "agents", rows)


def tag_of(shown: Mapping[str, Any]) -> str:
    """Give the strong mark of what a ticket shows."""
    return f'"{digest(shown)}"'


def refusal(status: HTTPStatus, code: str) -> Refusal:
    """Make a refusal in this dialect's words."""
    return Refusal(Reply(status=status, body={"error": {"code": code, "message": "refused"}}))
