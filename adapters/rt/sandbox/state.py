"""What the sandbox desk holds: tickets, what happened to them, people and fields, in memory."""

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.model import Secret

Row = dict[str, Any]

ACCOUNT, ADMINISTRATOR, REQUESTER, SYSTEM = "triage", "root", "rita", "RT_System"
NOBODY = "Nobody"
EVERYBODY = "Support"
"""The queue into which tickets arrive."""

TAGS_FIELD = "Triage tags"
CATEGORIES = ("hardware", "software", "network", "security", "account", "service_request")
SENTIMENTS = ("negative", "neutral", "positive")
PRODUCTS = ("laptop", "telephone", "printer", "server")
INACTIVE = frozenset({"resolved", "rejected"})
STATUSES = ("new", "open", "stalled", "resolved", "rejected")

HIDDEN = {
    "Comment": "ShowTicketComments",
    "CommentEmailRecord": "ShowTicketComments",
    "EmailRecord": "ShowOutgoingEmail",
}
"""The right that it takes to see a transaction of such a type."""

UNSEEN_FIELD = "99"
"""A custom field that the triage account may not see: neither it nor changes of it."""

RIGHTS = ("ModifyTicket", "ModifyCustomField", "SeeCustomField", "ShowOutgoingEmail")
"""What the triage account may do here beside seeing tickets; tests take rights away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A custom field of all queues."""

    id: int
    name: str
    type: str
    multiple: bool = False
    options: tuple[str, ...] = ()


FIELDS = (
    Field(id=1, name="Category", type="Select", options=CATEGORIES),
    Field(id=2, name="Sentiment", type="Select", options=SENTIMENTS),
    Field(id=3, name="Suggested assignee", type="Freeform"),
    Field(id=4, name="Products", type="Select", multiple=True, options=PRODUCTS),
    Field(id=5, name=TAGS_FIELD, type="Freeform", multiple=True),
)


@dataclass(slots=True, kw_only=True)
class User:
    """A person; requesters are those who are not `staff`."""

    id: int
    name: str
    real: str
    email: str
    staff: bool = True
    token: Secret = field(default_factory=lambda: Secret(""))


@dataclass(slots=True, kw_only=True)
class Filed:
    """A ticket."""

    id: int
    subject: str
    queue: int
    creator: str
    requestors: tuple[str, ...]
    created: datetime
    updated: datetime
    updated_by: str
    status: str = "new"
    owner: str = NOBODY
    priority: int = 0
    merged_into: int = 0
    values: dict[int, list[str | None]] = field(default_factory=dict)


