"""Lets the scenario happen on practice desks under a real daemon, and reads the fields back."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from time import sleep
from typing import Any, Self

from ruamel.yaml import YAML

from connector.demo.processes import Child, DemoFailed, PracticeDesk
from connector.demo.scenario import DemoTicket, Scenario

PAUSE = 0.1
"""Seconds between two tickets: a desk on a bad day, and still readable as it goes by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A demo ticket on its desk; `name` is what people call it there."""

    ticket: DemoTicket
    tenant: str
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a tenant's answers to an aspect go: the field, and what it holds for each label."""

    field: str
    values: Mapping[str, str]
    empty: frozenset[str]

    def value(self, label: str) -> str:
        """Give what the desk holds for a label."""
        return self.values.get(label, label)

    def chosen(self, value: str | None) -> str | None:
        """Give a value that somebody chose; nothing for one that the desk fills in by itself."""
        return None if not value or value in self.empty else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the daemon said of an arrival, by its log."""

    arrival: Arrival
    language: str
    milliseconds: int
    source: str
    verdicts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What stands on a desk for an answer: `wrong` names every field that is not as it should."""

    answer: Answer
    written: int
    wrong: tuple[str, ...]


class Stage:
    """Desks and daemon, up and acquainted; a context manager that ends them in good order."""

    def __init__(self, scenario: Scenario, platforms: Sequence[str], folder: Path) -> None:
        self._scenario = scenario
        self._platforms = platforms
        self._folder = folder
        self._resources = ExitStack()
        self._desks: dict[str, PracticeDesk] = {}
        self._slots: dict[str, Mapping[str, Slot]] = {}
        self._arrived: dict[tuple[str, str], Arrival] = {}
        self._feeding = True
        self._news = Condition()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            self._set_up(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    @property
    def tickets(self) -> Mapping[str, str]:
        """Give, for each tenant, the address where its desk shows one of the tickets."""
        return {
            tenant: f"{self._desks[tenant].url}/sandbox/tickets/{identity}"
            for tenant, identity in self._arrived
        }

    @property
    def config(self) -> Path:
        """Give the daemon's configuration file."""
        return self._folder / "triaged.yaml"

    @property
    def daemon(self) -> Child:
        """Give the daemon's process."""
        return self._daemon

    def answers(self) -> Iterator[Answer]:
        """Let every ticket arrive, and yield each one's answer as the daemon logs it."""
        feeder = Thread(target=self._feed, name="feeds", daemon=True)
        feeder.start()
        left = len(self._scenario.tickets)
        for event in self._daemon.events():
            if event["event"] == "ticket_triaged" and (arrival := self._arrival(event)):
                left -= 1
                yield Answer(
                    arrival=arrival,
                    language=event["language"],
                    milliseconds=event["milliseconds"],
                    source=event["source"],
                    verdicts={verdict["aspect"]: verdict for verdict in event["verdicts"]},
                )
            if not left:
                return

    def prove(self, answer: Answer) -> Proof:
        """Read the ticket back from its desk and compare every field with what was decided."""
        arrival = answer.arrival
        seen = self._desks[arrival.tenant].get(f"tickets/{arrival.id}")
        wrong, written = [], 0
        for aspect, verdict in answer.verdicts.items():
            slot = self._slots[arrival.tenant][aspect]
            stands = slot.chosen(seen["fields"].get(slot.field))
            expected = slot.value(verdict["value"]) if verdict["action"] == "write" else None
            if aspect in arrival.ticket.preset:
                expected = slot.value(arrival.ticket.preset[aspect])
            written += verdict["action"] == "write"
            if stands != expected:
                wrong.append(f"{aspect} is {stands!r}, not {expected!r}")
        if seen["public_messages"] > 1:  # the first one is the requester's own
            wrong.append("the requester was written to")
        return Proof(answer=answer, written=written, wrong=tuple(wrong))

    def _feed(self) -> None:
        try:
            tenants = sorted(self._desks)
            for number, ticket in enumerate(self._scenario.tickets):
                self._arrive(ticket, tenants[number % len(tenants)])
                sleep(PAUSE)
        finally:
            with self._news:
                self._feeding = False
                self._news.notify_all()

    def _arrive(self, ticket: DemoTicket, tenant: str) -> None:
        slots = self._slots[tenant]
        content = {
            "subject": ticket.subject,
            "description": ticket.body,
            "requester": ticket.requester,
            "hook": ticket.by_webhook,
            "fields": {
                slots[aspect].field: slots[aspect].value(label)
                for aspect, label in ticket.preset.items()
            },
        }
        filed = self._desks[tenant].post("tickets", content)
        identity = str(filed["id"])
        with self._news:
            name = str(filed.get("number", identity))
            arrival = Arrival(ticket=ticket, tenant=tenant, id=identity, name=name)
            self._arrived[tenant, identity] = arrival
            self._news.notify_all()

    def _arrival(self, event: Mapping[str, Any]) -> Arrival | None:
        """Find the arrival of an event, which may be logged before the desk has told us its id."""
        key = (event["tenant"], event["ticket"])
        with self._news:
            self._news.wait_for(lambda: key in self._arrived or not self._feeding)
            return self._arrived.get(key)

    def _set_up(self, resources: ExitStack) -> None:
        secrets = self._folder / "secrets"
        tenants = self._folder / "tenants"
        for folder in (secrets, tenants):
            folder.mkdir(mode=0o700)
        port = _free_port()
        for platform in self._platforms:
            desk = resources.enter_context(PracticeDesk(platform, self._folder))
            settings = self._furnish(desk, platform, port)
            for name, value in settings.pop("secrets").items():
                (secrets / name).write_text(value, encoding="utf-8")
            _write_yaml(tenants / f"{platform}.yaml", settings)
        _write_yaml(self.config, {"state": "state", "web": {"listen": f"127.0.0.1:{port}"}})
        self._daemon = resources.enter_context(
            Child(
                *("run", "--config", str(self.config), "--log-format", "json"),
                log=self._folder / "triaged.log",
                environment={"CREDENTIALS_DIRECTORY": str(secrets)},
            )
        )
        self._await_daemon()

    def _furnish(self, desk: PracticeDesk, tenant: str, port: int) -> dict[str, Any]:
        """Give a desk people, a past and our webhook; give the settings of its tenant file."""
        desk.post("settings", {"export_delay": 0})
        desk.post("staff", {"groups": self._scenario.groups, "agents": self._scenario.agents})
        emails = {agent["name"]: agent["email"] for agent in self._scenario.agents}
        for solved in self._scenario.history:
            content = {"subject": solved["subject"], "description": solved["body"]}
            assigned = {"group": solved["group"], "assignee": emails[solved["agent"]]}
            past = {"requester": "Past Requester", "hook": False, "status": "solved"}
            desk.post("tickets", {**content, **assigned, **past})
        settings: dict[str, Any] = desk.get("tenant")
        hook = desk.post("webhook", {"url": f"http://127.0.0.1:{port}/hooks/{tenant}"})
        name = settings["intake"]["webhook"]["secret"].removeprefix("secret:")
        self._desks[tenant] = desk
        self._slots[tenant] = {
            aspect: Slot(
                field=chosen["field"],
                values=chosen.get("values", {}),
                empty=frozenset(chosen.get("treat_as_empty", ())),
            )
            for aspect, chosen in settings["aspects"].items()
        }
        secrets = {**settings["secrets"], name: hook["secret"]}
        return {**settings, "tenant": tenant, "secrets": secrets}

    def _await_daemon(self) -> None:
        connected: set[str] = set()
        for event in self._daemon.events():
            if event["event"] == "tenant_connected":
                connected.add(event["tenant"])
            elif event["event"] == "tenant_paused":
                raise DemoFailed(f"{event['tenant']}: {event['error']}")
            if connected == set(self._desks):
                return


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(dict(content), file)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
