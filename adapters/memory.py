"""A desk that lives in memory: the smallest true adapter, for tests and for trying out the core."""

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType
from typing import Literal, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from adapters import proof, strictjson
from connector.errors import Conflict, Forged, Gone, Rejected, TriagedError, Unreadable
from connector.model import (
    TAGS,
    Cursor,
    Delivery,
    FieldInfo,
    FieldKind,
    FieldUpdate,
    FieldValue,
    Identity,
    Page,
    Secret,
    Staff,
    Status,
    Ticket,
    TicketId,
    TicketRef,
)
from connector.ports import Adapter, Clock, Platform, SecretName, Surroundings

SIGNATURE, TIMESTAMP, DELIVERY = "x-memory-signature", "x-memory-timestamp", "x-memory-delivery"

CATEGORIES = ("hardware", "software", "network", "security", "account", "service_request")
SENTIMENTS = ("negative", "neutral", "positive")
PRIORITIES = ("low", "normal", "high", "urgent")
PRODUCTS = ("laptop", "telephone", "printer", "server")

FIELDS = (
    FieldInfo(id="priority", title="Priority", kind=FieldKind.CHOICE, options=PRIORITIES),
    FieldInfo(id="group", title="Group", kind=FieldKind.TEXT),
    FieldInfo(id="assignee", title="Assignee", kind=FieldKind.AGENT),
    FieldInfo(id=TAGS, title="Tags", kind=FieldKind.TAGS),
    FieldInfo(id="category", title="Category", kind=FieldKind.CHOICE, options=CATEGORIES),
    FieldInfo(id="sentiment", title="Sentiment", kind=FieldKind.CHOICE, options=SENTIMENTS),
    FieldInfo(id="suggested", title="Suggested assignee", kind=FieldKind.TEXT),
    FieldInfo(id="products", title="Products", kind=FieldKind.CHOICES, options=PRODUCTS),
)
"""What a memory desk's tickets carry, unless it is made with other fields."""

PAGE = 100
"""Rows per page: small enough that a thousand tickets make a stream worth the name."""