def stamp(moment: datetime) -> str:
    """Write a time as REST2 does: UTC with a grain of one second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def field_named(key: str) -> Field | None:
    """Find a custom field by number or name."""
    return next((each for each in FIELDS if key in {str(each.id), each.name}), None)


class DeskState:
    """The desk's rows; every method must be called under `lock`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.rights = set(RIGHTS)
        self.page_size_cap = 100
        self.export_delay = 0.0
        """Taken as on every platform, and without effect: RT withholds nothing."""
        self.unseen: set[int] = set()
        """Tickets that only the administrator sees, on an RT that checks rights row by row."""
        self.queues: dict[int, str] = {}
        self.watchers: dict[int, list[tuple[str, str]]] = {}
        self.groups: dict[int, list[str]] = {}
        self.users: dict[str, User] = {}
        self.tickets: dict[int, Filed] = {}
        self.transactions: list[Row] = []
        self.attachments: list[Row] = []
        self.writes: dict[int, int] = {}
        self._ids: dict[str, int] = {}
        self.password = Secret(secrets.token_urlsafe(30))
        for name, real, staff in (
            (ADMINISTRATOR, "Enoch Root", True),
            (ACCOUNT, "Triage", True),
            (REQUESTER, "Rita Requester", False),
        ):
            self.user(name, real, f"{name}@sandbox.example", staff=staff)
        self.set_staff((), [{"name": "Ann Agent", "email": "ann@sandbox.example", "group": ""}])

    def new_id(self, kind: str) -> int:
        """Give the next number of a kind of row, as a database does."""
        self._ids[kind] = self._ids.get(kind, 0) + 1
        return self._ids[kind]

    def user(self, name: str, real: str, email: str, *, staff: bool = False) -> User:
        """Give a user of that name, made on the spot where there is none."""
        if name not in self.users:
            number = self.new_id("user")
            token = Secret(f"1-{number}-{secrets.token_hex(16)}")
            self.users[name] = User(
                id=number, name=name, real=real, email=email, staff=staff, token=token
            )
        return self.users[name]

    def set_staff(self, groups: Iterable[str], agents: Iterable[Mapping[str, str]]) -> None:
        """Replace the queues, and who watches them as AdminCc."""
        wanted = list(agents)
        names = dict.fromkeys([EVERYBODY, *groups, *(each["group"] for each in wanted)])
        numbers = {name: number for number, name in self.queues.items()}
        self.queues = {numbers.get(n) or self.new_id("queue"): n for n in names if n}
        self.watchers = {number: [] for number in self.queues}
        for agent in wanted:
            name = agent["email"].partition("@")[0]
            self.user(name, agent["name"], agent["email"], staff=True)
            queue = self.queue_id(agent["group"] or EVERYBODY)
            self.watchers[queue].append(("user", name))

    def queue_id(self, key: str) -> int:
        """Find a queue by name or number; raises `KeyError`."""
        found = [number for number, name in self.queues.items() if key in {str(number), name}]
        if not found:
            raise KeyError(key)
        return found[0]

    def may_own(self, name: str, queue: int) -> bool:
        """Whether somebody may own tickets of a queue: its AdminCc may."""
        return name in {NOBODY, ACCOUNT} or ("user", name) in self.watchers[queue]

    def arrive(self, subject: str, text: str, *, by: str, requestors: tuple[str, ...]) -> Filed:
        """File a new ticket; the requestors get an automatic reply, as RT is set up to send."""
        now = self.now()
        ticket = Filed(
            id=self.new_id("ticket"),
            subject=subject,
            queue=self.queue_id(EVERYBODY),
            creator=by,
            requestors=requestors,
            created=now,
            updated=now,
            updated_by=by,
        )
        self.tickets[ticket.id] = ticket
        self.attach(self.note(ticket, "Create", by), text)
        self.mail(ticket, by)
        return ticket

    def note(self, ticket: Filed, kind: str, by: str, **more: str) -> Row:
        """Note that something happened to a ticket now."""
        row = {
            "id": self.new_id("transaction"),
            "ObjectId": str(ticket.id),
            "Type": kind,
            "Creator": by,
            "Created": stamp(self.now()),
            "Field": "",
            "OldValue": "",
            "NewValue": "",
            **more,
        }
        self.transactions.append(row)
        if not kind.endswith("EmailRecord"):
            ticket.updated, ticket.updated_by = self.now(), by
        return row

    def attach(
        self, row: Row, text: str, media: str = "text/plain", filename: str = "", headers: str = ""
    ) -> None:
        """Add a part to what somebody wrote."""
        self.attachments.append(
            {
                "id": self.new_id("attachment"),
                "TransactionId": str(row["id"]),
                "ContentType": media,
                "Filename": filename,
                "Content": text,
                "Headers": headers,
            }
        )

    def mail(self, ticket: Filed, cause: str) -> None:
        """Note that a scrip mailed the requestors because of what somebody did."""
        row = self.note(ticket, "EmailRecord", SYSTEM)
        self.attach(row, "", headers=f"X-RT-Originator: {self.users[cause].email}")

    def present(self, number: int) -> Filed | None:
        """Give a ticket by number; one that was merged gives the other."""
        ticket = self.tickets.get(number)
        while ticket is not None and ticket.merged_into:
            ticket = self.tickets[ticket.merged_into]
        return ticket

    def values(self, ticket: Filed, wanted: Field) -> list[str | None]:
        """Give what a custom field holds."""
        return ticket.values.get(wanted.id, [])
