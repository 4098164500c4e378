"""The fields of a table and of those that it extends, from the instance's own dictionary; pure."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from adapters.servicenow.query import Json, text_of
from connector.model import TAGS, FieldInfo, FieldKind

GROUP, ASSIGNEE, STATE = "assignment_group", "assigned_to", "state"
PRIORITY, IMPACT, URGENCY = "priority", "impact", "urgency"

DICTIONARY = ("name", "element", "column_label", "internal_type", "reference", "choice")
"""What is read of each column of a table."""

CHOICES = ("name", "element", "value", "inactive", "sequence")
"""What is read of each option; labels in each language are other rows of the same value."""

_TEXTS = frozenset({"string", "translated_text", "translated_field", "html", "url", "email"})
_NUMBERS = frozenset({"integer", "longint", "decimal", "float", "percent_complete"})
_DROP_DOWN = frozenset({"1", "3"})
"""Values of the column `choice` of a drop-down, with and without an empty option; 2 suggests."""

_NEVER = frozenset({"number", "short_description", "description"})
"""What the requester wrote, or the instance counts: no place for an answer."""

_JOURNALS = frozenset({"journal", "journal_input", "journal_list"})
"""Comments and work notes: what is put there is a message, so no tenant may map one."""


def field_infos(
    family: Sequence[str],
    columns: Iterable[Json],
    choices: Iterable[Json],
    groups: Iterable[Json],
    tags_field: str | None,
) -> Mapping[str, FieldInfo]:
    """List by id what a tenant may map; `family` is the table and then each that it extends.

    The nearest table's word counts, for a column and for the options of one.
    """
    options = _options(family, choices)
    ids = tuple(text_of(group.get("sys_id")) for group in groups)
    found: dict[str, FieldInfo] = {}
    for column in _nearest_last(family, columns):
        name = text_of(column.get("element"))
        if name != tags_field and _may_be_mapped(name, column):
            found[name] = _info(name, column, options.get(name, ()), ids)
    if tags_field is not None:
        found[TAGS] = FieldInfo(id=TAGS, title=f"Tags ({tags_field})", kind=FieldKind.TAGS)
    return MappingProxyType(found)


def has_column(columns: Iterable[Json], name: str) -> bool:
    """Whether there is such a text column."""
    return any(
        text_of(each.get("element")) == name and text_of(each.get("internal_type")) in _TEXTS
        for each in columns
    )


def _may_be_mapped(name: str, column: Json) -> bool:
    kind = text_of(column.get("internal_type"))
    return bool(name) and not (
        name.startswith("sys_") or name in _NEVER or kind in _JOURNALS or "password" in kind
    )


def _info(name: str, column: Json, options: tuple[str, ...], groups: tuple[str, ...]) -> FieldInfo:
    kind = _kind(column, options)
    if text_of(column.get("reference")) == "sys_user_group" and kind is FieldKind.CHOICE:
        options = groups
    title = text_of(column.get("column_label")) or name
    listed = kind in {FieldKind.CHOICE, FieldKind.CHOICES}
    return FieldInfo(id=name, title=title, kind=kind, options=options if listed else ())


def _kind(column: Json, options: tuple[str, ...]) -> FieldKind:
    kind, reference = text_of(column.get("internal_type")), text_of(column.get("reference"))
    if kind == "reference":
        people = {"sys_user": FieldKind.AGENT, "sys_user_group": FieldKind.CHOICE}
        return people.get(reference, FieldKind.OTHER)
    if kind == "glide_list":
        return FieldKind.OTHER if reference else FieldKind.CHOICES
    if kind == "boolean":
        return FieldKind.FLAG
    if text_of(column.get("choice")) in _DROP_DOWN and options:
        return FieldKind.CHOICE
    if kind in _TEXTS:
        return FieldKind.TEXT
    return FieldKind.NUMBER if kind in _NUMBERS else FieldKind.OTHER


def _options(family: Sequence[str], choices: Iterable[Json]) -> Mapping[str, tuple[str, ...]]:
    """Give each column's options: those of the nearest table that has any, in their order."""
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for row in _nearest_last(family, sorted(choices, key=_sequence)):
        table, name = text_of(row.get("name")), text_of(row.get("element"))
        if text_of(row.get("inactive")) == "true":
            continue
        if found.get(name, ("", {}))[0] != table:
            found[name] = (table, {})
        found[name][1][text_of(row.get("value"))] = None
    return {name: tuple(values) for name, (_, values) in found.items()}


def _sequence(row: Json) -> int:
    told = text_of(row.get("sequence"))
    return int(told) if told.isdecimal() else 0


def _nearest_last(family: Sequence[str], rows: Iterable[Json]) -> Sequence[Json]:
    """Sort rows by how near their table is, so that what comes later overrides."""
    return sorted(rows, key=lambda row: -_distance(family, text_of(row.get("name"))))


def _distance(family: Sequence[str], table: str) -> int:
    return family.index(table) if table in family else len(family)
