"""ServiceNow's rows into our words and back: pure translation."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from adapters.servicenow.catalog import ASSIGNEE, GROUP, IMPACT, PRIORITY, STATE, URGENCY
from adapters.servicenow.config import Habits
from adapters.servicenow.query import STAMP, SYS_ID, Json, text_of
from adapters.values import same
from connector.errors import Rejected
from connector.model import (
    TAGS,
    Agent,
    FieldInfo,
    FieldKind,
    FieldUpdate,
    FieldValue,
    Group,
    Staff,
    Status,
    Ticket,
    TicketId,
    TicketRef,
)

COUNT, CREATED = "sys_mod_count", "sys_created_on"
NEEDED = (SYS_ID, COUNT, STAMP, CREATED, STATE, "active", "short_description", "description")
"""Fields without which a row is no ticket to us."""

COMMENT = (SYS_ID, "element_id", "value", CREATED, "sys_created_by")
"""What is read of a journal entry."""

COMPANY = "company"
"""The organisation of a task, which is its caller's."""

MEMBER = ("group", "group.name", "user", "user.name", "user.email", "user.active")

_TIME = "%Y-%m-%d %H:%M:%S"
_ID = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"\[/?code\]")
"""Marks between which a journal entry holds HTML."""


def is_id(value: str) -> bool:
    """Whether a text can be the `sys_id` of a row."""
    return _ID.fullmatch(value) is not None


def time_of(value: object) -> datetime:
    """Read a stored time, which is UTC with a grain of one second; raises `ValueError`."""
    return datetime.strptime(text_of(value), _TIME).replace(tzinfo=UTC)


def stamp_of(moment: datetime) -> str:
    """Write a time as the instance stores it."""
    return moment.astimezone(UTC).strftime(_TIME)


def status_of(row: Json, habits: Habits) -> Status:
    """Say where a row stands; one that is no longer active is not open, whatever its state."""
    state = text_of(row.get(STATE))
    if state in habits.deleted:
        return Status.DELETED
    closed = state in habits.resolved or text_of(row.get("active")) == "false"
    return Status.RESOLVED if closed else Status.OPEN


def tags_of(text: str) -> tuple[str, ...]:
    """Read the tags in a text field, in their order."""
    return tuple(dict.fromkeys(tag for each in text.split(",") if (tag := each.strip())))


def value_of(raw: object, kind: FieldKind) -> FieldValue:
    """Give a field's value in our words; everything empty is nothing."""
    text = text_of(raw)
    if not text:
        return None
    if kind is FieldKind.CHOICES:
        return tags_of(text)
    return text == "true" if kind is FieldKind.FLAG else text


def raw_of(value: FieldValue) -> str:
    """Write a value as the instance takes it; nothing is the empty text."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def ticket_of(
    row: Json,
    fields: Mapping[str, FieldInfo],
    habits: Habits,
    *,
    tags_field: str | None = None,
    url: str = "",
) -> Ticket:
    """Build a ticket from its row, without messages; raises `Rejected` when a field is missing.

    A field that the account may not read is not an error but a missing key.
    """
    _require(row)
    values = {name: value_of(row.get(name), info.kind) for name, info in fields.items()}
    tags = tags_of(text_of(row.get(tags_field))) if tags_field else ()
    if tags_field:
        values[TAGS] = tuple(sorted(tags))
        values[tags_field] = text_of(row.get(tags_field)) or None
    return Ticket(
        id=TicketId(text_of(row[SYS_ID])),
        subject=text_of(row["short_description"]),
        description=text_of(row["description"]),
        status=status_of(row, habits),
        revision=text_of(row[COUNT]),
        created_at=_ticket_time(row, CREATED),
        updated_at=_ticket_time(row, STAMP),
        requester=text_of(row.get(habits.requester)),
        organisation=text_of(row.get(COMPANY)),
        group=text_of(row.get(GROUP)),
        assignee=text_of(row.get(ASSIGNEE)),
        fields=MappingProxyType(values),
        tags=frozenset(tags),
        url=url,
    )


def _require(row: Json) -> None:
    missing = [name for name in NEEDED if name not in row]
    if missing:
        raise Rejected(
            f"ticket {text_of(row.get(SYS_ID))}: our account may not read {', '.join(missing)}"
        )


def _ticket_time(row: Json, key: str) -> datetime:
    try:
        return time_of(row[key])
    except ValueError:
        raise Rejected(f"ticket {text_of(row[SYS_ID])}: {key} is no time") from None


def revision_number(ticket: Ticket) -> int:
    """Give the number of changes that a row had; raises `Rejected`."""
    if not ticket.revision.isdecimal():
        raise Rejected(f"ticket {ticket.id}: {COUNT} is no number")
    return int(ticket.revision)


def with_comments(ticket: Ticket, row: Json, habits: Habits, comments: Iterable[Json]) -> Ticket:
    """Add the requester's newest comment, and whether somebody else wrote one.

    A journal names its writers by user name.
    """
    writer = text_of(row.get(f"{habits.requester}.user_name")).casefold()
    own: list[Json] = []
    others: list[Json] = []
    for each in comments:
        is_own = writer and text_of(each.get("sys_created_by")).casefold() == writer
        (own if is_own else others).append(each)
    ticket = replace(ticket, answered=bool(writer and others))
    if not own:
        return ticket
    said = max(own, key=lambda each: (text_of(each.get(CREATED)), text_of(each.get(SYS_ID))))
    return replace(ticket, last_message=comment_text(said), last_message_id=text_of(said[SYS_ID]))


def comment_text(comment: Json) -> str:
    """Give a journal entry's text without the marks around HTML."""
    return _CODE.sub("", text_of(comment.get("value")))


