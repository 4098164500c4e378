"""What people do on the practice desk: file, answer and change tickets, and see them."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from adapters.practice.control import tenant_reply
from adapters.servicenow.config import LOOKUP
from adapters.servicenow.mapping import tags_of
from adapters.servicenow.sandbox.door import Door
from adapters.servicenow.sandbox.exchange import Reply, Request, no_record, refusal
from adapters.servicenow.sandbox.hooks import BusinessRule
from adapters.servicenow.sandbox.state import (
    ACCOUNT,
    CANCELLED,
    CLOSED,
    EVERYBODY,
    NEW,
    ON_HOLD,
    REQUESTER,
    RESOLVED,
    TABLE,
    DeskState,
    Row,
)
from connector.model import Secret

PASSWORD_NAME, HOOK_NAME = "sandbox.servicenow-password", "sandbox.servicenow-webhook"
TAGS_FIELD = "u_triage_tags"
AGENT = "agent"
"""The user name in which people change tickets."""

PRIORITIES = MappingProxyType({"urgent": "1", "high": "2", "normal": "3", "low": "4"})
DEFAULT_PRIORITY = "5"

_STATES = MappingProxyType(
    {"open": NEW, "pending": ON_HOLD, "solved": RESOLVED, "closed": CLOSED, "deleted": CANCELLED}
)
_ASPECTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "category": {"field": "category"},
        "priority": {
            "field": "priority",
            "values": dict(PRIORITIES),
            "treat_as_empty": [DEFAULT_PRIORITY],
        },
        "sentiment": {"field": "u_sentiment"},
        "assignee": {"field": "u_suggested_assignee"},
    }
)
_SHOWN = (
    *("category", "priority", "impact", "urgency", "state"),
    *("u_sentiment", "u_suggested_assignee", "u_products"),
)
SETTINGS: Mapping[str, type] = {
    "export_delay": float,
    "page_size_cap": int,
    "zone_hours": float,
    "rule_updates": int,
    "invalid_query_returns_no_rows": bool,
}


def desk_options(url: str) -> Mapping[str, Any]:
    """Give the `desk` section of a tenant that reaches this desk."""
    return {
        "platform": "servicenow",
        "url": url,
        "account": ACCOUNT,
        "password": f"secret:{PASSWORD_NAME}",
        "tags_field": TAGS_FIELD,
    }


class ControlCalls:
    """Lets tickets arrive, and people change them."""

    def __init__(self, state: DeskState, rule: BusinessRule, door: Door, secret: Secret) -> None:
        self._state = state
        self._rule = rule
        self._door = door
        self._secret = secret

    def tenant(self, request: Request) -> Reply:
        """`GET /sandbox/tenant`: all that a tenant file for this desk needs."""
        password, hook = (PASSWORD_NAME, self._door.password), (HOOK_NAME, self._secret)
        return tenant_reply(desk_options(request.base), _ASPECTS, password, hook)

    def staff(self, request: Request) -> Reply:
        """`POST /sandbox/staff`: replace groups and agents."""
        told = request.told
        wanted = told.get("agents") or ()
        self._state.set_staff(told.get("groups") or (), wanted)
        rows = self._state.tables["sys_user_group"].values()
        groups = {row["name"]: row["sys_id"] for row in rows if row["name"] != EVERYBODY}
        agents = {each["email"]: self._state.agent(each["email"])["sys_id"] for each in wanted}
        return Reply(body={"groups": groups, "agents": agents})

    def arrive(self, request: Request) -> Reply:
        """`POST /sandbox/tickets`: a requester files a ticket now."""
        told = request.told
        name = str(told.get("requester") or "")
        slug = "".join(each if each.isalnum() else "." for each in name.casefold()) or REQUESTER
        caller = self._state.person(slug, name)
        ticket = self._state.arrive(
            str(told.get("subject") or ""), str(told.get("description") or ""), caller, slug
        )
        self._state.set(ticket, self._values(told))
        if told.get("hook"):
            self._rule.announce(ticket)
        body = {"id": ticket["sys_id"], "number": ticket["number"]}
        return Reply(status=HTTPStatus.CREATED, body=body)

    def change(self, request: Request, ticket_id: str) -> Reply:
        """`POST /sandbox/tickets/{id}`: the requester answers, or an agent changes something."""
        ticket = self._ticket(ticket_id)
        told = request.told
        if "reply" in told:
            caller = self._state.value(TABLE, ticket, "caller_id.user_name")
            self._state.change(ticket, {"comments": str(told["reply"])}, caller)
        values = self._values(told)
        if values:
            self._state.change(ticket, values, AGENT)
        return self.show(request, ticket_id)

    def _values(self, told: Mapping[str, Any]) -> dict[str, str]:
        """Give the columns that people set; a priority as what it is derived from."""
        try:
            values = _columns(told.get("fields") or {})
            if "group" in told:
                values["assignment_group"] = self._state.group(told["group"])["sys_id"]
            if "assignee" in told:
                values["assigned_to"] = self._state.agent(told["assignee"])["sys_id"]
        except KeyError as error:
            raise refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"Unknown: {error}") from None
        if "tags" in told:
            values[TAGS_FIELD] = ", ".join(told["tags"])
        if told.get("status"):
            values["state"] = _STATES.get(told["status"], str(told["status"]))
        return values

    def show(self, _request: Request, ticket_id: str) -> Reply:
        """`GET /sandbox/tickets/{id}`: what a person sees, and who wrote how often."""
        ticket = self._ticket(ticket_id)
        body = {
            "id": ticket_id,
            "number": ticket["number"],
            "subject": ticket["short_description"],
            "description": ticket["description"],
            "status": ticket["state"],
            "group": ticket["assignment_group"] or None,
            "assignee": ticket["assigned_to"] or None,
            "fields": {name: ticket[name] or None for name in _SHOWN},
            "tags": list(tags_of(ticket[TAGS_FIELD])),
            "writes": self._state.writes.get(ticket_id, 0),
            "public_messages": 1 + len(self._state.journal(ticket, "comments")),
            "notes": [row["value"] for row in self._state.journal(ticket, "work_notes")],
        }
        return Reply(body=body)

    def _ticket(self, ticket_id: str) -> Row:
        ticket = self._state.tickets.get(ticket_id)
        if ticket is None:
            raise no_record()
        return ticket

    def hook_to(self, url: str) -> None:
        """Call one receiver from now on."""
        self._rule.url = url


def _columns(fields: Mapping[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in fields.items():
        if name == "priority":
            impact, urgency = LOOKUP[str(value)]
            values.update(impact=str(impact), urgency=str(urgency))
        else:
            values[name] = ",".join(value) if isinstance(value, list) else str(value or "")
    return values