class MemoryDesk(BaseModel):
    """The options of a memory desk: none but the secret of its webhook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform: Literal["memory"]
    webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the webhook's signing secret; taken from intake.webhook.secret.",
    )
    previous_webhook_secret: SecretName | None = Field(
        default=None,
        description="Name of the secret before; taken from intake.webhook.previous_secret.",
    )


class MemoryAdapter:
    """A desk and its adapter in one object; threads may share it.

    The upper half are the methods of every adapter. The lower half is what people do on a desk:
    `arrive`, `reply`, `change`, `delete`, and `call_webhook` for the signed call that tells of it.
    A write is conditional on the ticket's revision, a number that every change moves.
    """

    def __init__(
        self,
        clock: Clock,
        webhook_secret: Secret | None = None,
        *,
        previous_secret: Secret | None = None,
        fields: Sequence[FieldInfo] = FIELDS,
        staff: Staff | None = None,
        page_size: int = PAGE,
    ) -> None:
        self._clock = clock
        self._hooks = [key for key in (webhook_secret, previous_secret) if key is not None]
        self._fields = {field.id: field for field in fields}
        self._staff = staff or Staff()
        self._page_size = page_size
        self._lock = threading.RLock()
        self._tickets: dict[TicketId, Ticket] = {}
        self._places: dict[TicketId, int] = {}
        self._changes = count(1)
        self._latest = 0
        self._failures: list[TriagedError] = []
        self._writes: dict[TicketId, int] = {}
        self._notes: dict[TicketId, list[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing is held open: the desk outlives the connection."""

    def check(self) -> Identity:
        """Tell who we are."""
        self._reach()
        return Identity(account="memory", name="Triage")

    def describe_fields(self) -> Sequence[FieldInfo]:
        """List the fields that the desk was made with."""
        self._reach()
        return tuple(self._fields.values())

    def staff(self) -> Staff:
        """List groups and agents."""
        self._reach()
        return self._staff

    def changed_since(self, cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        """Yield changes in their order; a ticket stands at the place of its latest one."""
        place = self._latest if cursor is None else int(cursor)
        last = False
        while not last:
            self._reach()
            tickets, place, last = self._after(place)
            items = tuple(
                TicketRef(id=each.id, version=each.revision, deleted=_is_deleted(each))
                for each in tickets
            )
            yield Page(items=items, cursor=Cursor(str(place)), last=last)

    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        """Yield resolved tickets, without the messages that came after the first."""
        for tickets, place, last in self._past(Status.RESOLVED, since, cursor):
            items = tuple(replace(each, last_message="", last_message_id="") for each in tickets)
            share = place / self._latest if self._latest else None
            yield Page(items=items, cursor=Cursor(str(place)), last=last, share=share)

    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        """Yield open tickets in the order of their latest change."""
        for tickets, place, last in self._past(Status.OPEN, since, cursor):
            items = tuple(TicketRef(id=each.id, version=each.revision) for each in tickets)
            share = place / self._latest if self._latest else None
            yield Page(items=items, cursor=Cursor(str(place)), last=last, share=share)

    def _past(
        self, status: Status, since: datetime, cursor: Cursor | None
    ) -> Iterator[tuple[list[Ticket], int, bool]]:
        if cursor is not None and not cursor.isdecimal():
            raise Rejected("the stored position is none of this desk")
        place, last = int(cursor or 0), False
        while not last:
            self._reach()
            tickets, place, last = self._after(place)
            wanted = [each for each in tickets if each.status is status]
            yield [each for each in wanted if each.updated_at >= since], place, last

    def _after(self, place: int) -> tuple[list[Ticket], int, bool]:
        with self._lock:
            later = sorted((at, each) for each, at in self._places.items() if at > place)
            page = later[: self._page_size]
            tickets = [self._tickets[each] for _, each in page]
            return tickets, page[-1][0] if page else place, len(later) <= self._page_size

    def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
        """Read tickets as they are now."""
        self._reach()
        with self._lock:
            found = (self._tickets.get(each) for each in ids)
            return [each for each in found if each is not None and not _is_deleted(each)]

    def write(self, ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Set what differs, all or nothing, if the ticket is still at its revision."""
        self._reach()
        with self._lock:
            present = self.read(ticket.id)
            if present.revision != ticket.revision:
                raise Conflict(f"ticket {ticket.id} has changed since it was read")
            after = present
            for update in updates:
                after = self._updated(after, update)
            if after == present:
                return present
            self._writes[ticket.id] = self.writes(ticket.id) + 1
            return self._store(after)

    def _updated(self, ticket: Ticket, update: FieldUpdate) -> Ticket:
        field = self._fields.get(update.field)
        if field is None:
            raise Rejected(f"field {update.field!r} is no field of this desk")
        if field.kind is FieldKind.TAGS:
            gone, new = ({str(tag)} if tag else set() for tag in (update.replaces, update.value))
            return _with_tags(ticket, ticket.tags - gone | new)
        if update.value and field.options and not set(_listed(update.value)) <= set(field.options):
            raise Rejected(f"field {update.field!r} does not offer that value")
        return _with_fields(ticket, {update.field: update.value})

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Verify hex(HMAC-SHA256(secret, timestamp then body)), then read `{"ticket": id}`."""
        timestamp = headers.get(TIMESTAMP, "")
        given = headers.get(SIGNATURE, "")
        proof.require(given, lambda key: _signed(key, timestamp, body), self._hooks)
        try:
            sent_at = datetime.fromisoformat(timestamp).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Forged("the webhook's timestamp is not ISO 8601") from None
        ticket = TicketId(_ticket_in(body))
        return Delivery(id=headers.get(DELIVERY, ""), tickets=(ticket,), sent_at=sent_at)

    def leave_note(self, ticket: Ticket, text: str) -> None:
        """Add a note that only agents see; raises `Gone`."""
        self._reach()
        with self._lock:
            self._store(self.read(ticket.id))
            self._notes.setdefault(ticket.id, []).append(text)

    def link(self, ticket: TicketId) -> str:
        """Give a ticket's address."""
        return f"memory:{ticket}"

    def notes(self, ticket_id: TicketId) -> Sequence[str]:
        """Give the notes that were left on a ticket, oldest first."""
        with self._lock:
            return tuple(self._notes.get(ticket_id, ()))

    def arrive(
        self,
        subject: str,
        description: str,
        *,
        requester: str = "",
        fields: Mapping[str, FieldValue] = MappingProxyType({}),
        tags: Iterable[str] = (),
    ) -> TicketId:
        """File a new ticket and give its id."""
        with self._lock:
            now = self._clock.now()
            ticket_id = TicketId(str(len(self._tickets) + 1))
            blank: dict[str, FieldValue] = dict.fromkeys(self._fields)
            ticket = Ticket(
                id=ticket_id,
                subject=subject,
                description=description,
                status=Status.OPEN,
                revision="",
                created_at=now,
                updated_at=now,
                requester=requester,
                fields=MappingProxyType({**blank, **fields}),
                url=self.link(ticket_id),
            )
            self._store(_with_tags(ticket, frozenset(tags)))
            return ticket_id

    def reply(self, ticket_id: TicketId, text: str) -> None:
        """Have the requester say something more."""
        with self._lock:
            ticket = self.read(ticket_id)
            said = f"{ticket_id}.{next(self._changes)}"
            self._store(replace(ticket, last_message=text, last_message_id=said))

    def answer(self, ticket_id: TicketId) -> None:
        """Have an agent write to the requester."""
        with self._lock:
            self._store(replace(self.read(ticket_id), answered=True))

    def change(
        self,
        ticket_id: TicketId,
        *,
        fields: Mapping[str, FieldValue] = MappingProxyType({}),
        tags: Iterable[str] | None = None,
        status: Status | None = None,
    ) -> None:
        """Have an agent change a ticket; `tags` replaces all."""
        with self._lock:
            ticket = _with_fields(self.read(ticket_id), fields)
            if tags is not None:
                ticket = _with_tags(ticket, frozenset(tags))
            self._store(replace(ticket, status=status or ticket.status))

    def delete(self, ticket_id: TicketId) -> None:
        """Have an agent delete a ticket."""
        self.change(ticket_id, status=Status.DELETED)

    def read(self, ticket_id: TicketId) -> Ticket:
        """Give a ticket as a person sees it; raises `Gone`."""
        with self._lock:
            ticket = self._tickets.get(ticket_id)
        if ticket is None or _is_deleted(ticket):
            raise Gone(f"ticket {ticket_id}")
        return ticket

    def writes(self, ticket_id: TicketId) -> int:
        """Tell how often `write` changed a ticket."""
        with self._lock:
            return self._writes.get(ticket_id, 0)

    def employ(self, staff: Staff) -> None:
        """Replace the staff."""
        self._staff = staff

    def fail_next(self, *errors: TriagedError) -> None:
        """Raise these, one each, from the next calls that reach for the desk."""
        with self._lock:
            self._failures.extend(errors)

    def call_webhook(self, ticket_id: TicketId, secret: Secret) -> tuple[bytes, dict[str, str]]:
        """Give body and headers of the signed call that tells of a ticket now."""
        body = json.dumps({"ticket": ticket_id}).encode()
        return body, self.sign(body, secret)

    def sign(self, body: bytes, secret: Secret) -> dict[str, str]:
        """Give the headers of a webhook call with this body, signed now."""
        timestamp = self._clock.now().isoformat()
        signature = _signed(secret, timestamp, body)
        return {TIMESTAMP: timestamp, SIGNATURE: signature, DELIVERY: uuid4().hex}

    def _store(self, ticket: Ticket) -> Ticket:
        self._latest = next(self._changes)
        stored = replace(ticket, revision=str(self._latest), updated_at=self._clock.now())
        self._tickets[ticket.id] = stored
        self._places[ticket.id] = self._latest
        return stored

    def _reach(self) -> None:
        with self._lock:
            failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure


def _is_deleted(ticket: Ticket) -> bool:
    return ticket.status is Status.DELETED


def _listed(value: FieldValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _with_fields(ticket: Ticket, fields: Mapping[str, FieldValue]) -> Ticket:
    values = {**ticket.fields, **{name: _kept(value) for name, value in fields.items()}}
    return replace(
        ticket,
        fields=MappingProxyType(values),
        group=str(values.get("group") or ""),
        assignee=str(values.get("assignee") or ""),
    )


def _kept(value: FieldValue) -> FieldValue:
    if isinstance(value, tuple):
        return tuple(sorted(value)) or None
    return None if value == "" else value


def _with_tags(ticket: Ticket, tags: frozenset[str]) -> Ticket:
    shown = MappingProxyType({**ticket.fields, TAGS: tuple(sorted(tags))})
    return replace(ticket, tags=tags, fields=shown)


def _signed(secret: Secret, timestamp: str, body: bytes) -> str:
    message = timestamp.encode("utf-8", "surrogatepass") + body
    return hmac.new(secret.reveal().encode(), message, hashlib.sha256).hexdigest()


def _ticket_in(body: bytes) -> str:
    told = strictjson.read(body)
    ticket = told.get("ticket") if isinstance(told, dict) else None
    if not re.fullmatch(r"[0-9]{1,20}", str(ticket)):
        raise Unreadable('the webhook\'s body has no "ticket"')
    return str(ticket)


def connect(options: MemoryDesk, surroundings: Surroundings) -> Adapter:
    """Make a new, empty desk; use `MemoryAdapter` itself where people shall work on it."""
    names = (options.webhook_secret, options.previous_webhook_secret)
    now, before = (surroundings.secret(name) if name else None for name in names)
    return MemoryAdapter(surroundings.clock, now, previous_secret=before)


platform: Platform = Platform(name="memory", options=MemoryDesk, connect=connect)
