"""What an undo reads and notes: our writes by ticket, and its own plans and ends in the ledger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, or_, select

from connector.model import TenantId, TicketId
from connector.store.database import Database, Place, reading
from connector.store.ledger import (
    Conclusion,
    Entry,
    Outcome,
    conclude,
    entry_of,
    verdicts_as_json,
)
from connector.store.schema import feedback, ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """An entry, and when it was settled (while it is not: planned), in Unix seconds."""

    entry: Entry
    at: float


def look_at_writes(
    place: Place, tenant: TenantId, *, since: float | None = None, until: float | None = None
) -> Sequence[tuple[TicketId, Sequence[Dated]]]:
    """Give the tickets that we wrote to in a time, each with everything that we ever did there.

    Undos are among it; the oldest comes first. The store may be in use. Raises `StateUnusable`.
    """
    meant: list[ColumnElement[bool]] = [ledger.c.tenant == tenant, ledger.c.written != "[]"]
    meant += [] if since is None else [ledger.c.settled_at >= since]
    meant += [] if until is None else [ledger.c.settled_at < until]
    tickets = select(ledger.c.ticket).where(*meant)
    columns = [ledger.c[name] for name in Entry.__slots__ if name != "vector"]
    query = (
        select(*columns, ledger.c.settled_at)
        .where(
            ledger.c.tenant == tenant,
            ledger.c.ticket.in_(tickets),
            or_(ledger.c.written != "[]", ledger.c.outcome == Outcome.UNDOING),
        )
        .order_by(ledger.c.ticket, ledger.c.id)
    )
    with reading(place) as connection:
        rows = connection.execute(query).mappings()
        return [
            (TicketId(ticket), tuple(_dated(dict(row)) for row in told))
            for ticket, told in groupby(rows, lambda row: str(row["ticket"]))
        ]


def _dated(row: Mapping[str, Any]) -> Dated:
    at = row["planned_at"] if row["settled_at"] is None else row["settled_at"]
    return Dated(entry=entry_of({**row, "vector": b""}), at=float(at))


class Undoings:
    """The undos of a daemon's ledger. Each call is one durable transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, tenant: TenantId, entry: Entry) -> None:
        """Note what is about to be taken back, before the desk is called.

        From here on it is not set again, and what people made of it is no longer waited for.
        """
        row = {
            "tenant": tenant,
            "ticket": entry.ticket,
            "content_hash": entry.content_hash,
            "outcome": Outcome.UNDOING,
            "planned_at": self._now(),
            "bundle": entry.bundle,
            "language": entry.language,
            "verdicts": verdicts_as_json(entry),
            "vector": b"",
        }
        with self._database.write() as connection:
            connection.execute(insert(ledger).values(row))
            connection.execute(
                delete(feedback).where(
                    feedback.c.tenant == tenant,
                    feedback.c.ticket == entry.ticket,
                    feedback.c.aspect.in_([each.prediction.aspect for each in entry.verdicts]),
                    feedback.c.judged_at.is_(None),
                    feedback.c.corrected_at.is_(None),
                )
            )

    def end(self, tenant: TenantId, entry: Entry, restored: frozenset[str]) -> None:
        """Note in which slots what was there before stands again."""
        outcome = Outcome.UNDONE if restored else Outcome.NOTHING
        end = Conclusion(tenant=tenant, entry=entry, outcome=outcome, written=restored)
        with self._database.write() as connection:
            conclude(connection, [end], self._now())

    def _now(self) -> float:
        return self._database.clock.now().timestamp()


def packed(entry: Entry) -> Mapping[str, Any]:
    """Write an entry of an undo as JSON can carry it."""
    return {
        "ticket": entry.ticket,
        "content_hash": entry.content_hash,
        "outcome": entry.outcome,
        "bundle": entry.bundle,
        "language": entry.language,
        "verdicts": verdicts_as_json(entry),
        "written": "[]",
        "planned_at": entry.planned_at,
    }


def unpacked(told: Mapping[str, Any]) -> Entry:
    """Read it again; raises `ValueError`, `KeyError` and `TypeError` for anything else."""
    entry = entry_of({**told, "vector": b""})
    if entry.outcome is not Outcome.UNDOING:
        raise ValueError("not the plan of an undo")
    return entry


def open_plans(entries: Sequence[Dated]) -> Iterator[Entry]:
    """Yield the undos of a ticket whose end nobody noted."""
    yield from (one.entry for one in entries if one.entry.outcome is Outcome.UNDOING)
