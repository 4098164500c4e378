"""The people on a ServiceNow table: through its API, and before a sandbox where things break."""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import requests
from people import Desk, HandClock, Mapped

from adapters import servicenow
from adapters.servicenow.adapter import ServiceNowAdapter
from adapters.servicenow.sandbox import Fault, ServiceNowSandbox
from adapters.servicenow.sandbox.state import ACCOUNT, REQUESTER
from connector.model import Agent, FieldValue, Group, Secret, TicketId
from connector.ports import Surroundings

_ASKED = ("URL", "ACCOUNT", "PASSWORD", "REQUESTER", "REQUESTER_PASSWORD")
URL, *_ = NAMES = tuple(f"TRIAGED_TEST_SERVICENOW_{name}" for name in _ASKED)
REAL = URL in os.environ

HOOK_KEY = Secret("a webhook key of this test")
CHOICES, TEXT_FIELD, TAGS_FIELD = "u_products", "u_suggested_assignee", "u_triage_tags"
TABLE = "/api/now/v2/table"
ROWS = f"GET {TABLE}/incident"


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ServiceNowPeople(Desk):
    """An agent, who has the integration user's password, and a requester with one of their own."""

    example = TicketId("f" * 32)
    absent = TicketId("0" * 32)

    def __init__(
        self,
        url: str,
        agent: tuple[str, Secret],
        requester: tuple[str, Secret],
        clock: RealClock | HandClock,
        **options: Any,
    ) -> None:
        self.url, (self.account, self.password), self.clock = url, agent, clock
        self.secret = HOOK_KEY
        self._sessions = [_session(*agent), _session(*requester)]
        self._options = {
            "platform": "servicenow",
            "url": url,
            "account": self.account,
            "password": "secret:password",
            "webhook_secret": "secret:hook",
            "tags_field": TAGS_FIELD,
            **options,
        }
        self.adapter: ServiceNowAdapter = self.connect()
        self._requester = self._user(requester[0])
        self.mapped = self._find_fields()

    def connect(self, secrets: Mapping[str, Secret] | None = None, **changes: Any) -> Any:
        known = {"password": self.password, "hook": self.secret, **(secrets or {})}
        world = Surroundings(secret=known.__getitem__, clock=self.clock)
        options = servicenow.ServiceNowDesk(**{**self._options, **changes})
        return servicenow.platform.connect(options, world)

    def close(self) -> None:
        self.adapter.__exit__()
        for session in self._sessions:
            session.close()

    def call(self, method: str, path: str, body: object = None, *, requester: bool = False) -> Any:
        session, url = self._sessions[requester], f"{self.url}{TABLE}/{path}"
        response = session.request(method, url, json=body, timeout=30)
        response.raise_for_status()
        return response.json()["result"] if response.content else None

    def _user(self, name: str) -> Mapping[str, str]:
        (user,) = self.call("GET", f"sys_user?sysparm_query=user_name={name}")
        return user

    def _find_fields(self) -> Mapped:
        return Mapped(
            category="category",
            categories=self._two_options("category"),
            choices=CHOICES,
            products=self._two_options(CHOICES),
            text=TEXT_FIELD,
            high="2",
            tags=bool(self._options["tags_field"]),
            clears_choices=False,
        )

    def _two_options(self, field: str) -> tuple[str, str]:
        query = f"name=incident^element={field}^inactive=false^ORDERBYsequence"
        rows = self.call("GET", f"sys_choice?sysparm_query={query}")
        first, second, *_ = dict.fromkeys(row["value"] for row in rows)
        return first, second

    def arrive(
        self, subject: str, text: str, *, fields: Mapping[str, FieldValue] | None = None
    ) -> TicketId:
        row = {
            "short_description": subject,
            "description": text,
            "caller_id": self._requester["sys_id"],
            **(fields or {}),
        }
        return TicketId(self.call("POST", "incident", row)["sys_id"])

    def _update(self, ticket: TicketId, changes: Mapping[str, Any], **who: bool) -> None:
        self.later()
        self.call("PATCH", f"incident/{ticket}", changes, **who)

    def reply(self, ticket: TicketId, text: str) -> None:
        self._update(ticket, {"comments": text}, requester=True)

    def answer(self, ticket: TicketId, text: str) -> None:
        self._update(ticket, {"comments": text})

    def note(self, ticket: TicketId, text: str) -> None:
        self._update(ticket, {"work_notes": text})

    def change(
        self,
        ticket: TicketId,
        *,
        fields: Mapping[str, FieldValue] | None = None,
        tags: Sequence[str] | None = None,
        solve: bool = False,
    ) -> None:
        changes: dict[str, Any] = dict(fields or {})
        if tags is not None:
            changes[TAGS_FIELD] = ", ".join(tags)
        if solve:
            changes.update(state="6", close_code="Solution provided", close_notes="done")
        self._update(ticket, changes)

    def delete(self, ticket: TicketId) -> None:
        """What people do instead of deleting: the table itself tells of no deletion."""
        self._update(ticket, {"state": "8", "close_code": "Duplicate", "close_notes": "gone"})

    def serving(self) -> tuple[Group, Agent]:
        """The integration user, who must serve in a group."""
        me = self._user(self.account)
        rows = self.call("GET", f"sys_user_grmember?sysparm_query=user={me['sys_id']}")
        served = [row["group"]["value"] for row in rows]
        name = self.call("GET", f"sys_user_group/{served[0]}")["name"]
        agent = Agent(id=me["sys_id"], name=me["name"], email=me["email"], groups=tuple(served))
        return Group(id=served[0], name=name), agent

    def public_messages(self, ticket: TicketId) -> int:
        query = f"element_id={ticket}^element=comments"
        return 1 + len(self.call("GET", f"sys_journal_field?sysparm_query={query}"))

    def notes(self, ticket: TicketId) -> Sequence[str]:
        query = f"element_id={ticket}^element=work_notes"
        return [
            row["value"] for row in self.call("GET", f"sys_journal_field?sysparm_query={query}")
        ]

    def sign(self, body: bytes, key: Secret) -> dict[str, str]:
        return signed_headers(body, key.reveal().encode(), self.clock.now())

    def hook_body(self, ticket: TicketId) -> bytes:
        told = {"table": "incident", "sys_id": ticket, "sys_mod_count": "5", "note": "\u00fc"}
        return json.dumps(told).encode()

    def later(self) -> None:
        self.clock.sleep(1.1 if REAL else 1)

    def settle(self) -> None:
        self.later()


