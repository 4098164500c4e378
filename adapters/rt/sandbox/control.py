"""What people do on the practice desk: file, answer and change tickets, and see them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.practice.control import tenant_reply
from adapters.rt.mapping import priority_of
from adapters.rt.sandbox.exchange import Reply, Request, refusal
from adapters.rt.sandbox.hooks import Scrip
from adapters.rt.sandbox.state import (
    ACCOUNT,
    FIELDS,
    NOBODY,
    TAGS_FIELD,
    DeskState,
    Filed,
    field_named,
)
from connector.model import Secret

TOKEN_NAME, HOOK_NAME = "sandbox.rt-token", "sandbox.rt-webhook"
PRIORITIES: Mapping[str, int] = {"low": 10, "normal": 50, "high": 100, "urgent": 200}

SETTINGS: Mapping[str, type] = {"export_delay": float, "page_size_cap": int}

_ASPECTS = {
    "category": {"field": "Category"},
    "priority": {"field": "priority"},
    "sentiment": {"field": "Sentiment"},
    "assignee": {"field": "Suggested assignee"},
}
_AGENT = "agent"
"""Whoever a control call acts as when it is not the requester."""


class ControlCalls:
    """Lets tickets arrive, and people change them."""

    def __init__(self, state: DeskState, scrip: Scrip, secret: Secret) -> None:
        self._state = state
        self._scrip = scrip
        self._secret = secret

    def tenant(self, request: Request) -> Reply:
        """`GET /sandbox/tenant`: all that a tenant file for this desk needs."""
        desk = {
            "platform": "rt",
            "url": request.base,
            "account": ACCOUNT,
            "token": f"secret:{TOKEN_NAME}",
            "tags_field": TAGS_FIELD,
        }
        token, hook = (TOKEN_NAME, self._state.users[ACCOUNT].token), (HOOK_NAME, self._secret)
        return tenant_reply(desk, _ASPECTS, token, hook)

    def staff(self, request: Request) -> Reply:
        """`POST /sandbox/staff`: replace queues and who works on them."""
        told = request.told
        agents = list(told.get("agents") or ())
        self._state.set_staff(told.get("groups") or (), agents)
        named = {*(told.get("groups") or ()), *(agent["group"] for agent in agents)}
        groups = {name: str(n) for n, name in self._state.queues.items() if name in named}
        names = {agent["email"]: agent["email"].partition("@")[0] for agent in agents}
        return Reply(body={"groups": groups, "agents": names})

    def arrive(self, request: Request) -> Reply:
        """`POST /sandbox/tickets`: a requester files a ticket now."""
        told = request.told
        real = str(told.get("requester") or "Rita Requester")
        name = real.split(maxsplit=1)[0].casefold()
        self._state.user(name, real, f"{name}@sandbox.example")
        ticket = self._state.arrive(
            str(told.get("subject") or ""),
            str(told.get("description") or ""),
            by=name,
            requestors=(name,),
        )
        self._set(ticket, told)
        if told.get("hook"):
            self._scrip.run(ticket)
        return Reply(status=HTTPStatus.CREATED, body={"id": str(ticket.id)})

    def change(self, request: Request, ticket_id: str) -> Reply:
        """`POST /sandbox/tickets/{id}`: the requester answers, or an agent changes something."""
        ticket = self._ticket(ticket_id)
        told = request.told
        if "reply" in told:
            row = self._state.note(ticket, "Correspond", ticket.requestors[0])
            self._state.attach(row, str(told["reply"]))
        self._set(ticket, told)
        return self.show(request, ticket_id)

    def _set(self, ticket: Filed, told: Mapping[str, Any]) -> None:
        """Set what a person sets, without asking whether they may."""
        try:
            if "group" in told:
                ticket.queue = self._state.queue_id(told["group"])
        except KeyError as error:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"no queue {error}") from None
        if "assignee" in told:
            ticket.owner = told["assignee"].partition("@")[0]
        values = dict(told.get("fields") or {})
        if "tags" in told:
            values[TAGS_FIELD] = sorted(set(told["tags"]))
        for key, value in values.items():
            self._set_field(ticket, key, value)
        status = told.get("status")
        if status:
            ticket.status = "resolved" if status == "solved" else status
            self._state.note(ticket, "Status", _AGENT, Field="Status", NewValue=ticket.status)

    def _set_field(self, ticket: Filed, key: str, value: Any) -> None:
        field = field_named(key)
        if key == "priority":
            ticket.priority = PRIORITIES.get(value, 0)
        elif field is not None:
            ticket.values[field.id] = list(value) if isinstance(value, list) else [value]
        kind, name = ("CustomField", str(field.id)) if field else ("Set", key)
        self._state.note(ticket, kind, _AGENT, Field=name)

    def show(self, _request: Request, ticket_id: str) -> Reply:
        """`GET /sandbox/tickets/{id}`: what a person sees, and how often triage wrote."""
        ticket = self._ticket(ticket_id)
        rows = [row for row in self._state.transactions if row["ObjectId"] == str(ticket.id)]
        first = str(rows[0]["id"])
        texts = (each for each in self._state.attachments if each["TransactionId"] == first)
        comments = {str(row["id"]) for row in rows if row["Type"] == "Comment"}
        custom = {
            each.name: _shown(self._state.values(ticket, each), many=each.multiple)
            for each in FIELDS
        }
        tags = custom.pop(TAGS_FIELD) or []
        body = {
            "id": str(ticket.id),
            "subject": ticket.subject,
            "description": next(texts)["Content"],
            "status": ticket.status,
            "group": str(ticket.queue),
            "assignee": None if ticket.owner == NOBODY else ticket.owner,
            "fields": {"priority": priority_of(ticket.priority, PRIORITIES), **custom},
            "tags": tags,
            "writes": self._state.writes.get(ticket.id, 0),
            "public_messages": sum(row["Type"] in {"Create", "Correspond"} for row in rows),
            "notes": [
                each["Content"]
                for each in self._state.attachments
                if each["TransactionId"] in comments
            ],
        }
        return Reply(body=body)

    def _ticket(self, ticket_id: str) -> Filed:
        ticket = self._state.tickets.get(int(ticket_id))
        if ticket is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        return ticket

    def hook_to(self, url: str) -> None:
        """Call one receiver from now on."""
        self._scrip.url = url


def _shown(values: list[str | None], *, many: bool) -> Any:
    held = [each for each in values if each]
    return held if many else next(iter(held), None)
