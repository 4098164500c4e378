"""Zendesk's JSON into our words and back: pure translation."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from adapters.values import time_of
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

Json = Mapping[str, Any]

PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")

STATUS, GROUP, ASSIGNEE = "status", "group", "assignee"
"""Ids of system fields as tenants write them; Zendesk's own keys differ for the last two."""

_KEYS = MappingProxyType(
    {
        "priority": "priority",
        "type": "type",
        STATUS: "status",
        GROUP: "group_id",
        ASSIGNEE: "assignee_id",
    }
)
_RESOLVED = frozenset({"solved", "closed"})
_KINDS = MappingProxyType(
    {
        "text": FieldKind.TEXT,
        "textarea": FieldKind.TEXT,
        "regexp": FieldKind.TEXT,
        "tagger": FieldKind.CHOICE,
        "multiselect": FieldKind.CHOICES,
        "integer": FieldKind.NUMBER,
        "decimal": FieldKind.NUMBER,
        "checkbox": FieldKind.FLAG,
    }
)
_LABEL_LENGTH = 64
_MAILS_REQUESTER = frozenset({"requester_id", "requester_and_ccs", "all_recipients"})


def id_of(value: object) -> str:
    """Give an id as text: REST calls give integers, webhooks strings; `""` when there is none."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _ticket_time(raw: Json, key: str) -> datetime:
    try:
        return time_of(raw.get(key))
    except ValueError:
        raise Rejected(f"ticket {id_of(raw.get('id'))}: {key} is no time") from None


def status_of(value: object) -> Status:
    """Say where a ticket with this Zendesk status stands."""
    if value == "deleted":
        return Status.DELETED
    return Status.RESOLVED if value in _RESOLVED else Status.OPEN


def value_of(raw: object) -> FieldValue:
    """Give a field's value in our words: text, number, flag, tuple of option tags, or nothing."""
    if raw is None or isinstance(raw, str | bool | int):
        return raw
    if isinstance(raw, list | tuple):
        return tuple(str(item) for item in raw)
    return str(raw)


def fields_of(raw: Json) -> Mapping[str, FieldValue]:
    """Read the values of all fields that `field_infos` lists."""
    values: dict[str, FieldValue] = {
        "priority": value_of(raw.get("priority")),
        "type": value_of(raw.get("type")),
        STATUS: value_of(raw.get("status")),
        GROUP: id_of(raw.get("group_id")) or None,
        ASSIGNEE: id_of(raw.get("assignee_id")) or None,
        TAGS: tuple(sorted(raw.get("tags") or ())),
    }
    for custom in raw.get("custom_fields") or ():
        values[id_of(custom.get("id"))] = value_of(custom.get("value"))
    return MappingProxyType(values)


def address(url: str, ticket: str) -> str:
    """Give the address at which agents see a ticket."""
    return f"{url}/agent/tickets/{ticket}"


def ticket_of(raw: Json, url: str, comments: Iterable[Json] = ()) -> Ticket:
    """Build a ticket from its JSON and, where it has more than the first, its comments."""
    comments = list(comments)
    message = last_message(raw, comments)
    ticket_id = id_of(raw.get("id"))
    return Ticket(
        id=TicketId(ticket_id),
        subject=raw.get("subject") or raw.get("raw_subject") or "",
        description=raw.get("description") or "",
        status=status_of(raw.get("status")),
        revision=str(raw.get("updated_at")),
        created_at=_ticket_time(raw, "created_at"),
        updated_at=_ticket_time(raw, "updated_at"),
        last_message=(message.get("plain_body") or message.get("body") or "") if message else "",
        last_message_id=id_of(message.get("id")) if message else "",
        requester=id_of(raw.get("requester_id")),
        organisation=id_of(raw.get("organization_id")),
        group=id_of(raw.get("group_id")),
        assignee=id_of(raw.get("assignee_id")),
        fields=fields_of(raw),
        tags=frozenset(raw.get("tags") or ()),
        url=address(url, ticket_id),
        answered=any(
            comment.get("public") is True and comment.get("author_id") != raw.get("requester_id")
            for comment in comments[1:]
        ),
    )


def last_message(raw: Json, comments: Iterable[Json]) -> Json | None:
    """Give the requester's newest public comment after the first, which is the description."""
    later = list(comments)[1:]
    told = [
        comment
        for comment in later
        if comment.get("public") is True and comment.get("author_id") == raw.get("requester_id")
    ]
    return told[-1] if told else None


def may_have_replies(raw: Json) -> bool:
    """Whether only the comments can tell: more than one, or a count that was not given."""
    count = raw.get("comment_count")
    return not isinstance(count, int) or count > 1


def ref_of(raw: Json) -> TicketRef:
    """Read a row of the incremental export as the id and version that it reports."""
    return TicketRef(
        id=TicketId(id_of(raw.get("id"))),
        version=id_of(raw.get("generated_timestamp")),
        deleted=raw.get("status") == "deleted",
    )


