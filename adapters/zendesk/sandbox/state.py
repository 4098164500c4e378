"""What the sandbox desk holds: tickets, staff and fields, in memory, behind one lock."""

import base64
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Raw = dict[str, Any]

ACCOUNT = "triage@sandbox.example"
TRIAGE_ID = 900
EVERYBODY = "Support"

CATEGORIES = ("hardware", "software", "network", "security", "account", "service_request")
SENTIMENTS = ("negative", "neutral", "positive")
PRODUCTS = ("laptop", "telephone", "printer", "server")


def _custom(field_id: int, title: str, kind: str, options: Iterable[str] = ()) -> Raw:
    choices = [
        {"id": field_id * 100 + n, "name": tag.replace("_", " ").title(), "value": tag}
        for n, tag in enumerate(options)
    ]
    more = {"custom_field_options": choices} if choices else {}
    return {"id": field_id, "type": kind, "title": title, "active": True, "removable": True, **more}


def _system(field_id: int, title: str, kind: str) -> Raw:
    return {"id": field_id, "type": kind, "title": title, "active": True, "removable": False}


FIELDS = (
    _system(360101, "Subject", "subject"),
    _system(360102, "Description", "description"),
    _system(360103, "Status", "status"),
    _system(360104, "Type", "tickettype"),
    _system(360105, "Priority", "priority"),
    _system(360106, "Group", "group"),
    _system(360107, "Assignee", "assignee"),
    _custom(360001, "Category", "tagger", CATEGORIES),
    _custom(360002, "Sentiment", "tagger", SENTIMENTS),
    _custom(360003, "Suggested assignee", "text"),
    _custom(360004, "Products", "multiselect", PRODUCTS),
)

CUSTOM = tuple(field["id"] for field in FIELDS if field["removable"])


