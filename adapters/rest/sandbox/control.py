"""What people do on the practice desk: file, answer and change tickets, and see them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.practice.control import tenant_reply
from adapters.practice.exchange import Refusal, Reply, Request, Senseless
from adapters.rest.sandbox.dialects import DIALECTS, HOOK_NAME, KEY_NAME, MODERN, desk_options
from adapters.rest.sandbox.hooks import Webhooks
from adapters.rest.sandbox.state import AGENT, FIELDS, DeskState, Filed
from connector.model import Secret

SETTINGS: Mapping[str, type] = {"export_delay": float, "page_size_cap": int}

_ASPECTS = {name: {"field": name} for name in ("category", "priority", "sentiment", "assignee")}


class ControlCalls:
    """Lets tickets arrive, and people change them."""

    def __init__(self, state: DeskState, hooks: Webhooks, key: Secret, secret: Secret) -> None:
        self._state = state
        self._hooks = hooks
        self._key = key
        self._secret = secret

    def tenant(self, request: Request) -> Reply:
        """`GET /sandbox/tenant`: all that a tenant file needs, in the `dialect` asked for."""
        dialect = request.query.get("dialect", MODERN)
        if dialect not in DIALECTS:
            raise Senseless(f"no dialect {dialect}; there are {', '.join(DIALECTS)}")
        key, hook = (KEY_NAME, self._key), (HOOK_NAME, self._secret)
        return tenant_reply(desk_options(request.base, dialect), _ASPECTS, key, hook)

    def staff(self, request: Request) -> Reply:
        """`POST /sandbox/staff`: replace groups and agents."""
        told = request.told
        self._state.set_staff(told.get("groups") or (), told.get("agents") or ())
        named = {*(told.get("groups") or ()), *(each["group"] for each in told.get("agents") or ())}
        groups = {name: str(n) for n, name in self._state.groups.items() if name in named}
        agents = {str(each["email"]): str(n) for n, each in self._state.agents.items()}
        return Reply(body={"groups": groups, "agents": agents})

    def arrive(self, request: Request) -> Reply:
        """`POST /sandbox/tickets`: a requester files a ticket now."""
        told = request.told
        name = str(told.get("requester") or "Rita Requester").split(maxsplit=1)[0].casefold()
        ticket = self._state.arrive(
            str(told.get("subject") or ""),
            str(told.get("description") or ""),
            f"{name}@sandbox.example",
        )
        self._set(ticket, told)
        if told.get("hook"):
            self._hooks.announce(ticket)
        return Reply(status=HTTPStatus.CREATED, body={"id": str(ticket.id)})

    def change(self, request: Request, ticket_id: str) -> Reply:
        """`POST /sandbox/tickets/{id}`: the requester answers, or an agent changes something."""
        ticket, told = self._ticket(ticket_id), request.told
        if "reply" in told:
            self._state.say(ticket, str(told["reply"]), ticket.requester)
        if "note" in told:
            self._state.say(ticket, str(told["note"]), AGENT, public=False)
        self._set(ticket, told)
        self._state.touch(ticket)
        if "reply" in told:
            self._hooks.announce(ticket)
        return self.show(request, ticket_id)

    def _set(self, ticket: Filed, told: Mapping[str, Any]) -> None:
        try:
            if "group" in told:
                ticket.group = self._state.group_id(told["group"])
            if "assignee" in told:
                ticket.assignee = self._state.agent_id(told["assignee"])
        except KeyError as error:
            raise Senseless(f"no group or agent {error}") from None
        for name, value in (told.get("fields") or {}).items():
            if not self._state.set(ticket, name, value):
                raise Senseless(f"no field {name} that takes this")
        if "tags" in told:
            ticket.tags = sorted(set(told["tags"]))
        ticket.status = told.get("status", ticket.status)

    def show(self, _request: Request, ticket_id: str) -> Reply:
        """`GET /sandbox/tickets/{id}`: what a person sees, and how often triage wrote."""
        ticket = self._ticket(ticket_id)
        fields = {name: ticket.fields.get(name) for name in FIELDS}
        body = {
            "id": str(ticket.id),
            "subject": ticket.subject,
            "description": ticket.messages[0].text,
            "status": ticket.status,
            "group": str(ticket.group),
            "assignee": str(ticket.assignee) if ticket.assignee else None,
            "fields": fields,
            "tags": ticket.tags,
            "writes": self._state.writes.get(ticket.id, 0),
            "public_messages": sum(each.public for each in ticket.messages),
        }
        return Reply(body=body)

    def _ticket(self, ticket_id: str) -> Filed:
        ticket = self._state.tickets.get(int(ticket_id))
        if ticket is None:
            raise Refusal(Reply(status=HTTPStatus.NOT_FOUND, body={"error": "no such ticket"}))
        return ticket

    def hook_to(self, url: str) -> None:
        """Call one receiver from now on."""
        self._hooks.url = url
