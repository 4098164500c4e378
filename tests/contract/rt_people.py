"""The people on a Request Tracker, through REST2; before a sandbox also things go wrong."""

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

from adapters import rt
from adapters.rt.adapter import RequestTrackerAdapter
from adapters.rt.sandbox import Fault, RtSandbox
from connector.model import Agent, FieldValue, Group, Secret, TicketId
from connector.ports import Surroundings

PREFIX = "TRIAGED_TEST_RT_"
REAL = f"{PREFIX}URL" in os.environ

HOOK_KEY = Secret("a webhook key of this test")
TAGS_FIELD = "Triage tags"


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class RtPeople(Desk):
    """People who work through REST2, each with a token of their own."""

    def __init__(
        self,
        url: str,
        tokens: Mapping[str, Secret],
        clock: RealClock | HandClock,
        *,
        account: str = "triage",
        queue: str = "Support",
        tags_field: str | None = TAGS_FIELD,
    ) -> None:
        self.mapped = Mapped(
            category="Category",
            categories=("network", "hardware"),
            choices="Products",
            products=("laptop", "printer"),
            text="Suggested assignee",
            tags=tags_field is not None,
        )
        self.tags_field = tags_field
        self.url, self.account, self.queue = url, account, queue
        self.tokens, self.clock, self.secret = tokens, clock, HOOK_KEY
        self._http = requests.Session()
        self._http.trust_env = False
        self.adapter: RequestTrackerAdapter = self.connect()
        self.made = 0

    def connect(self, secrets: Mapping[str, Secret] | None = None, **options: Any) -> Any:
        desk = rt.RequestTrackerDesk(
            **{
                "platform": "rt",
                "url": self.url,
                "account": self.account,
                "token": "secret:token",
                "webhook_secret": "secret:hook",
                "tags_field": self.tags_field,
                **options,
            }
        )
        known = {"token": self.tokens["triage"], "hook": self.secret, **(secrets or {})}
        world = Surroundings(secret=known.__getitem__, clock=self.clock)
        return rt.platform.connect(desk, world)

    def close(self) -> None:
        self.adapter.__exit__()
        self._http.close()

    def call(self, who: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"token {self.tokens[who].reveal()}"}
        url = f"{self.url}/REST/2.0/{path}"
        response = self._http.request(method, url, json=body, headers=headers, timeout=60)
        response.raise_for_status()
        return response.json() if response.content else None

    def put(self, ticket: TicketId, changes: Mapping[str, Any]) -> Any:
        return self.call("root", "PUT", f"ticket/{ticket}", changes)

    def arrive(
        self, subject: str, text: str, *, fields: Mapping[str, FieldValue] | None = None
    ) -> TicketId:
        filed = {"Queue": self.queue, "Subject": subject, "Content": text, "Requestor": "rita"}
        ticket = TicketId(str(self.call("rita", "POST", "ticket", filed)["id"]))
        if fields:
            self.put(ticket, {"CustomFields": dict(fields)})
        self.made += 1
        return ticket

    def reply(self, ticket: TicketId, text: str) -> None:
        self.later()
        self.call("rita", "POST", f"ticket/{ticket}/correspond", _message(text))

    def answer(self, ticket: TicketId, text: str) -> None:
        self.later()
        self.call("root", "POST", f"ticket/{ticket}/correspond", _message(text))

    def note(self, ticket: TicketId, text: str) -> None:
        self.later()
        self.call("root", "POST", f"ticket/{ticket}/comment", _message(text))

    def change(
        self,
        ticket: TicketId,
        *,
        fields: Mapping[str, FieldValue] | None = None,
        tags: Sequence[str] | None = None,
        solve: bool = False,
    ) -> None:
        self.later()
        custom: dict[str, Any] = dict(fields or {})
        if tags is not None:
            custom[TAGS_FIELD] = list(tags)
        status = {"Status": "resolved"} if solve else {}
        self.put(ticket, {"CustomFields": custom, **status} if custom else status)

    def delete(self, ticket: TicketId) -> None:
        self.later()
        self.call("root", "DELETE", f"ticket/{ticket}")

    def serving(self) -> tuple[Group, Agent]:
        """The first user who watches the queue as AdminCc, and serves in no other."""
        queue = self.call("root", "GET", f"queue/{self.queue}")
        name = next(row["id"] for row in queue["AdminCc"] if row["type"] == "user")
        user = self.call("root", "GET", f"user/{name}")
        group = Group(id=str(queue["id"]), name=self.queue)
        agent = Agent(
            id=name, name=user["RealName"], email=user["EmailAddress"], groups=(group.id,)
        )
        return group, agent

    def public_messages(self, ticket: TicketId) -> int:
        rows = self.call("root", "GET", f"ticket/{ticket}/history?fields=Type&per_page=100")[
            "items"
        ]
        return sum(1 for row in rows if row["Type"] in {"Create", "Correspond"})

    def notes(self, ticket: TicketId) -> Sequence[str]:
        path = f"ticket/{ticket}/history?fields=Type&per_page=100"
        rows = self.call("root", "GET", path)["items"]
        wanted = [
            {"field": "TransactionId", "operator": "=", "value": row["id"]}
            for row in rows
            if row["Type"] == "Comment"
        ]
        found = self.call("root", "POST", "attachments?fields=Content", wanted) if wanted else {}
        return [row["Content"] for row in found.get("items", ())]

    def sign(self, body: bytes, key: Secret) -> dict[str, str]:
        return {"x-triaged-signature": signature(body, key.reveal().encode())}

    def hook_body(self, ticket: TicketId) -> bytes:
        moment = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps({"ticket": ticket, "time": moment, "note": "\u00fc"}).encode()

    def later(self) -> None:
        self.clock.sleep(1.1 if REAL else 1)

    def settle(self) -> None:
        """RT tells of a change at once."""

    def pages_of(self, size: int) -> None:
        self.adapter.page_size = size


class RtSandboxPeople(RtPeople):
    """The same people before a sandbox."""

    def __init__(
        self, sandbox: RtSandbox, clock: RealClock | HandClock, tags_field: str | None = TAGS_FIELD
    ) -> None:
        self.sandbox = sandbox
        tokens = {name: user.token for name, user in sandbox.state.users.items()}
        super().__init__(sandbox.url, tokens, clock, tags_field=tags_field)

    def break_next(self, match: str, **fault: Any) -> None:
        self.sandbox.break_next(Fault(match=match, **fault))

    def calls(self, start: str = "") -> int:
        counted = self.sandbox.desk.mishaps.calls
        return sum(number for call, number in counted.items() if call.startswith(start))


def real_people(
    environment: Mapping[str, str] = os.environ, tags_field: str | None = TAGS_FIELD
) -> RtPeople:
    told = {name.removeprefix(PREFIX): value for name, value in environment.items()}
    roles = {"triage": "TOKEN", "root": "ADMIN_TOKEN", "rita": "REQUESTER_TOKEN"}
    tokens = {who: Secret(told[name]) for who, name in roles.items()}
    return RtPeople(
        told["URL"],
        tokens,
        RealClock(),
        account=told["ACCOUNT"],
        queue=told["QUEUE"],
        tags_field=tags_field,
    )


def signature(body: bytes, key: bytes) -> str:
    """Sign by the how-to's recipe, written out once more: a shared mistake would not show."""
    return "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def _message(text: str) -> Mapping[str, str]:
    return {"Content": text, "ContentType": "text/plain"}
