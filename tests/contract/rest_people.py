"""The people on a desk behind a generic REST API: the practice desk, in either of its dialects."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from people import Desk, HandClock, Mapped

from adapters import rest
from adapters.rest.adapter import RestAdapter
from adapters.rest.sandbox import MODERN, Fault, RestSandbox
from adapters.rest.sandbox.dialects import HOOK_NAME, KEY_NAME, desk_options
from connector.model import Agent, FieldValue, Group, Secret, TicketId
from connector.ports import Surroundings

Json = dict[str, Any]


def changed(options: Any, path: str, value: object) -> Json:
    """Give options with one of them replaced: `changes.order`; `None` takes it away."""
    section, _, rest_of_path = path.partition(".")
    options = dict(options)
    if rest_of_path:
        options[section] = changed(options.get(section, {}), rest_of_path, value)
    elif value is None:
        options.pop(section, None)
    else:
        options[section] = value
    return options


class RestPeople(Desk):
    """People who work through the control calls; triage uses the API."""

    def __init__(
        self, sandbox: RestSandbox, clock: HandClock, changes: Mapping[str, object] | None = None
    ) -> None:
        self.mapped = Mapped(
            category="category",
            categories=("network", "hardware"),
            choices="products",
            products=("laptop", "printer"),
            text="assignee",
        )
        self.sandbox, self.clock, self.secret = sandbox, clock, sandbox.webhook_secret
        self.changes = changes or {}
        self._http = requests.Session()
        self._http.trust_env = False
        self.adapter: RestAdapter = self.connect()
        self.post("staff", {"agents": [{"name": "Bo", "email": "bo@x.example", "group": "Net"}]})

    def desk(self, **changes: object) -> Json:
        """Give the `desk` section, changed by dotted paths with `__` for the dot."""
        options = desk_options(self.sandbox.url, self.sandbox.dialect)
        told = {**self.changes, **{path.replace("__", "."): each for path, each in changes.items()}}
        for path, value in told.items():
            options = changed(options, path, value)
        return options

    def connect(self, key: Secret | None = None, **changes: object) -> Any:
        names = {"webhook_secret": f"secret:{HOOK_NAME}"}
        desk = rest.RestDesk.model_validate({**self.desk(**changes), **names})
        known = {KEY_NAME: key or self.sandbox.key, HOOK_NAME: self.secret}
        return rest.connect(desk, Surroundings(secret=known.__getitem__, clock=self.clock))

    def close(self) -> None:
        self.adapter.__exit__()
        self._http.close()

    def post(self, path: str, body: object) -> Any:
        url = f"{self.sandbox.url}/sandbox/{path}"
        answer = self._http.post(url, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def arrive(
        self, subject: str, text: str, *, fields: Mapping[str, FieldValue] | None = None
    ) -> TicketId:
        told = {"subject": subject, "description": text, "fields": fields or {}}
        return TicketId(self.post("tickets", told)["id"])

    def reply(self, ticket: TicketId, text: str) -> None:
        self.later()
        self.post(f"tickets/{ticket}", {"reply": text})

    def note(self, ticket: TicketId, text: str) -> None:
        self.later()
        self.post(f"tickets/{ticket}", {"note": text})

    def change(
        self,
        ticket: TicketId,
        *,
        fields: Mapping[str, FieldValue] | None = None,
        tags: Sequence[str] | None = None,
        solve: bool = False,
    ) -> None:
        self.later()
        told: Json = {"fields": dict(fields or {})}
        if tags is not None:
            told["tags"] = list(tags)
        if solve:
            told["status"] = "solved"
        self.post(f"tickets/{ticket}", told)

    def delete(self, ticket: TicketId) -> None:
        self.later()
        self.post(f"tickets/{ticket}", {"status": "deleted"})

    def serving(self) -> tuple[Group, Agent]:
        groups = self.sandbox.state.groups
        (number, agent), *_ = self.sandbox.state.agents.items()
        group = Group(id=str(agent["group"]), name=groups[agent["group"]])
        return group, Agent(
            id=str(number), name=agent["name"], email=agent["email"], groups=(group.id,)
        )

    def public_messages(self, ticket: TicketId) -> int:
        return sum(each.public for each in self.sandbox.state.tickets[int(ticket)].messages)

    def sign(self, body: bytes, key: Secret) -> dict[str, str]:
        stamp = str(int(self.clock.now().timestamp()))
        headers = self.sandbox.hooks.proven(body, stamp, key)
        return {name.lower(): value for name, value in headers.items()}

    def hook_body(self, ticket: TicketId) -> bytes:
        body, _ = self.sandbox.hooks.signed(ticket, "17")
        return json.dumps({**json.loads(body), "note": "\u00fc"}).encode()

    def later(self) -> None:
        self.clock.sleep(1)

    def settle(self) -> None:
        """The desk tells of a change at once."""

    def pages_of(self, size: int) -> None:
        self.adapter.page_size = size

    def break_next(self, match: str, **fault: Any) -> None:
        self.sandbox.break_next(Fault(match=match, **fault))

    def calls(self, start: str = "") -> int:
        counted = self.sandbox.desk.mishaps.calls
        return sum(number for call, number in counted.items() if call.startswith(start))


def is_modern(desk: RestPeople) -> bool:
    return desk.sandbox.dialect == MODERN
