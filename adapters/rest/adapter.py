"""A desk behind any REST API: the adapter protocol over calls that its options describe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from adapters.answers import paged_safely, read_safely
from adapters.inspection import ClockInspection
from adapters.rest import changes, mapping, newest, past, writing
from adapters.rest.client import RestClient, text_of
from adapters.rest.config import MessagesOptions, RestDesk
from adapters.rest.mapping import Json, Said
from adapters.rest.pointer import ABSENT, follow
from adapters.rest.webhook import read_delivery
from connector.errors import ConfigError, Conflict, Gone, Rejected, Unauthorized
from connector.model import (
    Cursor,
    Delivery,
    FieldInfo,
    FieldUpdate,
    Identity,
    Page,
    Secret,
    Staff,
    Status,
    Ticket,
    TicketId,
    TicketRef,
)
from connector.ports import Clock


class _Messages(NamedTuple):
    """The list of a ticket's messages, as the client asks for it."""

    path: str
    items: str
    query: Mapping[str, str]


class RestAdapter:
    """One desk; see `adapters/rest/README.md` for what an API must have, and the limits."""

    def __init__(
        self, options: RestDesk, key: Secret, hooks: Sequence[Secret], clock: Clock
    ) -> None:
        self._options = options
        self._hooks = hooks
        self._clock = clock
        self._client = RestClient(options, key, clock)
        self._known: Mapping[str, FieldInfo] = {}

    @property
    def page_size(self) -> int:
        """Rows that are asked for at a time."""
        return self._client.page_size

    @page_size.setter
    def page_size(self, rows: int) -> None:
        self._client.page_size = rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    @read_safely
    def check(self) -> Identity:
        """Hold who the desk says that we are against who we should be, and try the pointers.

        Raises `Unauthorized` where the desk takes us for somebody else or for nobody, and
        `ConfigError` with every pointer that leads nowhere in a ticket.
        """
        told, account = self._options.identity, self._options.account
        answer = self._client.identity()
        found = text_of(follow(answer, told.account))
        if found != account:
            known = "for somebody else" if found else f"for nobody: nothing is at {told.account!r}"
            raise Unauthorized(
                f"{told.path}: the desk takes us {known}, not for {account!r} (desk.account)"
            )
        rows = self._client.page(self._options.tickets, {}, self._client.first).rows
        if rows:
            self._try_pointers(rows[0])
        name = "" if told.name is None else text_of(follow(answer, told.name))
        return Identity(
            account=account, name=name or account, warnings=() if rows else (self._blind(),)
        )

    def _blind(self) -> str:
        return (
            f"{self._options.tickets.path} shows no ticket: if there are some, the account may not "
            "see them, or desk.tickets leads elsewhere"
        )

    def _try_pointers(self, row: Any) -> None:
        """Read the first ticket of the list, in the list and alone."""
        ticket_id = mapping.id_of(row, self._options)
        try:
            alone, _ = self._client.ticket(ticket_id)
        except Gone:
            raise ConfigError(
                f"desk.ticket.path: ticket {ticket_id}, which the list shows, is not found there"
            ) from None
        needed = ("id", "subject", "body", "created", "updated", "status", "requester", "revision")
        in_list = {"id", "status", *(("updated",) if self._options.ticket.updated else ())}
        problems = [
            f"desk.ticket.{name}: {pointer!r} leads nowhere in {place} (ticket {ticket_id})"
            for place, raw, names in (("the list", row, in_list), ("a ticket", alone, set(needed)))
            for name in needed
            if name in names and (pointer := getattr(self._options.ticket, name)) is not None
            if follow(raw, pointer) is ABSENT
        ]
        if problems:
            raise ConfigError(problems)

    def inspection(self) -> ClockInspection:
        """Give what can be asked of this desk: its time alone."""
        return ClockInspection(self._client.session)

    @read_safely
    def describe_fields(self) -> Sequence[FieldInfo]:
        """List the fields of the options; of those whose values the desk lists, ask for these."""
        self._known = self._describe()
        return tuple(self._known.values())

    def _describe(self) -> Mapping[str, FieldInfo]:
        listed = {
            name: tuple(
                text_of(follow(row, field.choices.value))
                for row in self._client.rows(field.choices)
            )
            for name, field in self._options.fields.items()
            if field.choices is not None
        }
        return {info.id: info for info in mapping.field_infos(self._options, listed)}

    def _fields(self) -> Mapping[str, FieldInfo]:
        if not self._known:
            self._known = self._describe()
        return self._known

    @read_safely
    def staff(self) -> Staff:
        """List groups and agents, where the options say how; nobody otherwise."""
        told = self._options.staff
        if told is None:
            return Staff()
        return mapping.staff_from(
            told, self._client.rows(told.groups), self._client.rows(told.agents)
        )

    @paged_safely
    def changed_since(self, cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        """Yield what changed after `cursor`, or what is new, as `changes.by` says."""
        if self._options.changes.by == "updated":
            position = changes.Position.read(cursor) if cursor else self._present()
            yield from changes.told_since(self._client, self._options, position)
        elif cursor is None:
            place = newest.present(self._client, self._options)
            yield Page(items=(), cursor=place.cursor(), last=True)
        else:
            place = newest.Place.read(cursor)
            yield from newest.told_since(self._client, self._options, place)

    def _present(self) -> changes.Position:
        page = self._client.page(self._options.tickets, {}, self._client.first)
        return changes.present(self._clock.now(), page.desk_time)

    @paged_safely
    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        """Yield tickets resolved after `since`; subject and text are the present ones."""
        size = 1 if self._asks_for_each() else None
        for rows, reached, last, share in self._past(Status.RESOLVED, since, cursor, size):
            found = map(self._as_filed, rows)
            items = tuple(each for each in found if each and each.status is Status.RESOLVED)
            yield Page(items=items, cursor=reached, last=last, share=share)

    def _past(
        self, status: Status, since: datetime, cursor: Cursor | None, size: int | None = None
    ) -> Iterator[past.Piece]:
        options = self._options
        wish = past.Wish(
            since=since,
            now=self._clock.now(),
            wanted=lambda row: mapping.status_of(row, options) is status,
            size=size,
        )
        return past.walk(self._client, options, wish, cursor)

    def _asks_for_each(self) -> bool:
        """Whether a ticket of the past takes calls of its own."""
        told, messages = self._options, self._options.messages
        by_message = messages is not None and messages.path is not None and told.ticket.body is None
        return by_message or not told.tickets.complete

    def _as_filed(self, row: Json) -> Ticket | None:
        """Build a resolved ticket from its row where that suffices, else from its own call."""
        ticket_id, messages = mapping.id_of(row, self._options), self._options.messages
        try:
            raw = row if self._options.tickets.complete else self._client.ticket(ticket_id)[0]
            said = Said()
            if messages is not None and self._options.ticket.body is None:
                first = mapping.said_on(
                    self._messages(raw, ticket_id, messages), "", messages
                ).first
                said = Said(first=first)
            return mapping.ticket_of(raw, self._options, said)
        except Gone:
            return None

    @paged_safely
    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        """Yield open tickets that were filed or changed after `since`."""
        for rows, reached, last, share in self._past(Status.OPEN, since, cursor):
            items = tuple(map(self._ref, rows))
            yield Page(items=items, cursor=reached, last=last, share=share)

    def _ref(self, row: Json) -> TicketRef:
        """Name a ticket and its version as the stream of changes does."""
        by_time = self._options.changes.by == "updated"
        version = changes.version_of(row, self._options) if by_time else newest.NEW
        return changes.ref_of(row, version, self._options)

    @read_safely
    def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
        """Read tickets one by one, and what was said on each."""
        wanted = dict.fromkeys(each for each in ids if mapping.is_id(each))
        found = (self._read(each) for each in wanted)
        return [ticket for ticket in found if ticket is not None]

    def _read(self, ticket_id: str) -> Ticket | None:
        """Read a ticket with its messages; nothing where it is gone or deleted."""
        try:
            raw, _ = self._client.ticket(ticket_id)
            if mapping.status_of(raw, self._options) is Status.DELETED:
                return None
            return mapping.ticket_of(raw, self._options, self._said(raw, ticket_id))
        except Gone:
            return None

    def _said(self, raw: Json, ticket_id: str) -> Said:
        told = self._options.messages
        if told is None:
            return Said()
        requester = self._options.ticket.requester
        asker = "" if requester is None else text_of(follow(raw, requester))
        return mapping.said_on(self._messages(raw, ticket_id, told), asker, told)

    def _messages(self, raw: Json, ticket_id: str, told: MessagesOptions) -> Sequence[Any]:
        if told.path is not None:
            asked = _Messages(told.path, told.items, told.query)
            return list(self._client.rows(asked, ticket_id))
        rows = follow(raw, told.items)
        return rows if isinstance(rows, list) else ()

    def link(self, ticket: TicketId) -> str:
        """Give the address at which agents see a ticket, where the tenant file describes it."""
        return mapping.address(self._options, ticket)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Verify a call of the desk, then read which ticket it names."""
        return read_delivery(body, headers, self._hooks, self._options.webhook)

    @read_safely
    def write(self, ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Set what differs in one call, if nobody came between reading and writing, and read back.

        Where the options name a condition the desk itself refuses a late write. Otherwise the
        ticket is read just before; a change within that moment to the same field is overwritten.
        """
        self._require_offered(updates)
        if not mapping.is_id(ticket.id):
            raise Gone(f"ticket {ticket.id!r}: not an id of this desk")
        raw, tag = self._present_state(ticket)
        present = self._carried(raw, ticket)
        if present.revision != ticket.revision:
            raise Conflict(f"ticket {ticket.id} has changed since it was read")
        differing = [each for each in updates if not mapping.is_set(present, each)]
        if not differing:
            return present
        body = writing.body_of(raw, present, differing, self._options)
        self._client.update(ticket.id, body, self._condition(tag))
        after = self._carried(self._present_state(ticket)[0], ticket)
        ignored = [each.field for each in differing if not mapping.is_set(after, each)]
        if ignored:
            raise Rejected(
                f"ticket {ticket.id}: the desk said yes and left {', '.join(ignored)} as it was; "
                "correct desk.write or the fields' own, or give the account the right"
            )
        return after

    def _present_state(self, ticket: Ticket) -> tuple[Json, str]:
        raw, tag = self._client.ticket(ticket.id)
        if mapping.status_of(raw, self._options) is Status.DELETED:
            raise Gone(f"ticket {ticket.id} is deleted")
        return raw, tag

    def _condition(self, tag: str) -> str:
        """Give the mark to send; a weak one never matches (RFC 9110, 13.1.1)."""
        if self._options.write.condition != "etag":
            return ""
        if not tag or tag.startswith("W/"):
            raise Rejected(
                f"the desk's answer has {'only a weak' if tag else 'no'} ETag, by which no write "
                "can be conditional; write desk.write.condition: none, or see what strips it"
            )
        return tag

    def _carried(self, raw: Json, ticket: Ticket) -> Ticket:
        """Give the ticket's new state; its messages are as they were, nothing here reads them."""
        after = mapping.ticket_of(raw, self._options, Said(first=ticket.description))
        return replace(
            after, last_message=ticket.last_message, last_message_id=ticket.last_message_id
        )

    def _require_offered(self, updates: Sequence[FieldUpdate]) -> None:
        """Refuse what the desk would take without a word; its lists are asked again before that."""
        if any(writing.refusal(each, self._fields()) for each in updates):
            self._known = self._describe()
        for update in updates:
            refused = writing.refusal(update, self._known)
            if refused:
                raise Rejected(refused)
