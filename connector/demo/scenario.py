"""The tickets that arrive in the demonstration, and the resolved ones that came before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTicket:
    """A ticket with the labels that its writer gave it; `preset` is what a person already set."""

    id: str
    subject: str
    body: str
    requester: str
    by_webhook: bool
    labels: Mapping[str, str]
    preset: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that the demonstration lets happen; `agents` and `history` are as in the YAML files."""

    tickets: Sequence[DemoTicket]
    agents: Sequence[Mapping[str, str]]
    history: Sequence[Mapping[str, str]]

    @property
    def groups(self) -> Sequence[str]:
        """List the groups that the agents serve in."""
        return sorted({agent["group"] for agent in self.agents})


def load() -> Scenario:
    """Read the scenario that comes with triaged."""
    history = _read("history.yaml")
    return Scenario(
        tickets=[_ticket(ticket) for ticket in _read("tickets.yaml")],
        agents=history["agents"],
        history=history["tickets"],
    )


def _read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((_HERE / name).read_text(encoding="utf-8"))


def _ticket(entry: Mapping[str, Any]) -> DemoTicket:
    return DemoTicket(
        id=entry["id"],
        subject=entry["subject"],
        body=entry["body"],
        requester=entry["requester"],
        by_webhook=entry["channel"] == "webhook",
        labels={aspect: entry[aspect] for aspect in ("category", "priority", "sentiment")},
        preset=entry.get("preset", {}),
    )
