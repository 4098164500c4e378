"""Request Tracker's JSON into our words and back: pure translation."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from adapters.rt.catalog import (
    OWNER,
    PRIORITY,
    QUEUE,
    STATUS,
    Catalog,
    Json,
    id_of,
    rows_by_key,
)
from adapters.values import plain, same, time_of
from connector.errors import Rejected
from connector.model import (
    TAGS,
    FieldUpdate,
    FieldValue,
    Status,
    Ticket,
    TicketId,
    TicketRef,
)

NOBODY = "Nobody"
"""The user who owns what nobody owns."""

DELETED = "deleted"
"""The status that RT leaves out of searches, whatever the lifecycle."""

_KEYS = MappingProxyType({STATUS: "Status", QUEUE: "Queue", OWNER: "Owner"})

_REFUSALS = (
    ("permission denied", "permission denied: it needs ModifyCustomField, or ModifyTicket"),
    ("invalid value", "not among the field's values"),
    ("isn't a valid", "not a valid value"),
    ("that user does not exist", "no such user"),
    ("may not own tickets", "the user may not own tickets in that queue"),
    ("only reassign tickets", "somebody owns it; only they may give it away"),
    ("does not exist", "no such queue"),
    ("could not be set", "it could not be set"),
)
"""RT's refusals, which come with status 200, and what is told of them: they may quote a ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What a ticket's requestors said: first, and in the newest later message."""

    subject: str | None = None
    """The subject as first filed, where it was changed later."""
    first: str = ""
    last: str = ""
    last_id: str = ""
    answered: bool = False
    """Whether somebody else wrote to them."""


def _ticket_time(raw: Json, key: str) -> datetime:
    try:
        return time_of(raw.get(key))
    except ValueError:
        raise Rejected(f"ticket {id_of(raw)}: {key} is no time") from None


def changed_at(raw: Json) -> datetime:
    """Give the time of a ticket's last change; raises `Rejected` when the desk told none."""
    return _ticket_time(raw, "LastUpdated")


def priority_of(value: object, priorities: Mapping[str, int]) -> FieldValue:
    """Name a priority: that of the highest number not above it; 0 is none, unless it is named.

    Below the lowest name the number stays as it is: somebody set it.
    """
    text = id_of(value)
    number = int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else 0
    names = {each: name for name, each in priorities.items()}
    if number == 0 and number not in names:
        return None
    reached = [each for each in names if each <= number]
    return names[max(reached)] if reached else number


def custom_rows(raw: Json) -> list[Json]:
    """Give a ticket's custom fields; RT leaves them out, or writes "", where there are none."""
    rows = raw.get("CustomFields")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def requestors_of(raw: Json) -> tuple[str, ...]:
    """Name the users, or groups by number, in whose name a ticket was filed; else who filed it."""
    rows = raw.get("Requestor")
    named = tuple(id_of(row) for row in rows) if isinstance(rows, list) else ()
    creator = id_of(raw.get("Creator"))
    return named or ((creator,) if creator else ())


def fields_of(
    raw: Json, catalog: Catalog, priorities: Mapping[str, int]
) -> Mapping[str, FieldValue]:
    """Read the values of all fields that `field_infos` lists and the ticket's queue has."""
    queue, owner = id_of(raw.get("Queue")), id_of(raw.get("Owner"))
    values: dict[str, FieldValue] = {
        PRIORITY: priority_of(raw.get("Priority"), priorities),
        STATUS: str(raw.get("Status") or "") or None,
        QUEUE: catalog.queues.get(queue, queue) or None,
        OWNER: None if owner in {"", NOBODY} else owner,
    }
    if catalog.tags:
        values[TAGS] = tuple(sorted(tags_of(raw, catalog)))
    for key, row in rows_by_key(custom_rows(raw)):
        if id_of(row) not in catalog.tags:
            values[key] = catalog.value(row)
    return MappingProxyType(values)


def tags_of(raw: Json, catalog: Catalog) -> frozenset[str]:
    """Read the values of the custom field that stands for tags."""
    row = _tag_row(raw, catalog)
    values = row.get("values") if row else ()
    return frozenset(str(each) for each in values or () if each)


def _tag_row(raw: Json, catalog: Catalog) -> Json | None:
    return next((row for row in custom_rows(raw) if id_of(row) in catalog.tags), None)


def address(url: str, ticket: str) -> str:
    """Give the address at which agents see a ticket."""
    return f"{url}/Ticket/Display.html?id={ticket}"


def ticket_of(
    raw: Json,
    catalog: Catalog,
    priorities: Mapping[str, int],
    *,
    url: str,
    status: Status,
    thread: Thread,
) -> Ticket:
    """Build a ticket from its JSON and from what was said on it."""
    ticket_id = id_of(raw)
    fields = fields_of(raw, catalog, priorities)
    return Ticket(
        id=TicketId(ticket_id),
        subject=str(raw.get("Subject") or "") if thread.subject is None else thread.subject,
        description=thread.first,
        status=status,
        revision=revision_of(raw, fields),
        created_at=_ticket_time(raw, "Created"),
        updated_at=_ticket_time(raw, "LastUpdated"),
        last_message=thread.last,
        last_message_id=thread.last_id,
        requester=next(iter(requestors_of(raw)), ""),
        group=next(iter({id_of(raw.get("Queue"))} & catalog.teams), ""),
        assignee=str(fields[OWNER] or ""),
        fields=fields,
        tags=tags_of(raw, catalog),
        url=address(url, ticket_id),
        answered=thread.answered,
    )