def stamp(moment: datetime) -> str:
    """Write a time as Zendesk does: UTC with a grain of one second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cursor_text(position: tuple[int, int]) -> str:
    """Write a place in the export as the opaque text that clients hand back."""
    return base64.b64encode(f"{position[0]}.0||{position[1]}|".encode()).decode()


def cursor_position(text: str) -> tuple[int, int]:
    """Read a cursor; raises `ValueError`."""
    moment, _, rest = base64.b64decode(text, validate=True).decode().partition(".0||")
    return int(moment), int(rest.rstrip("|"))


class DeskState:
    """The desk's rows as the API shows them; every method must be called under `lock`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.export_delay = 60.0
        self.page_size_cap = 1000
        self.tickets: dict[int, Raw] = {}
        self.comments: dict[int, list[Raw]] = {}
        self.writes: dict[int, int] = {}
        self.triggers: list[Raw] = []
        self.automations: list[Raw] = []
        self.fields: list[Raw] = [dict(field) for field in FIELDS]
        self.groups: list[Raw] = []
        self.users: list[Raw] = []
        self.memberships: list[Raw] = []
        self._exported = (0, 0)
        self._next_id = 1000
        self.set_staff((), ())

    def new_id(self) -> int:
        """Give an id that nothing has yet."""
        self._next_id += 1
        return self._next_id

    def set_staff(self, groups: Iterable[str], agents: Iterable[Mapping[str, str]]) -> None:
        """Replace the staff; the triage account stays, an administrator in every group."""
        wanted = list(agents)
        names = dict.fromkeys([EVERYBODY, *groups, *(agent["group"] for agent in wanted)])
        self.groups = [{"id": self.new_id(), "name": name, "deleted": False} for name in names]
        self.users = [_user(TRIAGE_ID, "Triage", ACCOUNT, "admin")]
        self.memberships = []
        for group in self.groups:
            self._join(TRIAGE_ID, group["id"])
        for agent in wanted:
            user = _user(self.new_id(), agent["name"], agent["email"], "agent")
            self.users.append(user)
            self._join(user["id"], self.group_id(agent["group"]))

    def _join(self, user_id: int, group_id: int) -> None:
        first = all(each["user_id"] != user_id for each in self.memberships)
        row = {"id": self.new_id(), "user_id": user_id, "group_id": group_id, "default": first}
        self.memberships.append(row)

    def group_id(self, name: str) -> int:
        """Give a group's id by its name; raises `KeyError`."""
        return int({group["name"]: group["id"] for group in self.groups}[name])

    def agent_id(self, email: str) -> int:
        """Give an agent's id by their address; raises `KeyError`."""
        return int({user["email"]: user["id"] for user in self.users}[email])

    def serves(self, agent_id: int, group_id: int | None) -> bool:
        """Whether an agent is a member of a group."""
        return any(
            each["user_id"] == agent_id and each["group_id"] == group_id
            for each in self.memberships
        )

    def arrive(self, subject: str, description: str, requester: str = "") -> Raw:
        """File a new ticket."""
        ticket_id, requester_id = self.new_id(), self.new_id()
        filed = stamp(self.now())
        ticket: Raw = {
            "id": ticket_id,
            "subject": subject,
            "raw_subject": subject,
            "description": description,
            "status": "new",
            "priority": None,
            "type": None,
            "requester_id": requester_id,
            "submitter_id": requester_id,
            "assignee_id": None,
            "group_id": None,
            "organization_id": None,
            "tags": [],
            "custom_fields": [{"id": field_id, "value": None} for field_id in CUSTOM],
            "via": {"channel": "email", "source": {"from": {"name": requester}, "to": {}}},
            "created_at": filed,
        }
        self.tickets[ticket_id] = ticket
        self.comments[ticket_id] = []
        self.comment(ticket, description, author=requester_id, public=True)
        self.touch(ticket)
        return ticket

    def comment(self, ticket: Raw, text: str, *, author: int, public: bool) -> None:
        """Append a message to a ticket's thread."""
        row = {
            "id": self.new_id(),
            "type": "Comment",
            "author_id": author,
            "body": text,
            "plain_body": text,
            "public": public,
            "created_at": stamp(self.now()),
        }
        self.comments[ticket["id"]].append(row)

    def touch(self, ticket: Raw) -> None:
        """Note that a ticket changed now."""
        ticket["updated_at"] = stamp(self.now())
        self.regenerate(ticket)

    def regenerate(self, ticket: Raw) -> None:
        """Move a ticket to the end of the export, as also changes by the system do.

        Real desks withhold the last minute, so nothing ever slips in before a cursor that was
        given out. Here the delay can be zero, and a late row goes to the second after instead.
        """
        moment = int(self.now().timestamp())
        if (moment, ticket["id"]) <= self._exported:
            moment = self._exported[0] + 1
        ticket["generated_timestamp"] = moment

    def export(self, after: tuple[int, int], size: int) -> tuple[list[Raw], tuple[int, int], bool]:
        """Give the rows after a place in the export, the next place, and whether that is all."""
        latest = self.now().timestamp() - self.export_delay
        rows = [
            (position, ticket)
            for ticket in self.tickets.values()
            if (position := (ticket["generated_timestamp"], ticket["id"])) > after
            and (position[0] <= latest or not self.export_delay)
        ]
        rows.sort(key=lambda row: row[0])
        page = rows[:size]
        position = page[-1][0] if page else after
        self._exported = max(self._exported, position)
        return [dict(ticket) for _, ticket in page], position, len(rows) <= size

    def set_field(self, ticket: Raw, field: str, value: object) -> None:
        """Set a field by the id that a tenant file gives it, without asking whether it may be."""
        keys = {"group": "group_id", "assignee": "assignee_id"}
        if field.isdecimal():
            self.set_custom(ticket, int(field), value)
        else:
            ticket[keys.get(field, field)] = value

    def options(self, field_id: int) -> frozenset[str] | None:
        """Give what a drop-down offers; `None` for other fields."""
        fields = {field["id"]: field for field in self.fields}
        offered = fields.get(field_id, {}).get("custom_field_options")
        return None if offered is None else frozenset(option["value"] for option in offered)

    def set_options(self, field_id: int, options: Iterable[str]) -> None:
        """Let a drop-down offer these from now on; raises `KeyError` for other fields."""
        for number, field in enumerate(self.fields):
            if field["id"] == field_id and "custom_field_options" in field:
                self.fields[number] = _custom(field_id, field["title"], field["type"], options)
                return
        raise KeyError(field_id)

    def set_custom(self, ticket: Raw, field_id: int, value: object) -> None:
        """Set a custom field; a drop-down's option is a tag of the ticket too."""
        row = next((each for each in ticket["custom_fields"] if each["id"] == field_id), None)
        if row is None:
            return  # the real desk says nothing about a field that it does not know
        if self.options(field_id) is not None:
            others = [tag for tag in ticket["tags"] if tag not in _listed(row["value"])]
            ticket["tags"] = sorted({*others, *_listed(value)})
        row["value"] = value


def _listed(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [str(value)] if value else []


def _user(user_id: int, name: str, email: str, role: str) -> Raw:
    return {
        "id": user_id,
        "name": name,
        "email": email,
        "role": role,
        "active": True,
        "suspended": False,
    }
