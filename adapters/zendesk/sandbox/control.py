"""What people do on the practice desk: file, answer and change tickets, and see them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.practice.control import tenant_reply
from adapters.zendesk.sandbox.exchange import Reply, Request, refusal
from adapters.zendesk.sandbox.hooks import Webhook, Webhooks
from adapters.zendesk.sandbox.reading import not_found
from adapters.zendesk.sandbox.state import ACCOUNT, EVERYBODY, DeskState, Raw
from connector.model import Secret

TOKEN_NAME, HOOK_NAME = "sandbox.zendesk-token", "sandbox.zendesk-webhook"

_EXPORT_CALLS = 6000
"""Per minute: the sandbox grants what the tenant file asks, and a demonstration polls often."""

SETTINGS: Mapping[str, type] = {"export_delay": float, "page_size_cap": int}

_ASPECTS = {
    "category": {"field": "360001"},
    "priority": {"field": "priority"},
    "sentiment": {"field": "360002"},
    "assignee": {"field": "360003"},
}


def desk_options(url: str) -> Mapping[str, Any]:
    """Give the `desk` section of a tenant that reaches this desk."""
    return {
        "platform": "zendesk",
        "url": url,
        "account": ACCOUNT,
        "token": f"secret:{TOKEN_NAME}",
        "export_calls_per_minute": _EXPORT_CALLS,
    }


class ControlCalls:
    """Lets tickets arrive, and people change them."""

    def __init__(self, state: DeskState, hooks: Webhooks, token: Secret, secret: Secret) -> None:
        self._state = state
        self._hooks = hooks
        self._token = token
        self._secret = secret

    def tenant(self, request: Request) -> Reply:
        """`GET /sandbox/tenant`: all that a tenant file for this desk needs."""
        token, hook = (TOKEN_NAME, self._token), (HOOK_NAME, self._secret)
        return tenant_reply(desk_options(request.base), _ASPECTS, token, hook)

    def staff(self, request: Request) -> Reply:
        """`POST /sandbox/staff`: replace groups and agents."""
        told = request.told
        self._state.set_staff(told.get("groups") or (), told.get("agents") or ())
        groups = {group["name"]: str(group["id"]) for group in self._state.groups}
        agents = {user["email"]: str(user["id"]) for user in self._state.users}
        groups.pop(EVERYBODY, None) if EVERYBODY not in (told.get("groups") or ()) else None
        agents.pop(ACCOUNT)
        return Reply(body={"groups": groups, "agents": agents})

    def arrive(self, request: Request) -> Reply:
        """`POST /sandbox/tickets`: a requester files a ticket now."""
        told = request.told
        ticket = self._state.arrive(
            str(told.get("subject") or ""),
            str(told.get("description") or ""),
            str(told.get("requester") or ""),
        )
        self._set(ticket, told)
        if told.get("hook"):
            self._hooks.announce(ticket)
        return Reply(status=HTTPStatus.CREATED, body={"id": str(ticket["id"])})

    def change(self, request: Request, ticket_id: str) -> Reply:
        """`POST /sandbox/tickets/{id}`: the requester answers, or an agent changes something."""
        ticket = self._ticket(ticket_id)
        told = request.told
        if "reply" in told:
            author = ticket["requester_id"]
            self._state.comment(ticket, str(told["reply"]), author=author, public=True)
        self._set(ticket, told)
        self._state.touch(ticket)
        return self.show(request, ticket_id)

    def _set(self, ticket: Raw, told: Mapping[str, Any]) -> None:
        try:
            group = self._state.group_id(told["group"]) if "group" in told else None
            agent = self._state.agent_id(told["assignee"]) if "assignee" in told else None
        except KeyError as error:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "NoSuchStaff", str(error)) from None
        if "tags" in told:
            ticket["tags"] = sorted(set(told["tags"]))
        for field, value in (told.get("fields") or {}).items():
            self._state.set_field(ticket, field, value)
        named = {"status": told.get("status"), "group": group, "assignee": agent}
        for field, value in named.items():
            if value is not None:
                self._state.set_field(ticket, field, value)

    def show(self, _request: Request, ticket_id: str) -> Reply:
        """`GET /sandbox/tickets/{id}`: what a person sees, and who wrote how often."""
        ticket = self._ticket(ticket_id)
        fields = {str(row["id"]): row["value"] for row in ticket["custom_fields"]}
        named = {"priority": ticket["priority"], "type": ticket["type"]}
        comments = self._state.comments[ticket["id"]]
        body = {
            "id": str(ticket["id"]),
            "subject": ticket["subject"],
            "description": ticket["description"],
            "status": ticket["status"],
            "group": ticket["group_id"],
            "assignee": ticket["assignee_id"],
            "fields": {**named, **fields},
            "tags": ticket["tags"],
            "writes": self._state.writes.get(ticket["id"], 0),
            "public_messages": sum(1 for comment in comments if comment["public"]),
            "notes": [comment["body"] for comment in comments if not comment["public"]],
        }
        return Reply(body=body)

    def _ticket(self, ticket_id: str) -> Raw:
        ticket = self._state.tickets.get(int(ticket_id))
        if ticket is None:
            raise not_found()
        return ticket

    def options(self, request: Request) -> Reply:
        """`POST /sandbox/options`: what a drop-down offers from now on."""
        told = request.told
        try:
            self._state.set_options(int(told["field"]), [str(each) for each in told["options"]])
        except (KeyError, ValueError, TypeError) as error:
            named = f"no drop-down and options: {error}"
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "NoSuchField", named) from None
        return Reply(body={})

    def hook_to(self, url: str) -> None:
        """Deliver arrivals to one receiver from now on."""
        self._hooks.register(Webhook(id="SANDBOX", url=url, secret=self._secret))
