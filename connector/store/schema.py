"""The tables. Times are Unix seconds (UTC) of our own clock; no table holds a ticket's text."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

VERSION = 4
"""The schema's version, kept in the database; a daemon refuses one that it does not know."""

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")
"""A row's number. SQLite counts up by itself for the type INTEGER only, which has 64 bits there."""


class Words(TypeDecorator[str]):
    """Text from outside, of any length; what a database would refuse is left out or replaced.

    That is NUL, which only PostgreSQL refuses, and half a character of UTF-16, which no driver can
    send and JSON can hold.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Give the column's type; the length is only what SQLite's schema has always said."""
        is_bounded = self.length is not None and dialect.name == "sqlite"
        return dialect.type_descriptor(String(self.length) if is_bounded else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Give the text as it can be kept."""
        del dialect
        if value is None or (value.isascii() and "\x00" not in value):
            return value
        return value.replace("\x00", "").encode(errors="replace").decode()


class State(StrEnum):
    """Where a piece of work stands."""

    READY = "ready"
    RETRY = "retry"
    """Tried before, and due again at a time that lies ahead."""
    LEASED = "leased"
    PLANNED = "planned"
    """Leased, and its plan is in the ledger: from here on the desk may have heard of it."""
    DONE = "done"
    DEAD = "dead"
    HELD = "held"
    SUPERSEDED = "superseded"
    """Was dead or held until a later event of its ticket went through."""


OPEN_STATES = (State.READY, State.RETRY, State.LEASED, State.PLANNED)

OPEN = f"state IN ({', '.join(repr(state.value) for state in OPEN_STATES)})"
"""SQL for the rows that are still to be worked off. Written out, since SQLite uses a partial index
only for a condition without parameters."""

LAST_OF_ALL = 1e11
"""The due time of work that waits until nothing newer does: the year 5138, behind all others in
the order of claiming."""

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

inbox = Table(
    "inbox",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("ticket", Words(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("version", Words(255), nullable=False, server_default=""),
    # Further events for a row that is already open only count here.
    Column("marks", Integer, nullable=False, server_default="1"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("received_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("detail", Words, nullable=False, server_default=""),
    # Raised by each claim: who claimed earlier can no longer settle the row.
    Column("fence", Integer, nullable=False, server_default="0"),
    # Who claimed it; whether he is still alive, `nodes` tells.
    Column("owner", String(64), nullable=False, server_default=""),
    # Times in a row that the process died while it read the ticket.
    Column("crashes", Integer, nullable=False, server_default="0"),
    # The rule "at most one open row per tenant and ticket" is the database's, not a program's.
    Index(
        "inbox_open",
        "tenant",
        "ticket",
        unique=True,
        sqlite_where=text(OPEN),
        postgresql_where=text(OPEN),
    ),
    # In the order of claiming, and without the finished rows: a claim reads what it takes.
    Index(
        "inbox_work",
        "tenant",
        "crashes",
        "due_at",
        "id",
        sqlite_where=text(OPEN),
        postgresql_where=text(OPEN),
    ),
    Index("inbox_due", "tenant", "state", "due_at"),
    Index("inbox_ticket", "tenant", "ticket", "version"),
)

# The daemons that share the database. On SQLite there is one, and it is not listed.
nodes = Table(
    "nodes",
    metadata,
    Column("name", String(64), primary_key=True),
    # By the server's clock; what a node claimed is anybody's afterwards.
    Column("alive_until", Float, nullable=False),
)

books = Table(
    "books",
    metadata,
    Column("tenant", String(63), primary_key=True),
    # Events taken in, counted apart from the rows that they made or marked.
    Column("received", Integer, nullable=False, server_default="0"),
    # Events of rows that are no longer in the inbox.
    Column("done", Integer, nullable=False, server_default="0"),
    Column("superseded", Integer, nullable=False, server_default="0"),
    Column("dropped", Integer, nullable=False, server_default="0"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("cursor", Words, nullable=False),
    Column("moved_at", Float, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("tenant", String(63), nullable=False),
    Column("delivery", Words(255), nullable=False),
    Column("received_at", Float, nullable=False),
    PrimaryKeyConstraint("tenant", "delivery"),
    Index("deliveries_age", "received_at"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("ticket", Words(255), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("planned_at", Float, nullable=False),
    Column("settled_at", Float),
    Column("bundle", Words(255), nullable=False),
    Column("language", String(8), nullable=False, server_default=""),
    Column("verdicts", Text, nullable=False),
    # Which of the plan's slots hold a value that came from us.
    Column("written", Text, nullable=False, server_default="[]"),
    Column("vector", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "ticket", "content_hash", name="one_effect"),
    Index("ledger_age", "planned_at"),
)

histories = Table(
    "histories",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("learnt_at", Float, nullable=False),
)

cases = Table(
    "cases",
    metadata,
    Column("tenant", String(63), nullable=False),
    Column("ticket", Words(255), nullable=False),
    Column("status", String(16), nullable=False),
    Column("group", Words(255), nullable=False, server_default=""),
    Column("assignee", Words(255), nullable=False, server_default=""),
    Column("vector", LargeBinary, nullable=False),
    Column("updated_at", Float, nullable=False),
    # The ticket's way through people's hands, as far as looks at it showed it.
    Column("filed_at", Float),
    Column("assigned_at", Float),
    Column("reassigned", Integer, nullable=False, server_default="0"),
    Column("reopened", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("tenant", "ticket"),
    Index("cases_recent", "tenant", "status", "updated_at"),
    Index("cases_age", "updated_at"),
)

# What people made of an answer: the value that stood on the ticket in the end.
feedback = Table(
    "feedback",
    metadata,
    Column("tenant", String(63), nullable=False),
    Column("ticket", Words(255), nullable=False),
    Column("aspect", String(16), nullable=False),
    Column("label", Words(255), nullable=False),
    # The desk's word for the label: what was set, or would have been.
    Column("value", Words(255), nullable=False),
    Column("action", String(16), nullable=False),
    # The dial that the answer had to meet.
    Column("precision", Float, nullable=False),
    Column("bundle", Words(255), nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("state", String(16), nullable=False),
    # The desk's word for what a person chose instead, or chose by themselves.
    Column("truth", Words(255), nullable=False, server_default=""),
    Column("seen_at", Float, nullable=False),
    Column("judged_at", Float),
    # When a person first overruled us there, whatever they did later.
    Column("corrected_at", Float),
    PrimaryKeyConstraint("tenant", "ticket", "aspect"),
    Index("feedback_judged", "tenant", "aspect", "judged_at"),
    Index("feedback_waiting", "judged_at", "decided_at"),
)

# How far a class may go, where that is less than the tenant's file says; "" is all of an aspect.
levels = Table(
    "levels",
    metadata,
    Column("tenant", String(63), nullable=False),
    Column("aspect", String(16), nullable=False),
    Column("label", Words(255), nullable=False),
    Column("mode", String(16), nullable=False),
    # What happened earlier is no evidence about this level.
    Column("since", Float, nullable=False),
    Column("reason", Words, nullable=False, server_default=""),
    PrimaryKeyConstraint("tenant", "aspect", "label"),
)

# The desk's options that answers need, as the last look found them.
options = Table(
    "options",
    metadata,
    Column("tenant", String(63), nullable=False),
    Column("aspect", String(16), nullable=False),
    Column("label", Words(255), nullable=False),
    Column("value", Words(255), nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("gone_at", Float),
    PrimaryKeyConstraint("tenant", "aspect", "label"),
)

# Tickets that were written to, by the minute, for as long as the brake looks back.
writes = Table(
    "writes",
    metadata,
    Column("tenant", String(63), nullable=False),
    Column("minute", Integer, nullable=False),
    Column("tickets", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "minute"),
)

brakes = Table(
    "brakes",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("pulled_at", Float, nullable=False),
    Column("detail", Words, nullable=False),
)
