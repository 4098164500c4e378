"""What a write sends: the bodies of templates, put together; and what is not sent at all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapters.rest import mapping
from adapters.rest.config import RestDesk
from adapters.rest.pointer import follow, holding
from adapters.rest.template import filled, merged
from connector.errors import Rejected
from connector.model import TAGS, FieldInfo, FieldKind, FieldUpdate, Ticket

CHOSEN = frozenset({FieldKind.CHOICE, FieldKind.CHOICES})


def refusal(update: FieldUpdate, known: Mapping[str, FieldInfo]) -> str:
    """Say why an update cannot be sent; most desks answer 200 to what they do not know."""
    info = known.get(update.field)
    if info is None and update.field == TAGS:
        return "field 'tags': this desk keeps no tags; name them in desk.tags"
    if info is None:
        return f"field {update.field!r} is none of desk.fields"
    chosen = update.value if isinstance(update.value, tuple) else (update.value,)
    if info.kind in CHOSEN and not {None, "", *info.options}.issuperset(chosen):
        return f"field {update.field!r} does not offer that value"
    return ""


def body_of(
    raw: mapping.Json, ticket: Ticket, updates: Sequence[FieldUpdate], options: RestDesk
) -> dict[str, Any]:
    """Put together the body that sets all of them at once."""
    told = options.ticket
    revision = None if told.revision is None else follow(raw, told.revision)
    values = {"id": follow(raw, told.id), "revision": revision}
    body = filled(options.write.body, values)
    for update in updates:
        if update.field != TAGS:
            body = merged(body, _piece(update, options, values))
    tags = [update for update in updates if update.field == TAGS]
    if tags:
        body = merged(body, _tags_piece(ticket, tags, options, values))
    return dict(body)


def _piece(update: FieldUpdate, options: RestDesk, values: Mapping[str, Any]) -> Any:
    field = options.fields[update.field]
    value = mapping.raw_of(update.value, field)
    if field.kind == "choices" and value is None:
        value = []
    template = field.write or options.write.field
    if template is None:
        return holding(options.ticket.item + field.at, value)
    return filled(template, {**values, "field": field.name or update.field, "value": value})


def _tags_piece(
    ticket: Ticket, updates: Iterable[FieldUpdate], options: RestDesk, values: Mapping[str, Any]
) -> Any:
    """Give the whole new set of tags: what others set stays."""
    tags = options.tags
    if tags is None:
        raise Rejected("field 'tags': this desk keeps no tags; name them in desk.tags")
    wanted = set(ticket.tags)
    for update in updates:
        wanted -= {str(update.replaces)} if update.replaces else set()
        wanted |= {str(update.value)} if update.value else set()
    listed: Any = sorted(wanted)
    value = tags.separator.join(listed) if tags.separator else listed
    if tags.write is None:
        return holding(options.ticket.item + tags.at, value)
    return filled(tags.write, {**values, "field": TAGS, "value": value})
