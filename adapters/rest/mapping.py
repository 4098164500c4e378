"""A desk's JSON into our words, as its options say where things are; pure translation."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from adapters.rest.client import text_of
from adapters.rest.config import MessagesOptions, RestDesk
from adapters.rest.fields import FieldOptions, StaffOptions, TagsOptions
from adapters.rest.pointer import ABSENT, follow
from adapters.values import plain, same
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
)

Json = Mapping[str, Any]

_ID = re.compile(r"[A-Za-z0-9][\w.:~-]{0,99}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,9})?", re.ASCII)
_MILLISECONDS = 1e11
"""From here on a number counts milliseconds: as seconds it would be the year 5138."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a ticket's requester said: first, where a message holds it, and last."""

    first: str = ""
    last: str = ""
    last_id: str = ""


def is_id(text: str) -> bool:
    """Whether this can be a ticket's id: one step of a path, and none that leads upwards."""
    return _ID.fullmatch(text) is not None


def time_of(value: object) -> datetime:
    """Read a time as aware UTC: ISO 8601, seconds or milliseconds since 1970.

    Raises `ValueError`. A time without a zone counts as UTC.
    """
    text = str(value)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS else number, UTC)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def moment_of(raw: Json, pointer: str, key: str) -> datetime:
    """Read a time of a ticket; raises `Rejected` naming the option that leads to none."""
    try:
        return time_of(follow(raw, pointer))
    except (ValueError, OverflowError):
        raise Rejected(f"desk.ticket.{key}: at {pointer!r} of a ticket is no time") from None


def changed_at(raw: Json, options: RestDesk) -> datetime:
    """Give the time of a ticket's last change, or of its filing where the desk tells no other."""
    updated = options.ticket.updated
    if updated is None:
        return moment_of(raw, options.ticket.created, "created")
    return moment_of(raw, updated, "updated")


def id_of(raw: Any, options: RestDesk) -> str:
    """Give a ticket's id; raises `Rejected` on what has none, which is no ticket."""
    found = text_of(follow(raw, options.ticket.id))
    if not is_id(found):
        raise Rejected("desk.ticket.id leads to no id in a row of the list; correct the pointer")
    return found


def status_of(raw: Json, options: RestDesk) -> Status:
    """Say where a ticket stands."""
    told = str(follow(raw, options.ticket.status))
    if told in options.ticket.deleted:
        return Status.DELETED
    return Status.RESOLVED if told in options.ticket.resolved else Status.OPEN


def held(raw: Json, field: FieldOptions) -> Any:
    """Give what a ticket holds for a field, as the desk has it; `ABSENT` where it has no place."""
    found = follow(raw, field.at)
    if field.where:
        rows = found if isinstance(found, list) else []
        fitting = (row for row in rows if _fits(row, field.where))
        found = follow(next(fitting, ABSENT), field.value)
    return found


def _fits(row: Any, where: Mapping[str, str]) -> bool:
    return isinstance(row, Mapping) and all(
        key in row and text_of(row[key]) == wanted for key, wanted in where.items()
    )


def value_of(raw: Json, field: FieldOptions) -> FieldValue:
    """Read a field's value in our words."""
    found = held(raw, field)
    if field.kind == "choices":
        rows = found if isinstance(found, list) else []
        return tuple(sorted(_named(each, field) for each in rows))
    return None if found is ABSENT or found in (None, "") else _named(found, field) or None


def _named(value: Any, field: FieldOptions) -> str:
    """Give our name of what the desk holds, or the desk's own where we have none."""
    for name, theirs in field.values.items():
        if theirs == value and isinstance(theirs, bool) == isinstance(value, bool):
            return name
    return value if isinstance(value, str) else json.dumps(value)


def raw_of(value: FieldValue, field: FieldOptions) -> Any:
    """Give what the desk holds for a value of ours."""
    if isinstance(value, tuple):
        return [raw_of(each, field) for each in value]
    if value in (None, ""):
        return field.values.get("")
    return field.values.get(str(value), value)


def tags_of(raw: Json, tags: TagsOptions | None) -> frozenset[str]:
    """Read a ticket's tags, from a list or from one text."""
    found = follow(raw, tags.at) if tags is not None else ()
    if tags is not None and tags.separator:
        found = str(found).split(tags.separator) if isinstance(found, str) else ()
    rows = found if isinstance(found, list | tuple) else ()
    return frozenset(str(each).strip() for each in rows if str(each).strip())


def fields_of(raw: Json, options: RestDesk) -> Mapping[str, FieldValue]:
    """Read the values of all fields that a tenant may map."""
    values = {name: value_of(raw, field) for name, field in options.fields.items()}
    if options.tags is not None:
        values[TAGS] = tuple(sorted(tags_of(raw, options.tags)))
    return MappingProxyType(values)


def is_set(ticket: Ticket, update: FieldUpdate) -> bool:
    """Whether nothing is left to do for an update."""
    if update.field == TAGS:
        added = not update.value or update.value in ticket.tags
        return added and (update.replaces == update.value or update.replaces not in ticket.tags)
    return same(ticket.fields.get(update.field), update.value)


def address(options: RestDesk, ticket: str) -> str:
    """Give the address at which agents see a ticket; none where it was not described."""
    return (options.ticket.web or "").replace("{id}", ticket)


