"""The people on a desk, as the contract's suite needs them: an abstract driver and a clock."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connector.model import (
    TAGS,
    Agent,
    Aspect,
    Cursor,
    FieldUpdate,
    FieldValue,
    Group,
    Page,
    Secret,
    Ticket,
    TicketId,
    TicketRef,
)
from connector.ports import Adapter

SUBJECT = "Kein VPN – 温度 rises"
TEXT = "Grüße from room 7:\n<b>nothing</b> connects."


class HandClock:
    """A clock that moves when told to, or when somebody sleeps on it."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """Fields of the desk that the suite works on, and two values for each choice."""

    category: str
    categories: tuple[str, str]
    choices: str
    products: tuple[str, str]
    text: str
    priority: str = "priority"
    high: str = "high"
    tags: bool = True
    clears_choices: bool = True
    """Whether a choice, once set, can be taken away again."""


class Desk(ABC):
    """The people on a desk, and the adapter under test."""

    adapter: Adapter
    mapped: Mapped
    secret: Secret
    example = TicketId("4711")
    """An id as the desk gives them; nobody need have it."""
    absent = TicketId("999999999")
    """An id that no ticket has."""

    @abstractmethod
    def arrive(
        self, subject: str, text: str, *, fields: Mapping[str, FieldValue] | None = None
    ) -> TicketId:
        """A requester files a ticket."""

    @abstractmethod
    def reply(self, ticket: TicketId, text: str) -> None:
        """The requester says something more, in a later second."""

    @abstractmethod
    def note(self, ticket: TicketId, text: str) -> None:
        """An agent leaves a message that the requester cannot see."""

    def answer(self, ticket: TicketId, text: str) -> None:
        """An agent writes to the requester."""
        pytest.skip(f"nobody can answer {text!r} on ticket {ticket} of this desk in a test")

    @abstractmethod
    def change(
        self,
        ticket: TicketId,
        *,
        fields: Mapping[str, FieldValue] | None = None,
        tags: Sequence[str] | None = None,
        solve: bool = False,
    ) -> None:
        """An agent changes a ticket, in a later second."""

    @abstractmethod
    def delete(self, ticket: TicketId) -> None:
        """An agent deletes a ticket."""

    @abstractmethod
    def serving(self) -> tuple[Group, Agent]:
        """A group, and somebody who serves in it."""

    @abstractmethod
    def public_messages(self, ticket: TicketId) -> int:
        """How many messages of the ticket its requester can see."""

    def notes(self, ticket: TicketId) -> Sequence[str]:
        """The messages of the ticket that agents alone can see, oldest first."""
        pytest.skip(f"the notes of ticket {ticket} cannot be seen on this desk in a test")

    @abstractmethod
    def sign(self, body: bytes, key: Secret) -> dict[str, str]:
        """Headers of a webhook call that was signed now with a key."""

    @abstractmethod
    def hook_body(self, ticket: TicketId) -> bytes:
        """A webhook's body that names a ticket."""

    @abstractmethod
    def later(self) -> None:
        """Let a second pass: the grain of many a desk's time stamps."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until the desk tells of its newest changes."""

    def pages_of(self, size: int) -> None:
        """Have the desk give pages of this size."""
        pytest.skip(f"this desk's pages cannot be made {size} rows long")


def category(desk: Desk, value: FieldValue) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.CATEGORY, field=desk.mapped.category, value=value)


def tag(value: str, replaces: str | None = None) -> FieldUpdate:
    return FieldUpdate(aspect=Aspect.SENTIMENT, field=TAGS, value=value, replaces=replaces)


def tags(desk: Desk, *values: str) -> list[FieldUpdate]:
    """Give the updates that add tags: none where the desk keeps no tags."""
    return [tag(value) for value in values if desk.mapped.tags]


def read(desk: Desk, ticket: TicketId) -> Ticket:
    (found,) = desk.adapter.fetch([ticket])
    return found


def present(desk: Desk) -> Cursor:
    """Walk the stream to its end and give the cursor."""
    return walk(desk.adapter.changed_since(None))[-1].cursor


def walk(pages: Iterator[Page[TicketRef]]) -> list[Page[TicketRef]]:
    return list(pages)


def told(pages: Sequence[Page[TicketRef]], *of: TicketId) -> list[TicketId]:
    return [ref.id for page in pages for ref in page.items if ref.id in of]
