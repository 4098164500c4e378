"""What the practice desk holds: tickets, people and groups, in memory, behind one lock."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.practice.stock import CATEGORIES, PRODUCTS, SENTIMENTS, group_names

ACCOUNT = "triage@sandbox.example"
AGENT = "agent@sandbox.example"
"""Whoever a person's change is made by, when it is not the requester."""

EVERYBODY = "Support"
PRIORITIES: Mapping[str, int] = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "sentiment": SENTIMENTS,
    "priority": tuple(PRIORITIES),
    "products": PRODUCTS,
}
FIELDS = ("category", "priority", "sentiment", "assignee", "products")
"""Fields that can be set, by the names of the control calls; `assignee` is a suggestion, text."""


def stamp(moment: datetime) -> str:
    """Write a time as the desk does: UTC with a grain of one second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True, kw_only=True)
class Message:
    """What somebody wrote."""

    id: int
    text: str
    author: str
    public: bool
    written: datetime


@dataclass(slots=True, kw_only=True)
class Filed:
    """A ticket."""

    id: int
    subject: str
    requester: str
    created: datetime
    updated: datetime
    version: int = 1
    status: str = "new"
    group: int = 0
    assignee: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


class DeskState:
    """The desk's rows; every method must be called under `lock`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.page_size_cap = 100
        self.export_delay = 0.0
        """Taken as on every platform, and without effect: this desk withholds nothing."""
        self.tickets: dict[int, Filed] = {}
        self.writes: dict[int, int] = {}
        self.groups: dict[int, str] = {}
        self.agents: dict[int, Mapping[str, Any]] = {}
        self._last = 1000
        self.set_staff((), ())

    def new_id(self) -> int:
        """Give an id that nothing has yet."""
        self._last += 1
        return self._last

    def set_staff(self, groups: Iterable[str], agents: Iterable[Mapping[str, str]]) -> None:
        """Replace groups and agents."""
        wanted = list(agents)
        names = group_names(EVERYBODY, groups, wanted)
        self.groups = {self.new_id(): name for name in names}
        ids = {name: number for number, name in self.groups.items()}
        self.agents = {
            self.new_id(): {
                "name": each["name"],
                "email": each["email"],
                "group": ids[each["group"]],
            }
            for each in wanted
        }

    def group_id(self, name: str) -> int:
        """Find a group by name; raises `KeyError`."""
        return {name: number for number, name in self.groups.items()}[name]

    def agent_id(self, email: str) -> int:
        """Find an agent by address; raises `KeyError`."""
        return {str(each["email"]): number for number, each in self.agents.items()}[email]

    def arrive(self, subject: str, text: str, requester: str) -> Filed:
        """File a ticket now."""
        now = self.now()
        ticket = Filed(
            id=self.new_id(), subject=subject, requester=requester, created=now, updated=now
        )
        self.tickets[ticket.id] = ticket
        self.say(ticket, text, requester)
        return ticket

    def say(self, ticket: Filed, text: str, author: str, *, public: bool = True) -> None:
        """Add a message."""
        message = Message(
            id=self.new_id(), text=text, author=author, public=public, written=self.now()
        )
        ticket.messages.append(message)

    def touch(self, ticket: Filed) -> None:
        """Note that a ticket changed, also when it holds what it held before."""
        ticket.updated = self.now()
        ticket.version += 1

    def wrote(self, ticket: Filed) -> None:
        """Note that the API changed a ticket."""
        self.touch(ticket)
        self.writes[ticket.id] = self.writes.get(ticket.id, 0) + 1

    def set(self, ticket: Filed, name: str, value: Any) -> bool:
        """Set a field to a value that it offers; anything else is passed over in silence."""
        offered = OPTIONS.get(name)
        values = value if isinstance(value, list) else [value]
        known = offered is None or all(each is None or each in offered for each in values)
        if name in FIELDS and known:
            ticket.fields[name] = value
        return name in FIELDS and known
