"""The people on a Zendesk desk: through its own API, and before a sandbox where things go wrong."""

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import requests
from people import Desk, HandClock, Mapped

from adapters import zendesk
from adapters.zendesk.adapter import ZendeskAdapter
from adapters.zendesk.sandbox import Fault, ZendeskSandbox
from connector.model import Agent, FieldValue, Group, Secret, TicketId
from connector.ports import Surroundings

URL, ACCOUNT, TOKEN = (f"TRIAGED_TEST_ZENDESK_{name}" for name in ("URL", "ACCOUNT", "TOKEN"))
REAL = URL in os.environ

HOOK_KEY = Secret("a webhook key of this test")
EXPORT = "GET /api/v2/incremental"


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ZendeskPeople(Desk):
    """People who work through Zendesk's own API, with the triage account's credential."""

    def __init__(self, url: str, account: str, token: Secret, clock: RealClock | HandClock) -> None:
        self.url, self.account, self.token = url, account, token
        self.clock, self.secret = clock, HOOK_KEY
        self._http = requests.Session()
        self._http.auth = (f"{account}/token", token.reveal())
        self._options = zendesk.ZendeskDesk(
            platform="zendesk",
            url=url,
            account=account,
            token="secret:token",
            webhook_secret="secret:hook",
            export_calls_per_minute=10 if REAL else 60_000,
        )
        self.adapter: ZendeskAdapter = self.connect()
        self.mapped = self._find_fields()

    def connect(self, **secrets: Secret) -> Any:
        known = {"token": self.token, "hook": self.secret, **secrets}
        world = Surroundings(secret=known.__getitem__, clock=self.clock)
        return zendesk.platform.connect(self._options, world)

    def close(self) -> None:
        self.adapter.__exit__()
        self._http.close()

    def _call(self, method: str, path: str, body: object = None) -> Any:
        response = self._http.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=30)
        response.raise_for_status()
        return response.json() if response.content else None

    def _find_fields(self) -> Mapped:
        fields = self._call("GET", "ticket_fields.json")["ticket_fields"]
        of: Callable[[str], dict[str, Any]] = lambda kind: next(  # noqa: E731
            each for each in fields if each["type"] == kind and each["removable"] and each["active"]
        )
        tags = {kind: _two_options(of(kind)) for kind in ("tagger", "multiselect")}
        return Mapped(
            category=str(of("tagger")["id"]),
            categories=tags["tagger"],
            choices=str(of("multiselect")["id"]),
            products=tags["multiselect"],
            text=str(of("text")["id"]),
        )

    def arrive(
        self, subject: str, text: str, *, fields: Mapping[str, FieldValue] | None = None
    ) -> TicketId:
        ticket = {
            "subject": subject,
            "comment": {"body": text},
            "requester": {"name": "Rita Requester", "email": "rita@requester.example"},
            "custom_fields": _custom(fields or {}),
        }
        return TicketId(str(self._call("POST", "tickets.json", {"ticket": ticket})["ticket"]["id"]))

    def _update(self, ticket: TicketId, changes: dict[str, Any]) -> None:
        self.later()
        self._call("PUT", f"tickets/{ticket}.json", {"ticket": changes})

    def reply(self, ticket: TicketId, text: str) -> None:
        author = self._call("GET", f"tickets/{ticket}.json")["ticket"]["requester_id"]
        self._update(ticket, {"comment": {"body": text, "public": True, "author_id": author}})

    def answer(self, ticket: TicketId, text: str) -> None:
        self._update(ticket, {"comment": {"body": text, "public": True}})

    def note(self, ticket: TicketId, text: str) -> None:
        self._update(ticket, {"comment": {"body": text, "public": False}})

    def change(
        self,
        ticket: TicketId,
        *,
        fields: Mapping[str, FieldValue] | None = None,
        tags: Sequence[str] | None = None,
        solve: bool = False,
    ) -> None:
        changes: dict[str, Any] = {"custom_fields": _custom(fields or {})} if fields else {}
        if tags is not None:
            changes["tags"] = list(tags)
        if solve:
            me = self._call("GET", "users/me.json")["user"]["id"]
            changes.update(status="solved", assignee_id=me, group_id=int(self.serving()[0].id))
        self._update(ticket, changes)

    def delete(self, ticket: TicketId) -> None:
        self.later()
        self._call("DELETE", f"tickets/{ticket}.json")

    def serving(self) -> tuple[Group, Agent]:
        """The credential's own user, who must serve in a group."""
        me = self._call("GET", "users/me.json")["user"]
        rows = self._call("GET", f"users/{me['id']}/group_memberships.json")["group_memberships"]
        groups = {each["id"]: each for each in self._call("GET", "groups.json")["groups"]}
        served = [str(each["group_id"]) for each in rows]
        group = Group(id=served[0], name=groups[int(served[0])]["name"])
        agent = Agent(id=str(me["id"]), name=me["name"], email=me["email"], groups=tuple(served))
        return group, agent

    def public_messages(self, ticket: TicketId) -> int:
        comments = self._call("GET", f"tickets/{ticket}/comments.json")["comments"]
        return sum(1 for comment in comments if comment["public"])

    def notes(self, ticket: TicketId) -> Sequence[str]:
        comments = self._call("GET", f"tickets/{ticket}/comments.json")["comments"]
        return [comment["body"] for comment in comments if not comment["public"]]

    def sign(self, body: bytes, key: Secret) -> dict[str, str]:
        return signed_headers(body, key.reveal().encode(), self.clock.now())

    def hook_body(self, ticket: TicketId) -> bytes:
        return json.dumps({"ticket_id": ticket, "note": "\u00fc"}).encode()

    def later(self) -> None:
        self.clock.sleep(1.1 if REAL else 1)

    def settle(self) -> None:
        self.clock.sleep(75)