def ref_of(row: Json, habits: Habits) -> TicketRef:
    """Read a row of the stream as the id and version that it reports."""
    return TicketRef(
        id=TicketId(text_of(row.get(SYS_ID))),
        version=text_of(row.get(COUNT)),
        deleted=status_of(row, habits) is Status.DELETED,
    )


def staff_of(groups: Iterable[Json], members: Iterable[Json]) -> Staff:
    """Read who works on the desk: active people of active groups."""
    listed = tuple(
        Group(id=text_of(group.get(SYS_ID)), name=text_of(group.get("name"))) for group in groups
    )
    ids = {group.id for group in listed}
    people: dict[str, Json] = {}
    served: dict[str, list[str]] = {}
    for member in members:
        user, group = text_of(member.get("user")), text_of(member.get("group"))
        if user and group in ids and text_of(member.get("user.active")) == "true":
            people[user] = member
            served.setdefault(user, []).append(group)
    return Staff(
        groups=listed,
        agents=tuple(
            Agent(
                id=user,
                name=text_of(member.get("user.name")),
                email=text_of(member.get("user.email")),
                groups=tuple(served[user]),
            )
            for user, member in people.items()
        ),
    )


def group_for(members: Sequence[Json], present: str) -> str:
    """Choose the group in which an agent gets a ticket: the present one, else the first by name."""
    served = {text_of(each.get("group")): text_of(each.get("group.name")) for each in members}
    if present in served:
        return present
    return min(served, key=lambda group: (served[group], group), default="")


def changes_of(
    present: Ticket, updates: Iterable[FieldUpdate], habits: Habits, tags_field: str | None
) -> dict[str, str]:
    """Give the columns to set; raises `Rejected` for what the desk has no place for."""
    changes: dict[str, str] = {}
    tags: list[FieldUpdate] = []
    for update in updates:
        if update.field == TAGS:
            tags.append(update)
        elif update.field == PRIORITY and habits.lookup:
            changes.update(_looked_up(update, habits.lookup))
        else:
            changes[update.field] = raw_of(update.value)
    if tags and tags_field:
        changes[tags_field] = ", ".join(tags_after(present, tags, tags_field))
    return changes


def _looked_up(update: FieldUpdate, lookup: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Write a priority as the impact and urgency from which the instance derives it."""
    pair = lookup.get(raw_of(update.value))
    if pair is None:
        raise Rejected(
            f"field 'priority' is derived from impact and urgency; desk.priority_lookup has "
            f"{', '.join(lookup)} only"
        )
    return {IMPACT: str(pair[0]), URGENCY: str(pair[1])}


def tags_after(present: Ticket, updates: Iterable[FieldUpdate], tags_field: str) -> tuple[str, ...]:
    """Give the tags that stand afterwards: others' as they are, ours added and taken away."""
    tags = list(tags_of(raw_of(present.fields.get(tags_field))))
    for update in updates:
        tags = [tag for tag in tags if tag != update.replaces or tag == update.value]
        if update.value and str(update.value) not in tags:
            tags.append(str(update.value))
    return tuple(tags)


def why_left(updates: Iterable[FieldUpdate]) -> str:
    """Say why the instance left fields as they were."""
    if all(update.value in {None, ""} for update in updates):
        return "the Table API does not empty a drop-down, which only a person can do"
    return "give the account the right to write it"


def is_set(ticket: Ticket, update: FieldUpdate) -> bool:
    """Whether nothing is left to do for an update."""
    if update.field == TAGS:
        added = not update.value or update.value in ticket.tags
        gone = update.replaces == update.value or update.replaces not in ticket.tags
        return added and gone
    return same(ticket.fields.get(update.field), update.value)