def ticket_of(raw: Json, options: RestDesk, said: Said) -> Ticket:
    """Build a ticket from its JSON and from what was said on it."""
    told, ticket_id = options.ticket, id_of(raw, options)
    fields = fields_of(raw, options)
    body = said.first if told.body is None else _text(raw, told.body)
    return Ticket(
        id=TicketId(ticket_id),
        subject=_text(raw, told.subject),
        description=body,
        status=status_of(raw, options),
        revision=revision_of(raw, options, fields),
        created_at=moment_of(raw, told.created, "created"),
        updated_at=changed_at(raw, options),
        last_message=said.last,
        last_message_id=said.last_id,
        requester=_id(raw, told.requester),
        group=_id(raw, told.group),
        assignee=_id(raw, told.assignee),
        fields=fields,
        tags=tags_of(raw, options.tags),
        url=address(options, ticket_id),
    )


def _text(raw: Any, pointer: str) -> str:
    found = follow(raw, pointer)
    return found if isinstance(found, str) else ""


def _id(raw: Any, pointer: str | None) -> str:
    return "" if pointer is None else text_of(follow(raw, pointer))


def revision_of(raw: Json, options: RestDesk, fields: Mapping[str, FieldValue]) -> str:
    """Tell one state of a ticket from another: its own number or time, and a hash of its values.

    The time alone has a grain of a second on many desks.
    """
    told = options.ticket
    number = _id(raw, told.revision)
    stamp = "" if told.updated is None else str(follow(raw, told.updated))
    people = [_id(raw, told.group), _id(raw, told.assignee), str(follow(raw, told.status))]
    held = {name: plain(value) for name, value in fields.items()}
    return f"{number or stamp}.{digest([held, _text(raw, told.subject), *people, stamp])}"


def digest(value: Any) -> str:
    """Give sixteen characters that are the same for the same JSON only."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def said_on(rows: Sequence[Any], requester: str, options: MessagesOptions) -> Said:
    """Find the ticket's own text, where a message holds it, and the requester's newest later."""
    ordered = _in_order([row for row in rows if isinstance(row, Mapping)], options)
    first = ordered[0] if ordered and options.first_is_body else None
    later = ordered[1:] if options.first_is_body else ordered
    theirs = [row for row in later if _is_theirs(row, requester, options)]
    last = theirs[-1] if theirs else None
    return Said(
        first="" if first is None else _text(first, options.body),
        last="" if last is None else _text(last, options.body),
        last_id="" if last is None else _id(last, options.id),
    )


def _in_order(rows: list[Json], options: MessagesOptions) -> list[Json]:
    """Put messages oldest first, by their times where they have any."""
    if options.order == "newest_first":
        rows = [*reversed(rows)]
    pointer = options.created
    if pointer is None:
        return rows
    try:
        return sorted(rows, key=lambda row: time_of(follow(row, pointer)))
    except (ValueError, OverflowError):
        raise Rejected(f"desk.messages.created: at {pointer!r} of a message is no time") from None


def _is_theirs(row: Json, requester: str, options: MessagesOptions) -> bool:
    """Whether the requester wrote it, and sees it: a missing flag means hidden, to be safe."""
    hidden = (options.public is not None and follow(row, options.public) is not True) or (
        options.private is not None and follow(row, options.private) is not False
    )
    return bool(requester) and not hidden and _id(row, options.author) == requester


def field_infos(options: RestDesk, listed: Mapping[str, tuple[str, ...]]) -> Iterator[FieldInfo]:
    """List what a tenant may map; `listed` has the values that the desk itself lists."""
    for name, field in options.fields.items():
        kind = FieldKind(field.kind)
        named = tuple(each for each in field.values if each)
        values = listed.get(name) or named or field.options
        yield FieldInfo(id=name, title=field.title or name, kind=kind, options=values)
    if options.tags is not None:
        yield FieldInfo(id=TAGS, title="Tags", kind=FieldKind.TAGS)


def staff_from(told: StaffOptions, groups: Iterable[Any], agents: Iterable[Any]) -> Staff:
    """Read who works on the desk, and in which groups, by whichever of both sides names them."""
    found = {_id(row, told.groups.id): row for row in groups}
    serving: dict[str, list[str]] = {}
    for group, row in found.items():
        for agent in _ids(row, told.groups.members):
            serving.setdefault(agent, []).append(group)
    people = []
    for row in agents:
        agent = _id(row, told.agents.id)
        own = [*_ids(row, told.agents.groups), *serving.get(agent, ())]
        email = "" if told.agents.email is None else _text(row, told.agents.email)
        name = _text(row, told.agents.name)
        groups_of = tuple(dict.fromkeys(each for each in own if each in found))
        people.append(Agent(id=agent, name=name, email=email, groups=groups_of))
    named = tuple(Group(id=key, name=_text(row, told.groups.name)) for key, row in found.items())
    return Staff(groups=named, agents=tuple(people))


def _ids(row: Any, pointer: str | None) -> list[str]:
    """Read one id or a list of them."""
    found = ABSENT if pointer is None else follow(row, pointer)
    rows = found if isinstance(found, list) else [found]
    return [text_of(each) for each in rows if text_of(each)]
