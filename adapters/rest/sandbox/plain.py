"""The dialect `/plain`: growing numbers, no time of change, no filter, nothing conditional."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.practice.exchange import Refusal, Reply, Request
from adapters.practice.server import dispatch, route
from adapters.rest.sandbox.state import ACCOUNT, PRIORITIES, DeskState, Filed
from connector.model import Secret

NAMES: Mapping[str, str] = {
    "cat": "category",
    "prio": "priority",
    "mood": "sentiment",
    "suggested": "assignee",
    "products": "products",
}


class PlainApi:
    """Answers an account with name and password, and refuses everybody else."""

    def __init__(self, state: DeskState, key: Secret) -> None:
        self._state = state
        self._credential = f"{ACCOUNT}:{key.reveal()}".encode()
        self._routes = (
            route("GET", "/plain/whoami", self._whoami),
            route("GET", "/plain/items", self._items),
            route("GET", "/plain/items/{id}", self._item),
            route("PUT", "/plain/items/{id}", self._update),
            route("GET", "/plain/items/{id}/log", self._log),
            route("GET", "/plain/teams", self._teams),
            route("GET", "/plain/people", self._people),
        )

    def answer(self, request: Request) -> Reply:
        """Answer a call of the account."""
        if not hmac.compare_digest(request.basic.encode(), self._credential):
            raise refusal(HTTPStatus.UNAUTHORIZED, "who are you?")
        reply = dispatch(self._routes, request)
        if reply is None:
            raise refusal(HTTPStatus.NOT_FOUND, "no such thing")
        return reply

    def _whoami(self, _request: Request) -> Reply:
        return Reply(body={"login": ACCOUNT})

    def _items(self, request: Request) -> Reply:
        """Give tickets in the order of their numbers; whatever else is asked for is passed over."""
        begin = request.number("offset", 0)
        size = min(request.number("limit", 25), self._state.page_size_cap)
        held = (each for each in self._state.tickets.values() if each.status != "deleted")
        rows = sorted(held, key=lambda each: each.id)
        return Reply(body=[self._shown(each) for each in rows[begin : begin + size]])

    def _shown(self, ticket: Filed) -> dict[str, Any]:
        held = {theirs: ticket.fields.get(ours) for theirs, ours in NAMES.items()}
        return {
            "no": ticket.id,
            "title": ticket.subject,
            "by": ticket.requester,
            "opened": int(ticket.created.timestamp()),
            "state": ticket.status,
            "team": ticket.group or None,
            "owner": ticket.assignee or None,
            "labels": ",".join(ticket.tags),
            **held,
            "prio": PRIORITIES.get(str(held["prio"]), 0),
        }

    def _found(self, ticket_id: str) -> Filed:
        ticket = self._state.tickets.get(int(ticket_id))
        if ticket is None or ticket.status == "deleted":
            raise refusal(HTTPStatus.NOT_FOUND, "no such item")
        return ticket

    def _item(self, _request: Request, ticket_id: str) -> Reply:
        return Reply(body=self._shown(self._found(ticket_id)))

    def _update(self, request: Request, ticket_id: str) -> Reply:
        """Set what is known; the answer is empty, whatever came of it."""
        ticket = self._found(ticket_id)
        priorities = {number: name for name, number in PRIORITIES.items()}
        for theirs, value in request.told.items():
            held = priorities.get(value) if theirs == "prio" else value
            self._state.set(ticket, NAMES.get(theirs, ""), held)
        if isinstance(request.told.get("labels"), str):
            named = request.told["labels"].split(",")
            ticket.tags = sorted({each.strip() for each in named if each.strip()})
        self._state.wrote(ticket)
        return Reply(status=HTTPStatus.NO_CONTENT)

    def _log(self, _request: Request, ticket_id: str) -> Reply:
        """Give what was said, the newest first, all at once."""
        rows = [
            {"key": each.id, "text": each.text, "from": each.author, "internal": not each.public}
            for each in reversed(self._found(ticket_id).messages)
        ]
        return Reply(body={"entries": rows})

    def _teams(self, _request: Request) -> Reply:
        rows = [
            {
                "id": number,
                "label": name,
                "staff": [n for n, each in self._state.agents.items() if each["group"] == number],
            }
            for number, name in self._state.groups.items()
        ]
        return Reply(body=rows)

    def _people(self, _request: Request) -> Reply:
        rows = [
            {"id": n, "label": each["name"], "mail": each["email"]}
            for n, each in self._state.agents.items()
        ]
        return Reply(body=rows)


def refusal(status: HTTPStatus, why: str) -> Refusal:
    """Make a refusal in this dialect's words."""
    return Refusal(Reply(status=status, body={"problem": why}))
