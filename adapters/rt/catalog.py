"""What a Request Tracker holds for tickets to be put into: queues and custom fields."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from connector.model import TAGS, FieldInfo, FieldKind, FieldValue

Json = Mapping[str, Any]

PRIORITY, STATUS, QUEUE, OWNER = "priority", "status", "queue", "owner"
"""Ids of RT's own fields as tenants write them; RT spells them with a capital."""

RESERVED = frozenset({PRIORITY, STATUS, QUEUE, OWNER, TAGS})
"""Names that mean RT's own field even where a custom field is called so."""

_TEXTS = frozenset({"Freeform", "Text", "Wikitext", "HTML", "Autocomplete", "Combobox"})


def id_of(value: object) -> str:
    """Give an id as text: records give numbers, lists strings, references objects."""
    if isinstance(value, Mapping):
        return id_of(value.get("id"))
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """A custom field of tickets; `type` is empty where we may not read what it takes."""

    id: str
    name: str
    type: str = ""
    multiple: bool = False
    options: tuple[str, ...] = ()

    @property
    def kind(self) -> FieldKind:
        """Say what the field takes; one that we know nothing of takes text until RT refuses."""
        if self.type == "Select":
            return FieldKind.CHOICES if self.multiple else FieldKind.CHOICE
        if self.type and self.type not in _TEXTS:
            return FieldKind.OTHER
        return FieldKind.CHOICES if self.multiple else FieldKind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Queues by number with their names, custom fields by number, and which queue uses which."""

    queues: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    custom: Mapping[str, CustomField] = field(default_factory=lambda: MappingProxyType({}))
    used: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    teams: frozenset[str] = frozenset()
    """Numbers of the queues that somebody serves; in another, tickets only wait to be moved."""
    tags: frozenset[str] = frozenset()
    """Numbers of the custom fields that stand for tags: one, or one of that name per queue."""

    def value(self, row: Json) -> FieldValue:
        """Read a ticket's value of a custom field: text, a tuple where it takes many, or nothing.

        RT gives a field that was once cleared twice as a list that holds null.
        """
        values = row.get("values")
        texts = [each for each in values if each] if isinstance(values, list) else []
        plain = tuple(sorted(str(_text(each)) for each in texts))
        known = self.custom.get(id_of(row))
        if len(plain) > 1 or (known is not None and known.multiple):
            return plain
        return plain[0] if plain else None


def _text(value: object) -> object:
    return value.get("filename", "") if isinstance(value, Mapping) else value


def custom_field_of(raw: Json) -> CustomField:
    """Read what a custom field takes."""
    options = raw.get("Values")
    return CustomField(
        id=id_of(raw),
        name=str(raw.get("Name") or ""),
        type=str(raw.get("Type") or ""),
        multiple=str(raw.get("MaxValues")) != "1",
        options=tuple(str(each) for each in options) if isinstance(options, list) else (),
    )


def custom_fields_of(queue: Json) -> tuple[CustomField, ...]:
    """Read which custom fields a queue's tickets have; what they take stands elsewhere."""
    rows = queue.get("TicketCustomFields")
    return tuple(
        CustomField(id=id_of(row), name=str(row.get("name") or ""))
        for row in (rows if isinstance(rows, list) else ())
    )


def is_served(queue: Json, teams: Collection[str]) -> bool:
    """Whether somebody works on a queue: as AdminCc, or by the name of the queue in `teams`."""
    return bool(queue.get("AdminCc")) or str(queue.get("Name")) in teams


def tag_fields(wanted: str | None, fields: Iterable[CustomField]) -> frozenset[str]:
    """Find the custom fields that stand for tags: of that name or number, for many free values."""
    return frozenset(
        each.id
        for each in fields
        if wanted in {each.id, each.name} and each.multiple and not each.options
    )


def rows_by_key(rows: Sequence[Json]) -> Iterator[tuple[str, Json]]:
    """Give each custom field under its number and, where that is clear, under its name."""
    names = [str(row.get("name") or "") for row in rows]
    for row, name in zip(rows, names, strict=True):
        yield id_of(row), row
        if names.count(name) == 1 and _is_key(name):
            yield name, row


def _is_key(name: str) -> bool:
    return bool(name) and name not in RESERVED and not name.isdecimal()


def field_infos(catalog: Catalog, priorities: Mapping[str, int]) -> tuple[FieldInfo, ...]:
    """List what a tenant may map: RT's own fields, tags, and custom fields by number and name.

    A name that several queues use for fields of their own offers what all of them offer.
    """
    ranked = tuple(sorted(priorities, key=lambda name: priorities[name]))
    queues = tuple(catalog.queues.values())
    custom = [each for each in catalog.custom.values() if each.id not in catalog.tags]
    named: dict[str, list[CustomField]] = {}
    for each in custom:
        named.setdefault(each.name, []).append(each)
    tags = (FieldInfo(id=TAGS, title="Tags", kind=FieldKind.TAGS),) if catalog.tags else ()
    return (
        FieldInfo(id=PRIORITY, title="Priority", kind=FieldKind.CHOICE, options=ranked),
        FieldInfo(id=STATUS, title="Status", kind=FieldKind.OTHER),
        FieldInfo(id=QUEUE, title="Queue", kind=FieldKind.CHOICE, options=queues),
        FieldInfo(id=OWNER, title="Owner", kind=FieldKind.AGENT),
        *tags,
        *(_by_name(name, fields) for name, fields in named.items() if _is_key(name)),
        *(
            FieldInfo(id=each.id, title=each.name, kind=each.kind, options=each.options)
            for each in custom
        ),
    )


def _by_name(name: str, fields: Sequence[CustomField]) -> FieldInfo:
    first, *others = fields
    alike = all(each.kind is first.kind for each in others)
    shared = (each for each in first.options if all(each in other.options for other in others))
    kind = first.kind if alike else FieldKind.OTHER
    return FieldInfo(id=name, title=name, kind=kind, options=tuple(shared))