def revision_of(raw: Json, fields: Mapping[str, FieldValue]) -> str:
    """Tell one state of a ticket from another: when it changed last, and a hash of all values.

    RT's own mark, the newest transaction's number, is not in the rows of a search; the time alone
    has a grain of one second.
    """
    held = {key: plain(value) for key, value in fields.items()}
    told = json.dumps([held, raw.get("Subject"), id_of(raw.get("Priority"))], sort_keys=True)
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{raw.get('LastUpdated')}.{digest}"


def ref_of(row: Json) -> TicketRef:
    """Read a transaction as the id and version of its ticket."""
    deleted = row.get("Type") == "Status" and row.get("NewValue") == DELETED
    return TicketRef(id=TicketId(id_of(row.get("ObjectId"))), version=id_of(row), deleted=deleted)


def refs_of(rows: Iterable[Json]) -> tuple[TicketRef, ...]:
    """Read a page of transactions: each ticket once, as its newest one has it."""
    newest: dict[TicketId, TicketRef] = {}
    for row in rows:
        ref = ref_of(row)
        before = newest.pop(ref.id, None)
        still = before is not None and before.deleted and row.get("Type") != "Status"
        newest[ref.id] = replace(ref, deleted=ref.deleted or still)
    return tuple(newest.values())


def is_set(ticket: Ticket, update: FieldUpdate) -> bool:
    """Whether nothing is left to do for an update."""
    if update.field == TAGS:
        is_there = not update.value or update.value in ticket.tags
        return is_there and not _outdated(update) & ticket.tags
    return same(ticket.fields.get(update.field), update.value)


def _outdated(update: FieldUpdate) -> set[str]:
    return {str(update.replaces)} - {str(update.value)} if update.replaces else set()


def changes_of(
    raw: Json, catalog: Catalog, priorities: Mapping[str, int], updates: Sequence[FieldUpdate]
) -> dict[str, Any]:
    """Give the body of an update; raises `Rejected` for what RT would pass over in silence."""
    changes: dict[str, Any] = {}
    custom: dict[str, object] = {}
    rows = dict(rows_by_key(custom_rows(raw)))
    for update in updates:
        if update.field == PRIORITY:
            changes["Priority"] = _number(update.value, priorities)
        elif update.field in _KEYS:
            changes[_KEYS[update.field]] = update.value or _nothing(update.field)
        elif update.field in rows and id_of(rows[update.field]) not in catalog.tags:
            custom[id_of(rows[update.field])] = _raw(update.value)
        elif update.field != TAGS:
            raise Rejected(f"the ticket's queue has no custom field {update.field!r}")
    custom.update(_tag_changes(raw, catalog, [each for each in updates if each.field == TAGS]))
    return {**changes, "CustomFields": custom} if custom else changes


def _number(value: FieldValue, priorities: Mapping[str, int]) -> int:
    """Give a priority's number: RT takes a word that it does not know for 0."""
    if not value:
        return 0
    if value not in priorities:
        raise Rejected("field 'priority' has no number for that value in desk.priorities")
    return priorities[str(value)]


def _nothing(key: str) -> str:
    if key != OWNER:
        raise Rejected(f"field {key!r} cannot be emptied")
    return NOBODY


def _raw(value: FieldValue) -> object:
    return list(value) if isinstance(value, tuple) else (None if value == "" else value)


def _tag_changes(
    raw: Json, catalog: Catalog, updates: Sequence[FieldUpdate]
) -> Iterator[tuple[str, list[str]]]:
    """Give the whole new list of tags: a field of many values is set as one."""
    row = _tag_row(raw, catalog)
    if updates and row is None:
        raise Rejected(
            "field 'tags': the ticket's queue keeps no tags; name a custom field that takes "
            "multiple values under desk.tags_field, and apply it to the queue"
        )
    if updates and row is not None:
        present = set(tags_of(raw, catalog))
        outdated = set().union(*(_outdated(each) for each in updates))
        wanted = {str(each.value) for each in updates if each.value}
        yield id_of(row), sorted(present - outdated | wanted)


def reason_of(messages: Iterable[str]) -> str:
    """Say why RT left something as it was, in words that quote no ticket."""
    plain = [message.casefold() for message in messages]
    found = (told for part, told in _REFUSALS if any(part in each for each in plain))
    return next(found, "it gave no reason that is known here")


def error_code(body: object) -> str:
    """Give RT's message of a refusal where it is one of its fixed phrases."""
    message = body.get("message") if isinstance(body, Mapping) else None
    fixed = isinstance(message, str) and re.fullmatch(r"[A-Z][A-Za-z ;-]{2,50}", message)
    return str(message) if fixed else ""
