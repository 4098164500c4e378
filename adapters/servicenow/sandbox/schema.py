"""The tables of the sandbox: their columns, what these refer to, and the options of drop-downs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

CATEGORIES = ("hardware", "software", "network", "security", "account", "service_request")
SENTIMENTS = ("negative", "neutral", "positive")
PRODUCTS = ("laptop", "telephone", "printer", "server")

PARENTS: Mapping[str, str] = MappingProxyType({"task": "", "incident": "task"})
"""The ticket table and the one that it extends."""


class Column(NamedTuple):
    """A column as the dictionary describes it; `options` are rows of sys_choice."""

    table: str
    element: str
    label: str
    kind: str = "string"
    reference: str = ""
    choice: str = ""
    options: tuple[str, ...] = ()


_DROP_DOWN = "3"

COLUMNS = (
    Column("task", "number", "Number"),
    Column("task", "short_description", "Short description"),
    Column("task", "description", "Description"),
    Column("task", "state", "State", "integer", "", _DROP_DOWN, ("1", "2", "3", "4", "7")),
    Column("task", "priority", "Priority", "integer", "", _DROP_DOWN, ("1", "2", "3", "4", "5")),
    Column("task", "impact", "Impact", "integer", "", _DROP_DOWN, ("1", "2", "3")),
    Column("task", "urgency", "Urgency", "integer", "", _DROP_DOWN, ("1", "2", "3")),
    Column("task", "active", "Active", "boolean"),
    Column("task", "opened_by", "Opened by", "reference", "sys_user"),
    Column("task", "assignment_group", "Assignment group", "reference", "sys_user_group"),
    Column("task", "assigned_to", "Assigned to", "reference", "sys_user"),
    Column("task", "comments", "Additional comments", "journal_input"),
    Column("task", "work_notes", "Work notes", "journal_input"),
    Column("incident", "state", "State", "integer", "", "3", ("1", "2", "3", "6", "7", "8")),
    Column("incident", "caller_id", "Caller", "reference", "sys_user"),
    Column("incident", "category", "Category", "string", "", _DROP_DOWN, CATEGORIES),
    Column("incident", "close_code", "Resolution code"),
    Column("incident", "close_notes", "Resolution notes"),
    Column("incident", "u_sentiment", "Sentiment", "string", "", _DROP_DOWN, SENTIMENTS),
    Column("incident", "u_suggested_assignee", "Suggested assignee"),
    Column("incident", "u_products", "Products", "glide_list", "", "", PRODUCTS),
    Column("incident", "u_triage_tags", "Triage tags"),
)

SYSTEM = (
    "sys_id",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
    "sys_updated_by",
    "sys_mod_count",
    "sys_class_name",
)

_SUPPORT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sys_user": ("user_name", "name", "email", "active", "time_zone"),
        "sys_user_group": ("name", "active"),
        "sys_user_grmember": ("user", "group"),
        "sys_db_object": ("name", "label", "super_class"),
        "sys_dictionary": (
            *("name", "element", "column_label", "internal_type"),
            *("reference", "choice", "active"),
        ),
        "sys_choice": ("name", "element", "value", "label", "language", "inactive", "sequence"),
        "sys_script": (
            *("name", "collection", "active", "when", "action_update"),
            *("condition", "filter_condition", "script"),
        ),
        "sysevent_email_action": (
            *("name", "collection", "active", "action_update", "condition", "event_name"),
        ),
        "sys_journal_field": ("name", "element", "element_id", "value"),
    }
)

FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "incident": frozenset({*SYSTEM, *(column.element for column in COLUMNS)}),
        **{table: frozenset({*SYSTEM, *names}) for table, names in _SUPPORT.items()},
    }
)
"""Every field of every table that is served."""

REFERENCES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "incident": {each.element: each.reference for each in COLUMNS if each.reference},
        "sys_user_grmember": {"user": "sys_user", "group": "sys_user_group"},
        "sys_db_object": {"super_class": "sys_db_object"},
    }
)

JOURNALS = frozenset(each.element for each in COLUMNS if each.kind == "journal_input")
DROP_DOWNS = frozenset(each.element for each in COLUMNS if each.choice)
TIMES = frozenset({"sys_created_on", "sys_updated_on"})
DISPLAYED: Mapping[str, str] = MappingProxyType(
    {"sys_user": "name", "sys_user_group": "name", "sys_db_object": "label", "incident": "number"}
)
"""The field that stands for a row where a reference is shown to people."""
