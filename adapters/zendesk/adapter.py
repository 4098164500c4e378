"""A Zendesk account as a desk: the adapter protocol over the client's calls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Self

from adapters.answers import paged_safely, read_safely
from adapters.http import Pacer
from adapters.progress import share
from adapters.values import is_number, same
from adapters.zendesk import mapping
from adapters.zendesk.client import TICKETS_PER_CALL, ZendeskClient
from adapters.zendesk.config import ZendeskDesk
from adapters.zendesk.inspection import ZendeskInspection
from adapters.zendesk.mapping import Json
from adapters.zendesk.webhook import read_delivery
from connector.errors import Conflict, Gone, Rejected, Retry, Unauthorized
from connector.model import (
    TAGS,
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

START_BACK = 300
"""Seconds: the export refuses a start in the last minute; five leave room for a wrong clock."""

TRIGGERS_NAMED = 5
"""Triggers that a warning names; more would hide the other warnings."""

_Pages = Iterator[tuple[Sequence[Json], Cursor, bool]]


class ZendeskAdapter:
    """One Zendesk account; see `adapters/zendesk/README.md` for rights and limits."""

    def __init__(
        self, options: ZendeskDesk, token: Secret, hooks: Sequence[Secret], clock: Clock
    ) -> None:
        self._url = options.url
        self._hooks = hooks
        self._clock = clock
        self._client = ZendeskClient(options, token, clock)
        self._spare = Pacer(clock, options.past_interval)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    @read_safely
    def check(self) -> Identity:
        """Tell who we are, and warn of rights that are missing and triggers that may mail."""
        me = self._client.me()
        account = mapping.id_of(me.get("id"))
        if not account:
            raise Unauthorized("users/me: the desk took us for an anonymous visitor")
        return Identity(
            account=account,
            name=str(me.get("name") or ""),
            warnings=(*_missing_rights(me), *self._loud_triggers(account)),
        )

    def _loud_triggers(self, account: str) -> Iterator[str]:
        try:
            triggers = self._client.active_triggers()
        except Rejected:
            yield "triggers cannot be read: check by hand that none mails when a field changes"
            return
        loud = (each for each in triggers if mapping.mails_on_change(each, account))
        for trigger in islice(loud, TRIGGERS_NAMED):
            yield (
                f"trigger {trigger.get('title')!r} may mail requesters when triage sets a field: "
                "add the condition that the current user is not the triage account"
            )

    def inspection(self) -> ZendeskInspection:
        """Give what looks at the account's own settings."""
        return ZendeskInspection(self._client, self._hooks)

    @read_safely
    def describe_fields(self) -> Sequence[FieldInfo]:
        """List system fields, tags and active custom fields; drop-downs with their option tags."""
        return mapping.field_infos(self._client.ticket_fields(), self._client.groups())

    @read_safely
    def staff(self) -> Staff:
        """List assignment groups and the agents and administrators who serve in them."""
        client = self._client
        return mapping.staff_of(client.groups(), client.memberships(), client.agents())

    @paged_safely
    def changed_since(self, cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        """Yield the incremental export after `cursor`; `None` starts five minutes ago."""
        for rows, after, last in self._export(cursor, self._clock.now()):
            yield Page(items=tuple(map(mapping.ref_of, rows)), cursor=after, last=last)

    @paged_safely
    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        """Yield tickets resolved after `since`; one that changes meanwhile is given again.

        The description is the first comment as filed; the subject is the present one.
        """
        for rows, after, last, told in self._past(Status.RESOLVED, since, cursor):
            tickets = (mapping.ticket_of(row, self._url) for row in rows)
            items = tuple(ticket for ticket in tickets if ticket.updated_at >= since)
            yield Page(items=items, cursor=after, last=last, share=told)

    @paged_safely
    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        """Yield open tickets that were filed or changed after `since`."""
        for rows, after, last, told in self._past(Status.OPEN, since, cursor):
            items = tuple(map(mapping.ref_of, rows))
            yield Page(items=items, cursor=after, last=last, share=told)

    def _past(
        self, status: Status, since: datetime, cursor: Cursor | None
    ) -> Iterator[tuple[Sequence[Json], Cursor, bool, float | None]]:
        """Walk the export since a time, leaving some of its calls to the polls of a daemon.

        How far it has come shows the desk's own time of a row's last change.
        """
        now, told = self._clock.now(), None
        for rows, after, last in self._export(cursor, since):
            stamp = rows[-1].get("generated_timestamp") if rows else None
            if isinstance(stamp, int):
                told = share(datetime.fromtimestamp(stamp, UTC), since, now)
            wanted = [row for row in rows if mapping.status_of(row.get("status")) is status]
            yield wanted, after, last, told
            if not last:
                self._spare.wait()

    def _export(self, cursor: Cursor | None, since: datetime) -> _Pages:
        """Walk the export by bare cursors to its end.

        An empty page is not the end. A page that moves the cursor nowhere is, for this round.
        """
        latest = int(self._clock.now().timestamp()) - START_BACK
        start = min(int(since.timestamp()), latest)
        last = False
        while not last:
            page = self._client.export_after(cursor) if cursor else self._client.export_from(start)
            after = page.get("after_cursor") or cursor
            if not after:
                raise Retry("the incremental export gave no cursor")
            last = page.get("end_of_stream") is not False or after == cursor
            cursor = Cursor(after)
            yield page.get("tickets") or (), cursor, last

    @read_safely
    def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
        """Read tickets by hundreds, and the comments of those that have replies."""
        wanted = iter(dict.fromkeys(ticket_id for ticket_id in ids if is_number(ticket_id)))
        found: list[Ticket] = []
        while chunk := list(islice(wanted, TICKETS_PER_CALL)):
            for raw in self._client.tickets(chunk):
                found.extend(self._whole(raw))
        return found

    def _whole(self, raw: Json) -> Iterator[Ticket]:
        try:
            replied = mapping.may_have_replies(raw)
            comments = self._client.comments(mapping.id_of(raw.get("id"))) if replied else ()
        except Gone:
            return
        yield mapping.ticket_of(raw, self._url, comments)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Verify Zendesk's signature over timestamp and raw body, then read the ticket's id."""
        return read_delivery(body, headers, self._hooks)

    @read_safely
    def write(self, ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Set what differs, fields first and tags second, each only if nobody came between.

        When somebody does between the two, `Conflict` is raised with the fields set and the tags
        not; a second run finds the fields equal and sets the tags alone.
        """
        present = self._unchanged(ticket, updates)
        fields = [each for each in updates if each.field != TAGS]
        differing = [each for each in fields if not _is_set(present, each)]
        if differing:
            present = self._set_fields(present, differing)
        return self._set_tags(present, [each for each in updates if each.field == TAGS])

    @read_safely
    def leave_note(self, ticket: Ticket, text: str) -> None:
        """Add an internal note; raises `Gone`."""
        self._client.note(ticket.id, text)

    def link(self, ticket: TicketId) -> str:
        """Give the address at which agents see a ticket."""
        return mapping.address(self._url, ticket)

    def _unchanged(self, ticket: Ticket, updates: Iterable[FieldUpdate]) -> Ticket:
        """Read the ticket again; raise `Conflict` when it is not what was decided upon.

        The desk's stamp has a grain of one second, so the values that are about to be replaced
        are compared as well.
        """
        present = self._read(ticket)
        if present.status is Status.DELETED:
            raise Gone(f"ticket {ticket.id} is deleted")
        moved = present.revision != ticket.revision or any(
            not same(present.fields.get(each.field), ticket.fields.get(each.field))
            for each in updates
            if each.field != TAGS
        )
        if moved:
            raise Conflict(f"ticket {ticket.id} has changed since it was read")
        return present

    def _read(self, ticket: Ticket) -> Ticket:
        if not is_number(ticket.id):
            raise Gone(f"ticket {ticket.id!r}: not an id of this desk")
        return self._carried(self._client.ticket(ticket.id), ticket)

    def _carried(self, raw: Json, ticket: Ticket) -> Ticket:
        """Give the ticket's new state; its messages are as they were, nothing here reads them."""
        return replace(
            mapping.ticket_of(raw, self._url),
            last_message=ticket.last_message,
            last_message_id=ticket.last_message_id,
            answered=ticket.answered,
        )

    def _set_fields(self, present: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        changes = mapping.changes_of(updates)
        agent = changes.get("assignee_id")
        if agent and not changes.get("group_id"):
            changes["group_id"] = self._group_of(str(agent), present.group)
        raw = self._client.update(present.id, changes, present.revision)
        after = self._carried(raw, present)
        ignored = [each.field for each in updates if not _is_set(after, each)]
        if ignored:
            raise Rejected(f"ticket {present.id}: the desk left {', '.join(ignored)} as it was")
        return after

    def _group_of(self, agent: str, present: str) -> int:
        """Choose the group to send with an assignee: Zendesk refuses one outside the group."""
        group = mapping.group_for(self._client.memberships_of(agent), present)
        if not group:
            raise Rejected(f"agent {agent} serves in no group")
        if present and group != present:
            raise Rejected(f"agent {agent} does not serve in the ticket's group, which stays")
        return int(group)

    def _set_tags(self, present: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Add and remove single tags: setting the whole list would lose another agent's.

        Only adding is conditional: it shows that somebody came between. Taking away a tag of our
        own can do no harm, and the desk does not tell the stamp that adding left behind. Its answer
        says that the tags were taken; somebody may take them away before the ticket is read again.
        """
        wanted = {str(each.value) for each in updates if each.value}
        missing = wanted - present.tags
        outdated = {str(each.replaces) for each in updates if each.replaces} - wanted
        outdated &= present.tags
        if missing and not missing <= set(
            self._client.add_tags(present.id, sorted(missing), present.revision)
        ):
            raise Rejected(f"ticket {present.id}: the desk did not take the tags as written")
        if outdated:
            self._client.remove_tags(present.id, sorted(outdated))
        if not missing and not outdated:
            return present
        return self._read(present)


def _is_set(ticket: Ticket, update: FieldUpdate) -> bool:
    return same(ticket.fields.get(update.field), update.value)


def _missing_rights(me: Json) -> Iterator[str]:
    if me.get("role") != "admin":
        yield (
            f"the account's role is {me.get('role')}: only an admin may read the incremental "
            "export, without which nothing is polled and no history is read"
        )
