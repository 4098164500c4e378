"""A Request Tracker as a desk: the adapter protocol over the client's calls."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from math import ceil
from types import MappingProxyType
from typing import Self

from adapters.answers import paged_safely, read_safely
from adapters.inspection import ClockInspection
from adapters.rt import catalog as catalogs
from adapters.rt import mapping, threads
from adapters.rt.catalog import Catalog, Json, id_of
from adapters.rt.client import (
    HIDDEN_PAGES,
    ROWS,
    TICKETS_PER_CALL,
    RtClient,
    password_auth,
    token_auth,
)
from adapters.rt.config import RequestTrackerDesk
from adapters.rt.mapping import Thread
from adapters.rt.people import Warnings, staff_of
from adapters.rt.place import Passed, Place
from adapters.rt.webhook import read_delivery
from adapters.values import is_number
from connector.errors import Conflict, Gone, Rejected, Unauthorized
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

ZONES_APART = 2
"""Days by which a search of the history reaches back further than asked: RT reads dates in the
time zone of the account, which we do not know."""

LONG_AGO = 3000
"""Days from which on the history is searched without a date."""

_TOKEN_OWNER = re.compile(r"\d+-(\d+)-")
"""RT's tokens name their owner's number."""


class RequestTrackerAdapter:
    """One Request Tracker; see `adapters/rt/README.md` for rights and limits."""

    def __init__(
        self,
        options: RequestTrackerDesk,
        credential: Secret,
        hooks: Sequence[Secret],
        clock: Clock,
    ) -> None:
        self._options = options
        self._hooks = hooks
        self._clock = clock
        self._owner = _TOKEN_OWNER.match(credential.reveal()) if options.token else None
        self.page_size = ROWS
        auth = (
            token_auth(credential) if options.token else password_auth(options.account, credential)
        )
        self._client = RtClient(options.url, auth, clock)
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._stands: dict[tuple[str, str], Status] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    @read_safely
    def check(self) -> Identity:
        """Tell who we are, and warn of rights that are missing and scrips that mail."""
        account = self._options.account
        try:
            me = self._client.user(account)
        except Rejected:
            raise Unauthorized(f"user/{account}: the desk shows us no such user") from None
        links = me.get("_hyperlinks")
        numbers = {id_of(link) for link in links if link.get("ref") == "self"} if links else set()
        if self._owner is not None and self._owner[1] not in numbers:
            raise Unauthorized(f"the token is not one of the user {account!r}")
        warnings = Warnings(self._client, self._load(), self._options)
        return Identity(
            account=account,
            name=str(me.get("RealName") or me.get("Name") or account),
            warnings=tuple(warnings.all(str(me.get("EmailAddress") or ""))),
        )

    def inspection(self) -> ClockInspection:
        """Give what can be asked of this desk: its time alone."""
        return ClockInspection(self._client.session)

    @read_safely
    def describe_fields(self) -> Sequence[FieldInfo]:
        """List RT's own fields, tags where a field is named for them, and custom fields."""
        return catalogs.field_infos(self._load(), self._options.priorities)

    @read_safely
    def staff(self) -> Staff:
        """List queues, and who works on them by `teams` or as AdminCc."""
        return staff_of(self._client, self._known(), self._options.teams)

    @paged_safely
    def changed_since(self, cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        """Yield the transactions of tickets after `cursor`, by their numbers."""
        place = self._present() if cursor is None else Place.read(cursor)
        late = self._late(place) if cursor is not None else ()
        if late:
            place = place.after(int(id_of(row)) for row in late)
            yield Page(items=mapping.refs_of(late), cursor=place.cursor, last=False)
        last = False
        while not last:
            rows = self._next(place)
            place = place.after(int(id_of(row)) for row in rows)
            last = len(rows) < self.page_size and self._client.newest_transaction() <= place.last
            yield Page(items=mapping.refs_of(rows), cursor=place.cursor, last=last)

    def _present(self) -> Place:
        """Give the place after all that is there, with what is seen before it."""
        place = Place(self._client.newest_transaction(), 0)
        return place.after(int(id_of(row)) for row in self._late(place))

    def _late(self, place: Place) -> list[Json]:
        """Read what has appeared among the numbers that were passed over: one page at most."""
        runs = [f"(id >= {first} AND id <= {last})" for first, last in place.gaps()]
        return self._client.transactions(" OR ".join(runs)) if runs else []

    def _next(self, place: Place) -> list[Json]:
        """Read the rows that follow: a page whose rows are hidden from us is not the end."""
        condition = f"id > {place.last}"
        rows = self._client.transactions(condition, self.page_size)
        if rows or self._client.newest_transaction() <= place.last:
            return rows
        pages = range(2, HIDDEN_PAGES + 2)
        further = (self._client.transactions(condition, self.page_size, page) for page in pages)
        return next((rows for rows in further if rows), [])

    @paged_safely
    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        """Yield tickets resolved after `since`, with the subject and text as first filed."""
        for rows, place, last in self._past("__Inactive__", since, cursor):
            said = self._threads(rows, threads.FILED)
            tickets = (self._ticket(row, said[id_of(row)], Status.RESOLVED) for row in rows)
            items = tuple(each for each in tickets if each.updated_at >= since)
            yield Page(items=items, cursor=place.cursor(), last=last, share=place.share)

    @paged_safely
    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        """Yield open tickets that were filed or changed after `since`.

        Without a version: that is the number of a transaction, which a search does not show.
        """
        for rows, place, last in self._past("__Active__", since, cursor):
            recent = (row for row in rows if mapping.changed_at(row) >= since)
            items = tuple(TicketRef(id=TicketId(id_of(row)), version="") for row in recent)
            yield Page(items=items, cursor=place.cursor(), last=last, share=place.share)

    def _past(
        self, status: str, since: datetime, cursor: Cursor | None
    ) -> Iterator[tuple[list[Json], Passed, bool]]:
        """Walk tickets in a kind of status by their numbers; RT may hide rows here."""
        days = ceil((self._clock.now() - since).total_seconds() / 86400) + ZONES_APART
        recent = f" AND LastUpdated > '{days} days ago'" if days < LONG_AGO else ""
        place, last = Passed.read(cursor) if cursor else Passed(0, 0), False
        while not last:
            condition = f"Status = '{status}' AND id > {place.number}{recent}"
            rows, total = self._rows_of(condition)
            last = total is not None and total <= len(rows)
            place = place.after([int(id_of(row)) for row in rows], total)
            yield rows, place, last

    def _rows_of(self, query: str) -> tuple[list[Json], int | None]:
        """Read the first page of a search that shows a row, and how many rows there are if told."""
        for number in range(1, HIDDEN_PAGES + 1):
            page = self._client.tickets(query, self.page_size, number)
            rows, total = list(page.get("items") or ()), page.get("total")
            if rows or isinstance(total, int):
                return rows, total if isinstance(total, int) else None
        return [], 0

    @read_safely
    def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
        """Read tickets fifty at a time: their rows, who said something, and what."""
        wanted = iter(dict.fromkeys(each for each in ids if is_number(each)))
        found: list[Ticket] = []
        while chunk := list(islice(wanted, TICKETS_PER_CALL)):
            rows = list(self._client.tickets_of(chunk))
            said = self._threads(rows, threads.SAID)
            found.extend(self._ticket(row, said[id_of(row)]) for row in rows)
        return found

    def _threads(self, rows: Sequence[Json], types: str) -> Mapping[str, Thread]:
        """Read what was said on tickets, for all of them together."""
        if not rows:
            return {}
        ids = [id_of(row) for row in rows]
        told = threads.by_ticket(self._client.messages_of(ids, types))
        wanted = {each for row in rows for each in threads.told_by(row, told.get(id_of(row), ()))}
        texts = threads.texts_by_transaction(self._client.texts_of(sorted(wanted - {""}, key=int)))
        return {id_of(row): threads.thread_of(row, told.get(id_of(row), ()), texts) for row in rows}

    def _ticket(self, raw: Json, thread: Thread, status: Status | None = None) -> Ticket:
        return mapping.ticket_of(
            raw,
            self._known(),
            self._options.priorities,
            url=self._options.url,
            status=status or self._status(raw),
            thread=thread,
        )

    def _status(self, raw: Json) -> Status:
        """Say where a ticket stands by its queue's lifecycle, which only a search can tell.

        The answer holds for all tickets of the queue in that status, and is remembered.
        """
        queue, name = id_of(raw.get("Queue")), str(raw.get("Status") or "")
        if name == mapping.DELETED:
            return Status.DELETED
        if not queue.isdecimal() or not re.fullmatch(r"[^'\\]+", name):
            return Status.OPEN
        known = self._stands.get((queue, name))
        if known is not None:
            return known
        condition = f"Queue = {queue} AND Status = '{name}' AND Status = "
        for special, status in (("Inactive", Status.RESOLVED), ("Active", Status.OPEN)):
            if self._client.tickets(f"{condition}'__{special}__'", rows=1).get("items"):
                self._stands[queue, name] = status
                return status
        return Status.OPEN

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Verify our scrip's signature over the raw body, then read ticket and time."""
        return read_delivery(body, headers, self._hooks)

    @read_safely
    def write(self, ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Set what differs, tags included, in one call that RT refuses if somebody came between.

        RT says yes to what it did not do, so the ticket is read again and compared.
        """
        raw, tag = self._read(ticket)
        present = self._carried(raw, ticket)
        if present.revision != ticket.revision:
            raise Conflict(f"ticket {ticket.id} has changed since it was read")
        differing = [each for each in updates if not mapping.is_set(present, each)]
        if not differing:
            return present
        changes = mapping.changes_of(raw, self._known(), self._options.priorities, differing)
        messages = self._client.update(ticket.id, changes, tag)
        told, _ = self._read(ticket)
        after = self._carried(told, ticket)
        ignored = [each.field for each in differing if not mapping.is_set(after, each)]
        # Whoever changed it again before we looked has the last word: that is no refusal.
        by_somebody = id_of(told.get("LastUpdatedBy")) != self._options.account
        if ignored and not (by_somebody and after.revision != present.revision):
            raise Rejected(
                f"ticket {ticket.id}: the desk left {', '.join(ignored)} as it was "
                f"({mapping.reason_of(messages)})"
            )
        return after

    @read_safely
    def leave_note(self, ticket: Ticket, text: str) -> None:
        """Add a comment, which requesters are not shown; raises `Gone`."""
        self._client.comment(ticket.id, text)

    def link(self, ticket: TicketId) -> str:
        """Give the address at which agents see a ticket."""
        return mapping.address(self._options.url, ticket)

    def _read(self, ticket: Ticket) -> tuple[Json, str]:
        if not is_number(ticket.id):
            raise Gone(f"ticket {ticket.id!r}: not a number of this desk")
        raw, tag = self._client.ticket(ticket.id)
        if id_of(raw) != ticket.id:
            raise Gone(f"ticket {ticket.id} was merged into {id_of(raw)}")
        if raw.get("Status") == mapping.DELETED:
            raise Gone(f"ticket {ticket.id} is deleted")
        return raw, tag

    def _carried(self, raw: Json, ticket: Ticket) -> Ticket:
        """Give the ticket's new state; its messages are as they were, nothing here reads them."""
        after = self._ticket(raw, Thread(first=ticket.description))
        return replace(
            after,
            last_message=ticket.last_message,
            last_message_id=ticket.last_message_id,
            answered=ticket.answered,
        )

    def _known(self) -> Catalog:
        """Give what the desk holds, as it was when it was last asked."""
        return self._catalog or self._load()

    def _load(self) -> Catalog:
        """Ask which queues and custom fields there are, and what they take."""
        queues = {id_of(row): str(row.get("Name") or "") for row in self._client.queues()}
        used: dict[str, tuple[str, ...]] = {}
        custom: dict[str, catalogs.CustomField] = {}
        teams: set[str] = set()
        for queue in queues:
            raw = self._client.queue(queue)
            fields = catalogs.custom_fields_of(raw)
            teams.update([queue] if catalogs.is_served(raw, self._options.teams) else ())
            used[queue] = tuple(each.id for each in fields)
            custom.update({each.id: each for each in fields if each.id not in custom})
        custom = {each.id: self._described(each) for each in custom.values()}
        loaded = Catalog(
            queues=MappingProxyType(queues),
            custom=MappingProxyType(custom),
            used=MappingProxyType(used),
            teams=frozenset(teams),
            tags=catalogs.tag_fields(self._options.tags_field, custom.values()),
        )
        with self._lock:
            self._catalog = loaded
        return loaded

    def _described(self, field: catalogs.CustomField) -> catalogs.CustomField:
        try:
            return catalogs.custom_field_of(self._client.custom_field(field.id))
        except Rejected:
            return field
