"""What the sandbox instance holds: rows of its tables, in memory, behind one lock."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from uuid import uuid4

from adapters.servicenow.sandbox.schema import COLUMNS, DISPLAYED, JOURNALS, PARENTS, REFERENCES

Row = dict[str, str]

ACCOUNT, REQUESTER = "triage", "rita.requester"
EVERYBODY = "Service Desk"
TABLE = "incident"

NEW, ON_HOLD, RESOLVED, CLOSED, CANCELLED = "1", "3", "6", "7", "8"
_SPENT = frozenset({CLOSED, CANCELLED})
"""States in which a row is no longer active; a resolved one is, until it closes."""

_LOOKUP = {
    (impact, urgency): str(min(max(int(impact) + int(urgency) - 1, 1), 5))
    for impact in "123"
    for urgency in "123"
}
"""Priority by impact and urgency, as the lookup rules of a new instance have it."""


def stamp(moment: datetime) -> str:
    """Write a time as it is stored: UTC with a grain of one second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class DeskState:
    """The instance's rows as they are stored; every method must be called under `lock`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.export_delay = 0.0
        self.page_size_cap = 10_000
        self.zone_hours = 0.0
        self.rule_updates = 0
        self.invalid_query_returns_no_rows = False
        self.hidden: set[str] = set()
        self.protected: set[str] = set()
        self.writes: dict[str, int] = {}
        self.tables: dict[str, dict[str, Row]] = {
            name: {} for name in (*DISPLAYED, "sys_user_grmember", "sys_journal_field")
        }
        self.tables.update(sys_dictionary={}, sys_choice={}, sys_script={})
        self.tables.update(sysevent_email_action={})
        self._numbers = 10_000
        self._describe()
        self.set_staff((), ())
        self.person(REQUESTER, "Rita Requester")

    @property
    def tickets(self) -> dict[str, Row]:
        """Give the rows of the ticket table by id."""
        return self.tables[TABLE]

    def insert(self, table: str, values: Mapping[str, str], by: str = "admin") -> Row:
        """Add a row."""
        moment, sys_id = stamp(self.now()), uuid4().hex
        row = {
            **values,
            "sys_id": sys_id,
            "sys_class_name": table,
            "sys_mod_count": "0",
            "sys_created_on": moment,
            "sys_created_by": by,
            "sys_updated_on": moment,
            "sys_updated_by": by,
        }
        self.tables[table][sys_id] = row
        return row

    def _describe(self) -> None:
        ids: dict[str, str] = {}
        for name, parent in PARENTS.items():
            facts = {"name": name, "label": name.title(), "super_class": ids.get(parent, "")}
            ids[name] = self.insert("sys_db_object", facts)["sys_id"]
        for column in COLUMNS:
            self.insert(
                "sys_dictionary",
                {
                    "name": column.table,
                    "element": column.element,
                    "column_label": column.label,
                    "internal_type": column.kind,
                    "reference": column.reference,
                    "choice": column.choice,
                    "active": "true",
                },
            )
            for language in ("en", "de"):
                for number, value in enumerate(column.options):
                    facts = {"name": column.table, "element": column.element, "value": value}
                    more = {"label": value.title(), "language": language, "inactive": "false"}
                    self.insert("sys_choice", {**facts, **more, "sequence": str(number)})

    def person(self, user_name: str, name: str, email: str = "") -> Row:
        """Give the user of that name, who is added when there is none."""
        known = self.find("sys_user", user_name=user_name)
        facts = {"user_name": user_name, "name": name, "email": email, "active": "true"}
        return known or self.insert("sys_user", {**facts, "time_zone": "GMT"})

    def find(self, table: str, **values: str) -> Row | None:
        """Give the first row that holds these values."""
        for row in self.tables[table].values():
            if all(row.get(name) == value for name, value in values.items()):
                return row
        return None

    def set_staff(self, groups: Iterable[str], agents: Iterable[Mapping[str, str]]) -> None:
        """Replace the staff; the triage account stays, in every group."""
        wanted = list(agents)
        names = dict.fromkeys([EVERYBODY, *groups, *(agent["group"] for agent in wanted)])
        self.tables["sys_user_group"] = {}
        self.tables["sys_user_grmember"] = {}
        triage = self.person(ACCOUNT, "Triage", "triage@sandbox.example")
        for name in names:
            group = self.insert("sys_user_group", {"name": name, "active": "true"})
            self._join(triage, group)
        for agent in wanted:
            user = self.person(agent["email"].partition("@")[0], agent["name"], agent["email"])
            self._join(user, self.group(agent["group"]))

    def _join(self, user: Row, group: Row) -> None:
        self.insert("sys_user_grmember", {"user": user["sys_id"], "group": group["sys_id"]})

    def group(self, name: str) -> Row:
        """Find a group by name; raises `KeyError`."""
        return self._known("sys_user_group", name=name)

    def agent(self, email: str) -> Row:
        """Find an agent by e-mail address; raises `KeyError`."""
        return self._known("sys_user", email=email)

    def _known(self, table: str, **values: str) -> Row:
        row = self.find(table, **values)
        if row is None:
            raise KeyError(*values.values())
        return row

    def arrive(self, subject: str, description: str, caller: Row, by: str) -> Row:
        """File a ticket; impact and urgency are low until somebody says otherwise."""
        self._numbers += 1
        blank = dict.fromkeys((column.element for column in COLUMNS), "")
        row = self.insert(
            TABLE,
            {
                **blank,
                "number": f"INC{self._numbers:07d}",
                "short_description": subject,
                "description": description,
                "caller_id": caller["sys_id"],
                "opened_by": caller["sys_id"],
                "active": "true",
                "state": NEW,
                "impact": "3",
                "urgency": "3",
            },
            by,
        )
        self._derive(row)
        return row

    def change(self, row: Row, values: Mapping[str, str], by: str) -> bool:
        """Set columns and take comments, as one update; tells whether anything changed."""
        before = dict(row)
        self.set(row, values)
        for name in JOURNALS:
            self._enter(row, name, values.get(name, ""), by)
        changed = row != before or any(values.get(name) for name in JOURNALS)
        if changed:
            self.touch(row, by)
        return changed

    def set(self, row: Row, values: Mapping[str, str]) -> None:
        """Set columns without counting it as an update, as scripts can."""
        row.update({name: value for name, value in values.items() if name not in JOURNALS})
        self._derive(row)

    def touch(self, row: Row, by: str) -> None:
        """Note that a row was updated now."""
        row["sys_mod_count"] = str(int(row["sys_mod_count"]) + 1)
        row.update(sys_updated_on=stamp(self.now()), sys_updated_by=by)

    def _enter(self, row: Row, journal: str, text: str, by: str) -> None:
        """Keep a comment or work note where it belongs, which is not the row."""
        if text:
            entry = {"name": TABLE, "element": journal, "element_id": row["sys_id"], "value": text}
            self.insert("sys_journal_field", entry, by)

    def _derive(self, row: Row) -> None:
        row["priority"] = _LOOKUP.get((row["impact"], row["urgency"]), "4")
        row["active"] = str(row["state"] not in _SPENT).lower()

    def journal(self, row: Row, element: str) -> list[Row]:
        """Give a ticket's `comments`, which the requester can see, or `work_notes`."""
        entries = self.tables["sys_journal_field"].values()
        wanted = {"element_id": row["sys_id"], "element": element}
        return [each for each in entries if wanted.items() <= each.items()]

    def value(self, table: str, row: Row, path: str) -> str:
        """Read a field, or one of the row that a reference leads to, over a dot."""
        name, _, rest = path.partition(".")
        if not rest:
            return row.get(name, "")
        target = REFERENCES.get(table, {}).get(name, "")
        found = self.tables.get(target, {}).get(row.get(name, ""))
        return self.value(target, found, rest) if found else ""