class SandboxPeople(ServiceNowPeople):
    """The same people before a sandbox, where also something can go wrong."""

    def __init__(self, sandbox: ServiceNowSandbox, clock: HandClock, **options: Any) -> None:
        self.sandbox = sandbox
        self.state = sandbox.state
        door = sandbox.door
        agent, requester = (ACCOUNT, door.password), (REQUESTER, door.requester_password)
        super().__init__(sandbox.url, agent, requester, clock, **options)

    def pages_of(self, size: int) -> None:
        self.state.page_size_cap = size

    def break_next(self, match: str, **fault: Any) -> None:
        self.sandbox.break_next(Fault(match=match, **fault))

    def meanwhile(self, match: str, ticket: TicketId, **values: str) -> None:
        """Have an agent change a ticket just before a call reaches the desk."""
        row = self.state.tickets[ticket]
        self.break_next(match, before=lambda: self.state.change(row, values, "agent"))

    def calls(self, start: str = "") -> int:
        counted = self.sandbox.desk.mishaps.calls
        return sum(number for call, number in counted.items() if call.startswith(start))


def _session(user: str, password: Secret) -> requests.Session:
    session = requests.Session()
    session.auth = (user, password.reveal())
    session.headers["Accept"] = "application/json"
    return session


def signed_headers(body: bytes, key: bytes, moment: datetime, *, dot: bytes = b".") -> Any:
    """Sign by the how-to's recipe, written out once more: a shared mistake would not show."""
    timestamp = str(int(moment.timestamp()))
    digest = hmac.new(key, timestamp.encode() + dot + body, hashlib.sha256).digest()
    return {
        "x-triaged-signature": base64.b64encode(digest).decode(),
        "x-triaged-timestamp": timestamp,
    }
