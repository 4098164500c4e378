"""What `triaged check --online` may ask of a desk's own settings: small powers of an adapter."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from connector.model import TenantId


class Level(StrEnum):
    """How much something matters."""

    OK = "ok"
    NOTE = "note"
    """It could not be looked at, or is only good to know."""
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that was looked at, with the remedy where one is needed."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """A rule of the desk that may act on what triage writes: its kind, name, and what it may do."""

    kind: str
    name: str
    risk: str


@runtime_checkable
class CanBeInspected(Protocol):
    """The power of an adapter to have its desk's settings looked at."""

    def inspection(self) -> object:
        """Give an object with any of the powers below; nothing is sent to the desk yet."""


@runtime_checkable
class ShowsClock(Protocol):
    """The power to tell the desk's time."""

    def clock_skew(self) -> float | None:
        """Give the seconds that the desk's clock is ahead of ours, by its last answer.

        `None` when no answer told.
        """


@runtime_checkable
class ListsAutomations(Protocol):
    """The power to tell which rules of the desk act on changes."""

    def automations(self, fields: Collection[str]) -> Sequence[Automation]:
        """List those that may mail people, or set what triage sets in these fields too.

        Raises `Rejected` when the account may not read them.
        """


@runtime_checkable
class ChecksWebhook(Protocol):
    """The power to tell how the desk would call us, as the desk sees it."""

    def webhook(self, tenant: TenantId) -> Iterator[Remark]:
        """Tell whether a webhook is set up, switched on, signed with our secret and heard."""


@runtime_checkable
class AddsOptions(Protocol):
    """The power to add options to a drop-down field."""

    def add_options(self, field: str, options: Sequence[str]) -> None:
        """Add these, and leave those that are there; raises `Rejected` without the right."""