def field_infos(fields: Iterable[Json], groups: Iterable[Json]) -> tuple[FieldInfo, ...]:
    """List what a tenant may map: the system fields that can be set, tags, active custom ones."""
    custom = tuple(
        FieldInfo(
            id=id_of(field.get("id")),
            title=str(field.get("title") or ""),
            kind=_KINDS.get(str(field.get("type")), FieldKind.OTHER),
            options=tuple(option["value"] for option in field.get("custom_field_options") or ()),
        )
        for field in fields
        if field.get("removable") and field.get("active", True)
    )
    ids = tuple(id_of(group.get("id")) for group in groups)
    return (
        FieldInfo(id="priority", title="Priority", kind=FieldKind.CHOICE, options=PRIORITIES),
        FieldInfo(id="type", title="Type", kind=FieldKind.CHOICE, options=TYPES),
        FieldInfo(id=STATUS, title="Status", kind=FieldKind.CHOICE, options=STATUSES),
        FieldInfo(id=GROUP, title="Group", kind=FieldKind.CHOICE, options=ids),
        FieldInfo(id=ASSIGNEE, title="Assignee", kind=FieldKind.AGENT),
        FieldInfo(id=TAGS, title="Tags", kind=FieldKind.TAGS),
        *custom,
    )


def staff_of(groups: Iterable[Json], memberships: Iterable[Json], users: Iterable[Json]) -> Staff:
    """Read who works on the desk; people who left or are suspended are not listed."""
    served: dict[str, list[str]] = {}
    for membership in memberships:
        served.setdefault(id_of(membership.get("user_id")), []).append(
            id_of(membership.get("group_id"))
        )
    return Staff(
        groups=tuple(
            Group(id=id_of(group.get("id")), name=str(group.get("name") or ""))
            for group in groups
            if not group.get("deleted")
        ),
        agents=tuple(
            Agent(
                id=id_of(user.get("id")),
                name=str(user.get("name") or ""),
                email=str(user.get("email") or ""),
                groups=tuple(served.get(id_of(user.get("id")), ())),
            )
            for user in users
            if user.get("active", True) and not user.get("suspended")
        ),
    )


def group_for(memberships: Sequence[Json], present: str) -> str:
    """Choose the group in which an agent gets a ticket: the present one, their default, any."""
    served = [id_of(membership.get("group_id")) for membership in memberships]
    if present in served:
        return present
    default = [id_of(each.get("group_id")) for each in memberships if each.get("default")]
    return next(iter([*default, *served]), "")


def changes_of(updates: Iterable[FieldUpdate]) -> dict[str, Any]:
    """Give the attributes of a ticket update; raises `Rejected` for a field we cannot name."""
    changes: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    for update in updates:
        if update.field.isdecimal():
            custom.append({"id": int(update.field), "value": _raw(update.value)})
        elif update.field in _KEYS:
            changes[_KEYS[update.field]] = _raw_system(update)
        else:
            raise Rejected(f"field {update.field!r} is no field of a Zendesk ticket")
    return {**changes, "custom_fields": custom} if custom else changes


def _raw(value: FieldValue) -> object:
    return list(value) if isinstance(value, tuple) else (None if value == "" else value)


def _raw_system(update: FieldUpdate) -> object:
    if update.field not in {GROUP, ASSIGNEE} or update.value in {None, ""}:
        return _raw(update.value)
    if not str(update.value).isdecimal():
        raise Rejected(f"field {update.field!r} takes the id of an agent or group")
    return int(str(update.value))


def ignored_keys(warning: str) -> tuple[str, ...]:
    """Read the keys that the desk dropped from the header `X-Zendesk-API-Warn`.

    Both known forms list them quoted in brackets. `id` is left out: zenpy always sends it.
    """
    keys = (
        key
        for listed in re.findall(r"\[([^\]]*)\]", warning)
        for key in re.findall(r'"([^"]+)"', listed)
    )
    return tuple(key for key in keys if key.rpartition(".")[2] != "id")


def error_code(body: object) -> str:
    """Give Zendesk's error code and, for an invalid record, the names of the refused fields.

    `error` is a string or an object with a title; free text, which may quote a ticket, is not
    given.
    """
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error")
    code = error.get("title") if isinstance(error, Mapping) else error
    details = body.get("details")
    names = [_label(name) for name in details] if isinstance(details, Mapping) else []
    return " ".join([_label(code), *(f"({name})" for name in names if name)]).strip()


def _label(value: object) -> str:
    plain = isinstance(value, str) and len(value) <= _LABEL_LENGTH
    return str(value) if plain and re.fullmatch(r"[\w' .-]+", str(value)) else ""


def mails_on_change(trigger: Json, account: str) -> bool:
    """Whether a trigger may mail the requester when triage changes a field.

    It may when it notifies the requester, and does not spare us.
    """
    actions = trigger.get("actions") or ()
    return not is_spared(trigger, account) and any(map(_tells_requester, actions))


def is_spared(trigger: Json, account: str) -> bool:
    """Whether our changes of fields do not set a trigger off.

    It is limited to new tickets or public comments, or leaves our account out.
    """
    conditions = (trigger.get("conditions") or {}).get("all") or ()
    limits = {(each.get("field"), str(each.get("value"))) for each in conditions}
    return ("update_type", "Create") in limits or any(
        field == "comment_is_public" or value == account for field, value in limits
    )


def _tells_requester(action: Json) -> bool:
    value = action.get("value")
    target = value[0] if isinstance(value, list) and value else value
    return action.get("field") == "notification_user" and target in _MAILS_REQUESTER
