"""A ServiceNow table as a desk: the adapter protocol over the client's calls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Self

from adapters.answers import paged_safely, read_safely
from adapters.servicenow import catalog, changes, mapping, past, webhook
from adapters.servicenow.client import ServiceNowClient
from adapters.servicenow.config import ServiceNowDesk
from adapters.servicenow.inspection import ServiceNowInspection
from adapters.servicenow.query import STAMP, SYS_ID, Condition, Json, text_of
from adapters.values import same
from connector.errors import ConfigError, Conflict, Gone, Rejected
from connector.model import (
    TAGS,
    Cursor,
    Delivery,
    FieldInfo,
    FieldKind,
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

TICKETS_PER_CALL = 50
"""Ids in one query: with the names of a hundred fields the address stays below four kilobytes."""

START_BACK = 300
"""Seconds before now at which a stream begins: five minutes leave room for a wrong clock."""

SELF_TESTS = 3
"""Times that the time zone is tested: the tested row may change just between two calls."""

OLDEST_ANCESTOR = 10
"""Tables that extend each other; an instance's own reach three."""

_ACTIVE = Condition("active", "=", "true")


class ServiceNowAdapter:
    """One table of one instance; see `adapters/servicenow/README.md` for rights and limits."""

    def __init__(
        self, options: ServiceNowDesk, secret: Secret | None, hooks: Sequence[Secret], clock: Clock
    ) -> None:
        self._options = options
        self._table = options.table
        self._habits = options.habits
        self._hooks = hooks
        self._clock = clock
        self._client = ServiceNowClient(options, secret, clock)
        self._known: Mapping[str, FieldInfo] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    @read_safely
    def check(self) -> Identity:
        """Tell who we are, prove that times are read as UTC, and that we may read what we need.

        Raises `ConfigError` when the account's time zone would shift the times in our queries.
        """
        me = self._me()
        self._require_utc(me)
        self._client.page("sys_journal_field", self._journal(()), mapping.COMMENT, limit=1)
        rows, more, _ = self._client.page(self._table, (), mapping.NEEDED, limit=1)
        return Identity(
            account=text_of(me.get(SYS_ID)),
            name=text_of(me.get("name")) or self._options.account,
            warnings=(self._blind(),) if more and not rows else (),
        )

    def _me(self) -> Json:
        named = [Condition("user_name", "=", self._options.account)]
        rows = self._client.page("sys_user", named, (SYS_ID, "name", STAMP)).rows
        if not rows:
            raise Rejected(
                f"sys_user shows no user {self._options.account!r}: correct desk.account, or let "
                "the account read sys_user"
            )
        return rows[0]

    def _require_utc(self, me: Json) -> None:
        """Query our own row back by its own time; a zone other than GMT does not find it."""
        sys_id, stamp = text_of(me.get(SYS_ID)), text_of(me.get(STAMP))
        for _ in range(SELF_TESTS):
            itself = [Condition(SYS_ID, "=", sys_id), Condition(STAMP, "=", stamp)]
            if stamp and self._client.page("sys_user", itself, (SYS_ID, STAMP)).rows:
                return
            stamp = text_of(self._me().get(STAMP))
        raise ConfigError(
            f"desk.account: a row of {stamp or 'no'} time is not found by that time, so changes "
            f"would be lost; set the time zone of {self._options.account!r} to GMT, and let it "
            f"read {STAMP}"
        )

    def _blind(self) -> str:
        return (
            f"the account sees no row of {self._table} though there are some: give it a role that "
            "may read them, such as itil"
        )

    def inspection(self) -> ServiceNowInspection:
        """Give what looks at the instance's own settings."""
        return ServiceNowInspection(self._client, self._options)

    @read_safely
    def describe_fields(self) -> Sequence[FieldInfo]:
        """List the columns of the table and of those that it extends; drop-downs with options."""
        self._known = self._describe()
        return tuple(self._known.values())

    def _describe(self) -> Mapping[str, FieldInfo]:
        family = self._family()
        inherited = Condition("name", "IN", ",".join(family))
        columns = list(
            self._client.rows("sys_dictionary", [inherited, _ACTIVE], catalog.DICTIONARY)
        )
        tags = self._options.tags_field
        if tags is not None and not catalog.has_column(columns, tags):
            raise ConfigError(
                f"desk.tags_field: {self._table} has no text field {tags!r} that the account may "
                "see; create it, or leave tags_field out"
            )
        choices = self._client.rows("sys_choice", [inherited], catalog.CHOICES)
        return catalog.field_infos(family, columns, choices, self._groups(), tags)

    def _family(self) -> Sequence[str]:
        """Give the table and the tables that it extends, the nearest first."""
        family = [self._table]
        while len(family) < OLDEST_ANCESTOR:
            named = [Condition("name", "=", family[-1])]
            rows = self._client.page("sys_db_object", named, ("super_class.name",)).rows
            parent = text_of(rows[0].get("super_class.name")) if rows else ""
            if not rows and len(family) == 1:
                raise ConfigError(
                    f"desk.table: the instance shows no table {self._table!r}; correct its name, "
                    "or let the account read sys_db_object"
                )
            if not parent or parent in family:
                break
            family.append(parent)
        return family

    def _fields(self) -> Mapping[str, FieldInfo]:
        if not self._known:
            self._known = self._describe()
        return self._known

    def _groups(self) -> Sequence[Json]:
        return list(self._client.rows("sys_user_group", [_ACTIVE], (SYS_ID, "name")))

    @read_safely
    def staff(self) -> Staff:
        """List active groups and the active people who serve in them."""
        members = self._client.rows("sys_user_grmember", (), mapping.MEMBER)
        return mapping.staff_of(self._groups(), members)

    @paged_safely
    def changed_since(self, cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        """Yield what changed after `cursor`, reading the last minutes again; see `changes`."""
        position = changes.Position.read(cursor) if cursor else self._present()
        yield from changes.told_since(
            self._client, self._table, self._habits, position, self._options.overlap
        )

    def _present(self) -> changes.Position:
        """Begin five minutes ago, or after the newest change where the desk's clock is behind."""
        start = self._clock.now() - timedelta(seconds=START_BACK)
        newest = changes.newest(self._client, self._table)
        if newest:
            start = min(start, mapping.time_of(newest) + timedelta(seconds=1))
        stamp = mapping.stamp_of(start)
        return changes.Position(at=stamp, floor=stamp)

    @paged_safely
    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        """Yield tickets resolved after `since`; one that changes meanwhile is given again.

        Subject and description are the present ones, which people seldom change.
        """
        columns = self._columns(self._fields())
        now = self._clock.now()
        for rows, place, last in past.walk(self._client, self._table, columns, since, cursor):
            tickets = map(self._ticket, rows)
            items = tuple(each for each in tickets if each.status is Status.RESOLVED)
            share = place.share(since, now)
            yield Page(items=items, cursor=place.cursor(), last=last, share=share)

    @paged_safely
    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        """Yield open tickets that were filed or changed after `since`."""
        columns = changes.STANDING
        now = self._clock.now()
        for rows, place, last in past.walk(self._client, self._table, columns, since, cursor):
            found = (row for row in rows if mapping.status_of(row, self._habits) is Status.OPEN)
            items = tuple(mapping.ref_of(row, self._habits) for row in found)
            share = place.share(since, now)
            yield Page(items=items, cursor=place.cursor(), last=last, share=share)

    def _is_open(self, row: Json) -> bool:
        return mapping.status_of(row, self._habits) is Status.OPEN

    @read_safely
    def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
        """Read tickets by fifties, and the comments of all of them in one more call."""
        wanted = iter(dict.fromkeys(each for each in ids if mapping.is_id(each)))
        found: list[Ticket] = []
        while chunk := list(islice(wanted, TICKETS_PER_CALL)):
            these = [Condition(SYS_ID, "IN", ",".join(chunk))]
            rows = list(self._client.rows(self._table, these, self._columns(self._fields())))
            present = [
                row for row in rows if mapping.status_of(row, self._habits) is not Status.DELETED
            ]
            comments = self._comments([text_of(row.get(SYS_ID)) for row in present])
            found.extend(self._whole(row, comments) for row in present)
        return found

    def _columns(self, fields: Iterable[str]) -> Sequence[str]:
        asker = self._habits.requester
        more = [self._options.tags_field] if self._options.tags_field else []
        own = [each for each in fields if each != TAGS]
        return [*mapping.NEEDED, asker, f"{asker}.user_name", mapping.COMPANY, *more, *own]

    def _journal(self, tickets: Sequence[str]) -> Sequence[Condition]:
        return [
            Condition("element_id", "IN", ",".join(tickets) or "none"),
            Condition("element", "=", "comments"),
        ]

    def _comments(self, tickets: Sequence[str]) -> Mapping[str, Sequence[Json]]:
        """Give each ticket's comments, work notes never among them."""
        if not tickets:
            return {}
        found: dict[str, list[Json]] = {}
        for entry in self._client.rows(
            "sys_journal_field", self._journal(tickets), mapping.COMMENT
        ):
            found.setdefault(text_of(entry.get("element_id")), []).append(entry)
        return found

    def _ticket(self, row: Json) -> Ticket:
        sys_id = text_of(row.get(SYS_ID))
        return mapping.ticket_of(
            row,
            self._fields(),
            self._habits,
            tags_field=self._options.tags_field,
            url=self.link(TicketId(sys_id)),
        )

    def _whole(self, row: Json, comments: Mapping[str, Sequence[Json]]) -> Ticket:
        ticket = self._ticket(row)
        return mapping.with_comments(ticket, row, self._habits, comments.get(ticket.id, ()))

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Verify a call of the business rule, then read which row it names."""
        signed = self._options.webhook_check == "signature"
        read = webhook.read_signed if signed else webhook.read_trusted
        return read(body, headers, self._hooks, self._table)

    @read_safely
    def write(self, ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Set what differs in one call, if nobody came between reading and writing.

        The desk has no conditional write. The row is read just before, and the number of changes
        that it had tells afterwards whether somebody wrote in that moment too: then `Conflict` is
        raised with the values set, and a second run finds them equal.
        """
        self._require_offered(updates)
        present = self._unchanged(ticket, updates)
        differing = [each for each in updates if not mapping.is_set(present, each)]
        if not differing:
            return present
        columns = mapping.changes_of(present, differing, self._habits, self._options.tags_field)
        self._send_group_with_assignee(present, columns)
        row = self._client.patch(self._table, present.id, columns, self._columns(self._fields()))
        after = self._carried(row, present)
        self._require_taken(present, after, differing)
        return after

    @read_safely
    def leave_note(self, ticket: Ticket, text: str) -> None:
        """Add a work note; raises `Gone`, and `Rejected` where the right to write it is missing."""
        row = self._client.patch(
            self._table, ticket.id, {"work_notes": text}, self._columns(self._fields())
        )
        if self._ticket(row).revision == ticket.revision:
            raise Rejected(
                f"ticket {ticket.id}: the desk left work_notes as they were;"
                " give the account the right to write them"
            )

    def link(self, ticket: TicketId) -> str:
        """Give the address at which agents see a ticket."""
        return f"{self._options.url}/{self._table}.do?sys_id={ticket}"

    def _require_offered(self, updates: Sequence[FieldUpdate]) -> None:
        """Refuse what the desk would take without a word: unknown fields and options.

        The dictionary is read anew before something is refused: it may have been added just now.
        """
        if any(map(self._refusal, updates)):
            self._known = self._describe()
        for update in updates:
            refused = self._refusal(update)
            if refused:
                raise Rejected(refused)

    def _refusal(self, update: FieldUpdate) -> str:
        info = self._fields().get(update.field)
        if info is None and update.field == TAGS:
            return "field 'tags': this desk keeps no tags; name a text field in desk.tags_field"
        if info is None:
            return f"field {update.field!r} is no field of {self._table} that can be mapped"
        chosen = update.value if isinstance(update.value, tuple) else (update.value,)
        offered = {None, "", *info.options}
        if info.kind in {FieldKind.CHOICE, FieldKind.CHOICES} and not offered.issuperset(chosen):
            return f"field {update.field!r} does not offer that value"
        return ""

    def _unchanged(self, ticket: Ticket, updates: Iterable[FieldUpdate]) -> Ticket:
        """Read the ticket again; raise `Conflict` when it is not what was decided upon.

        Scripts can write without counting, so the values that are about to be replaced are
        compared as well.
        """
        if not mapping.is_id(ticket.id):
            raise Gone(f"ticket {ticket.id!r}: not an id of this desk")
        columns = self._columns(self._fields())
        present = self._carried(self._client.row(self._table, ticket.id, columns), ticket)
        if present.status is Status.DELETED:
            raise Gone(f"ticket {ticket.id} counts no more")
        moved = present.revision != ticket.revision or any(
            not same(present.fields.get(each.field), ticket.fields.get(each.field))
            for each in updates
        )
        if moved:
            raise Conflict(f"ticket {ticket.id} has changed since it was read")
        return present

    def _carried(self, row: Json, ticket: Ticket) -> Ticket:
        """Give the ticket's new state; its messages are as they were, nothing here reads them."""
        return replace(
            self._ticket(row),
            last_message=ticket.last_message,
            last_message_id=ticket.last_message_id,
            answered=ticket.answered,
        )

    def _send_group_with_assignee(self, present: Ticket, columns: dict[str, str]) -> None:
        """Add the group to send with an assignee: the form would not offer one of another group."""
        agent = columns.get(catalog.ASSIGNEE)
        if not agent:
            return
        wanted = columns.get(catalog.GROUP) or present.group
        members = list(
            self._client.rows(
                "sys_user_grmember", [Condition("user", "=", agent)], ("group", "group.name")
            )
        )
        group = mapping.group_for(members, wanted)
        if not group:
            raise Rejected(f"agent {agent} serves in no group")
        if wanted and group != wanted:
            raise Rejected(f"agent {agent} does not serve in the ticket's group, which stays")
        columns[catalog.GROUP] = group

    def _require_taken(
        self, present: Ticket, after: Ticket, updates: Sequence[FieldUpdate]
    ) -> None:
        """Compare the echo with what was asked: without a right, a field is dropped silently."""
        left = [each for each in updates if not mapping.is_set(after, each)]
        as_before = [
            each.field
            for each in left
            if same(after.fields.get(each.field), present.fields.get(each.field))
        ]
        if as_before:
            raise Rejected(
                f"ticket {present.id}: the desk left {', '.join(as_before)} as it was; "
                f"{mapping.why_left(left)}"
            )
        changed = mapping.revision_number(after) - mapping.revision_number(present)
        if left or changed > 1 + self._options.rule_updates:
            raise Conflict(f"ticket {present.id} was changed by somebody else in the same moment")
