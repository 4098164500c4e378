"""The words of triage: ticket, prediction, field update; frozen, importing nothing of ours."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, NewType, TypeVar

TenantId = NewType("TenantId", str)
TicketId = NewType("TicketId", str)
Cursor = NewType("Cursor", str)
"""A desk's own position in its stream of changes; opaque, stored and handed back as it came."""

FieldValue = str | int | bool | tuple[str, ...] | None
"""What a desk's field may hold; `None` and the empty string both mean that nothing is set."""

ItemT_co = TypeVar("ItemT_co", covariant=True)

TAGS = "tags"
"""The field name that stands for a ticket's tag set: an update adds its value, others stay."""


class Aspect(StrEnum):
    """A question that triage answers about a ticket."""

    CATEGORY = "category"
    PRIORITY = "priority"
    SENTIMENT = "sentiment"
    ASSIGNEE = "assignee"


class Mode(StrEnum):
    """How far an aspect may go: not at all, recorded only, suggested as a tag, written."""

    OFF = "off"
    SHADOW = "shadow"
    SUGGEST = "suggest"
    AUTO = "auto"


Need = tuple[Aspect, str, str]
"""A class of an aspect, and the desk's option for it; without a class, the aspect's field."""


class Status(StrEnum):
    """Where a ticket stands, as far as triage cares."""

    OPEN = "open"
    RESOLVED = "resolved"
    DELETED = "deleted"


class FieldKind(StrEnum):
    """What a desk's field takes."""

    TEXT = "text"
    CHOICE = "choice"
    CHOICES = "choices"
    NUMBER = "number"
    FLAG = "flag"
    AGENT = "agent"
    TAGS = "tags"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket as its desk showed it at one moment; `revision` makes a later write conditional.

    `description` is the first message as filed and may hold HTML; `last_message` is the
    requester's newest later message, empty when there is none. `organisation` is the requester's,
    by its id; `answered` tells that an agent's message to them was seen. `fields` holds the present
    values of every field that a tenant may map, keyed by the ids that `describe_fields` gives.
    Times are aware, UTC.
    """

    id: TicketId
    subject: str
    description: str
    status: Status
    revision: str
    created_at: datetime
    updated_at: datetime
    last_message: str = ""
    last_message_id: str = ""
    requester: str = ""
    organisation: str = ""
    group: str = ""
    assignee: str = ""
    fields: Mapping[str, FieldValue] = field(default_factory=lambda: MappingProxyType({}))
    tags: frozenset[str] = frozenset()
    url: str = ""
    answered: bool = False

    @property
    def content_hash(self) -> str:
        """Changes exactly when a requester said something new: 32 hex digits of SHA-256.

        Our own write, an agent's note or a status change leave it alone, and with it the guard
        against classifying a ticket twice.
        """
        told = f"{self.subject}\x00{self.description}\x00{self.last_message_id}"
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """A ticket's id and the version in which a desk reported it: all that intake needs."""

    id: TicketId
    version: str
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[ItemT_co]):
    """A piece of a desk's stream and the cursor to store once its items are durable.

    `last` says that the stream holds no more for now; a page may be empty without being last.
    `share` tells how much of a walk through the past lies behind, 0..1; `None` where the desk does
    not let one tell.
    """

    items: tuple[ItemT_co, ...]
    cursor: Cursor
    last: bool
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook call whose signature was right: which tickets to look at.

    `id` is the same over a platform's own retries and different otherwise; `sent_at` is the
    signed time of the attempt, `None` where the platform signs no time.
    """

    id: str
    tickets: tuple[TicketId, ...]
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldInfo:
    """A field of a desk: its id, title, kind, and the values that it accepts (none: any)."""

    id: str
    title: str
    kind: FieldKind
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A person who works tickets; `groups` holds the ids of the groups that they serve in."""

    id: str
    name: str
    email: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An assignment group."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Everybody whom a ticket can be given to."""

    groups: tuple[Group, ...] = ()
    agents: tuple[Agent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a desk says we are; `warnings` name rights that are missing or settings that may bite."""

    account: str
    name: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A classifier's answer for one aspect; `label` is `None` when it would rather not say.

    `confidence` is a calibrated probability in 0..1, given for the best label also when
    abstaining. `promised` is the precision that held-out tickets let one promise, with 95 %
    confidence, for answers of this label that are at least as sure; `None` where the model was not
    measured on tickets like these. `ranking` lists (label, probability), best first. `display` is
    the label as a person reads it (an agent's name for the id in `label`). `reason` is one sentence
    for agents. `rules` names the tenant's rules that changed the answer, and `said` is the label
    that the model had given; with `is_ordered` a rule gives it whatever the model's certainty.
    """

    aspect: Aspect
    label: str | None
    confidence: float
    promised: float | None = None
    ranking: tuple[tuple[str, float], ...] = ()
    display: str = ""
    reason: str = ""
    said: str | None = None
    rules: tuple[str, ...] = ()
    is_ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that one encoder pass told about a text.

    `vector` is the text's position in the encoder's space: little-endian fp16, unit length,
    empty when the text was; it allows similarity and retraining without keeping text.
    `language` is ISO 639-1, empty when unsure.
    """

    predictions: tuple[Prediction, ...]
    vector: bytes = b""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUpdate:
    """A value to set on a ticket, and the value that was seen there and is replaced by it.

    For `TAGS`, `value` is the one tag to add and `replaces` an own earlier tag to take away.
    """

    aspect: Aspect
    field: str
    value: FieldValue
    replaces: FieldValue = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A resolved ticket without its text: what it was like, and who had it in the end."""

    ticket: TicketId
    group: str
    assignee: str
    vector: bytes
    updated_at: float = 0.0
    """Its last change, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A resolved ticket, and from when to when it was open, in seconds since 1970."""

    case: Case
    opened_at: float
    resolved_at: float
    group: str = ""
    """The group that it was in already when somebody was to be suggested."""
    known_by: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What a look-up could go by: the names of fields, or of several together, and the values."""


class Action(StrEnum):
    """What was decided for an aspect of a ticket."""

    WRITE = "write"
    SUGGEST = "suggest"
    RECORD = "record"
    """In shadow mode: kept in the ledger, not shown on the desk."""
    ABSTAIN = "abstain"
    EQUAL = "equal"
    """The desk already holds the value."""
    PERSON = "person"
    """A person set, changed or removed the value, and it stays that way."""
    UNDO = "undo"
    """What we had written was taken back at an administrator's word, and is not set again."""
    NO_OPTION = "no_option"
    """The desk's field does not know the value; options are never invented."""
    HOLDOUT = "holdout"
    """Would have been set, and is left to people, who show how right it would have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A prediction, what was decided about it, and why, in one sentence for agents.

    `slot` names the place that the aspect may fill: a field's id, or `tags:ASPECT`. `update` is
    there exactly when something is to be set on the desk.
    """

    prediction: Prediction
    action: Action
    slot: str
    reason: str
    update: FieldUpdate | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential that no log, repr or traceback shows; `reveal` gives the text."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """Give the secret's text, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__
