"""The sandbox's own control calls: the same on every platform's sandbox, no platform's API."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.practice.mishaps import Mishaps
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
TENANT = "sandbox"
PRIORITIES: Mapping[str, int] = {"low": 10, "normal": 50, "high": 100, "urgent": 200}

_SETTINGS = ("export_delay", "page_size_cap", "rate_limit", "latency")
_AGENT = "agent"
"""Whoever a control call acts as when it is not the requester."""


class ControlCalls:
    """Lets tickets arrive, people change them, and things go wrong."""

    def __init__(self, state: DeskState, scrip: Scrip, secret: Secret) -> None:
        self._state = state
        self._scrip = scrip
        self._secret = secret
        self.mishaps = Mishaps()

    def tenant(self, request: Request) -> Reply:
        """`GET /sandbox/tenant`: all that a tenant file for this desk needs."""
        desk = {
            "platform": "rt",
            "url": request.base,
            "account": ACCOUNT,
            "token": f"secret:{TOKEN_NAME}",
            "tags_field": TAGS_FIELD,
        }
        fields = {
            "category": "Category",
            "priority": "priority",
            "sentiment": "Sentiment",
            "assignee": "Suggested assignee",
        }
        token = self._state.users[ACCOUNT].token
        body = {
            "tenant": TENANT,
            "desk": desk,
            "intake": {"poll": "2s", "webhook": {"secret": f"secret:{HOOK_NAME}"}},
            "aspects": {name: {"field": field, "mode": "auto"} for name, field in fields.items()},
            "secrets": {TOKEN_NAME: token.reveal(), HOOK_NAME: self._secret.reveal()},
        }
        return Reply(body=body)

    def staff(self, request: Request) -> Reply:
        """`POST /sandbox/staff`: replace queues and who works on them."""
        told = _mapping(request.body)
        agents = list(told.get("agents") or ())
        self._state.set_staff(told.get("groups") or (), agents)
        named = {*(told.get("groups") or ()), *(agent["group"] for agent in agents)}
        groups = {name: str(n) for n, name in self._state.queues.items() if name in named}
        names = {agent["email"]: agent["email"].partition("@")[0] for agent in agents}
        return Reply(body={"groups": groups, "agents": names})

    def arrive(self, request: Request) -> Reply:
        """`POST /sandbox/tickets`: a requester files a ticket now."""
        told = _mapping(request.body)
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
        told = _mapping(request.body)
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

    def webhook(self, request: Request) -> Reply:
        """`POST /sandbox/webhook`: call one receiver from now on."""
        self._scrip.url = str(_mapping(request.body).get("url") or "")
        return Reply(status=HTTPStatus.CREATED, body={"secret": self._secret.reveal()})

    def deliveries(self, _request: Request) -> Reply:
        """`GET /sandbox/webhook/deliveries`."""
        rows = [
            {"id": each.id, "ticket": each.ticket, "status": each.status, "attempts": each.attempts}
            for each in self._scrip.calls
        ]
        return Reply(body=rows)

    def settings(self, request: Request) -> Reply:
        """`POST /sandbox/settings`: how the desk behaves; RT delays nothing, whatever is told."""
        told = _mapping(request.body)
        unknown = sorted(told.keys() - set(_SETTINGS))
        if unknown:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"no setting {', '.join(unknown)}")
        self._state.page_size_cap = int(told.get("page_size_cap", self._state.page_size_cap))
        self.mishaps.set(told)
        return Reply(body={})

    def add_faults(self, request: Request) -> Reply:
        """`POST /sandbox/faults`: what goes wrong with the next calls."""
        try:
            return self.mishaps.add(request.body)
        except TypeError as error:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"no fault: {error}") from None

    def count_calls(self, _request: Request) -> Reply:
        """`GET /sandbox/calls`: how often each path was called."""
        return Reply(body=self.mishaps.calls)


def _shown(values: list[str | None], *, many: bool) -> Any:
    held = [each for each in values if each]
    return held if many else next(iter(held), None)


def _mapping(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise refusal(HTTPStatus.BAD_REQUEST, "JSON object must be a HASH")
    return body