class SandboxPeople(ZendeskPeople):
    """The same people before a sandbox, where also something can go wrong."""

    def __init__(self, sandbox: ZendeskSandbox, clock: HandClock) -> None:
        self.sandbox = sandbox
        super().__init__(sandbox.url, "triage@sandbox.example", sandbox.token, clock)

    def pages_of(self, size: int) -> None:
        self.sandbox.state.page_size_cap = size

    def break_next(self, match: str, **fault: Any) -> None:
        self.sandbox.break_next(Fault(match=match, **fault))

    def meanwhile(self, match: str, ticket: TicketId, **values: Any) -> None:
        """Have an agent change a ticket just before a call reaches the desk."""

        def change() -> None:
            state = self.sandbox.state
            row = state.tickets[int(ticket)]
            for field, value in values.pop("fields", {}).items():
                state.set_field(row, field, value)
            row.update(values)
            self.clock.sleep(1)
            state.touch(row)

        self.break_next(match, before=change)

    def calls(self, start: str = "") -> int:
        counted = self.sandbox.desk.mishaps.calls
        return sum(number for call, number in counted.items() if call.startswith(start))


def _two_options(field: dict[str, Any]) -> tuple[str, str]:
    first, second, *_ = [option["value"] for option in field["custom_field_options"]]
    return first, second


def _custom(fields: Mapping[str, FieldValue]) -> list[dict[str, Any]]:
    return [{"id": int(field), "value": value} for field, value in fields.items()]


def signed_headers(body: bytes, key: bytes, moment: datetime, *, body_first: bool = False) -> Any:
    """Sign by the sheet's recipe, written out once more: a shared mistake would not show."""
    timestamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = (body, timestamp.encode()) if body_first else (timestamp.encode(), body)
    digest = hmac.new(key, b"".join(parts), hashlib.sha256).digest()
    return {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": timestamp,
        "x-zendesk-webhook-invocation-id": "01HINVOCATION",
    }
