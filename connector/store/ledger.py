"""The ledger: what was decided for each ticket's words, why, and what became of it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connector.model import (
    Action,
    Aspect,
    FieldUpdate,
    FieldValue,
    Prediction,
    TenantId,
    Ticket,
    TicketId,
    Verdict,
)
from connector.store import dialect
from connector.store.claim import Job, mark_planned
from connector.store.database import Database, Place, reading
from connector.store.schema import ledger


class Outcome(StrEnum):
    """What became of a plan."""

    PLANNED = "planned"
    WRITTEN = "written"
    NOTHING = "nothing"
    REJECTED = "rejected"
    UNDOING = "undoing"
    """The plan of an undo, which nobody but an undo carries out."""
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One effect: the verdicts for one ticket in one wording, and how they ended.

    `written` names the slots in which a value of ours stood when the plan was settled.
    """

    ticket: TicketId
    content_hash: str
    outcome: Outcome
    bundle: str
    language: str
    verdicts: tuple[Verdict, ...]
    vector: bytes
    written: frozenset[str] = frozenset()
    planned_at: float = 0.0
    """In Unix seconds; the ledger's own, whatever a new entry says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How a plan ended, and in which slots (`Verdict.slot`) a value of ours stands."""

    tenant: TenantId
    entry: Entry
    outcome: Outcome
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What we did to a ticket: our value that counts in each slot, and where one was taken back."""

    ours: Mapping[str, FieldValue]
    undone: frozenset[str]


def conclude(connection: Connection, conclusions: Sequence[Conclusion], now: float) -> None:
    """Note how plans ended."""
    if conclusions:
        connection.execute(_CONCLUDE, [_ended(one, now) for one in conclusions])


class Ledger:
    """One entry per tenant, ticket and content hash; no ticket text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, tenant: TenantId, ticket: Ticket) -> Entry | None:
        """Give the entry for the ticket's present wording."""
        found = self._select(tenant, ticket.id, content_hash=ticket.content_hash)
        return found[0] if found else None

    def of(self, tenant: TenantId, ticket: TicketId) -> Sequence[Entry]:
        """Give all entries of a ticket, oldest first."""
        return self._select(tenant, ticket)

    def of_all(
        self, tenant: TenantId, tickets: Collection[TicketId]
    ) -> Mapping[TicketId, Sequence[Entry]]:
        """Give all entries of tickets, oldest first; a ticket without any is left out."""
        found: dict[TicketId, list[Entry]] = {}
        with self._database.read() as connection:
            for entry in _entries(connection, tenant, tickets):
                found.setdefault(entry.ticket, []).append(entry)
        return found

    def plan(self, tenant: TenantId, entries: Sequence[Entry], jobs: Sequence[Job] = ()) -> None:
        """Store what is about to be written, before the desk is called: one durable commit.

        An entry for the same wording that is there already stays: a plan is never changed. `jobs`
        are those that will be written, by these entries or by earlier ones.
        """
        if not entries and not jobs:
            return
        rows = [
            {
                "tenant": tenant,
                "ticket": entry.ticket,
                "content_hash": entry.content_hash,
                "outcome": entry.outcome,
                "planned_at": self._now(),
                "bundle": entry.bundle,
                "language": entry.language,
                "verdicts": verdicts_as_json(entry),
                "vector": entry.vector,
            }
            for entry in entries
        ]
        with self._database.write() as connection:
            if rows:
                connection.execute(dialect.of(connection, _PLAN), rows)
            mark_planned(connection, jobs)

    def settle(self, conclusion: Conclusion) -> None:
        """Note how a plan ended whose job goes on."""
        with self._database.write() as connection:
            conclude(connection, [conclusion], self._now())

    def written(self, tenant: TenantId, ticket: TicketId) -> Mapping[str, FieldValue]:
        """Give the last value that we set on a ticket, per slot (`Verdict.slot`)."""
        return self.past(tenant, ticket).ours

    def past(self, tenant: TenantId, ticket: TicketId) -> Past:
        """Give what we set on a ticket, and what of that was undone."""
        return past_of(self.of(tenant, ticket))

    def _select(
        self, tenant: TenantId, ticket: TicketId, *, content_hash: str | None = None
    ) -> Sequence[Entry]:
        with self._database.read() as connection:
            return _entries(connection, tenant, [ticket], content_hash)

    def _now(self) -> float:
        return self._database.clock.now().timestamp()


def look_at_written(
    place: Place, tenant: TenantId, tickets: Sequence[TicketId]
) -> Mapping[TicketId, Mapping[str, FieldValue]]:
    """Give the last values that we set on tickets, per slot, from a store that may be in use.

    Raises `StateUnusable`.
    """
    with reading(place) as connection:
        return {ticket: past_of(_entries(connection, tenant, [ticket])).ours for ticket in tickets}


def past_of(entries: Sequence[Entry]) -> Past:
    """Put a ticket's entries, oldest first, together; one that is being undone counts as undone."""
    stacks: dict[str, list[FieldValue]] = {}
    undone: set[str] = set()
    for entry in entries:
        for verdict in entry.verdicts:
            if verdict.update is None:
                continue
            values = stacks.setdefault(verdict.slot, [])
            if verdict.action is not Action.UNDO:
                values += [verdict.update.value] if verdict.slot in entry.written else []
            elif entry.outcome is Outcome.UNDOING or verdict.slot in entry.written:
                undone.add(verdict.slot)
                while values and values[-1] != verdict.update.value:
                    values.pop()
    return Past(
        ours={slot: values[-1] for slot, values in stacks.items() if values},
        undone=frozenset(undone),
    )


def _entries(
    connection: Connection,
    tenant: TenantId,
    tickets: Collection[TicketId],
    content_hash: str | None = None,
) -> Sequence[Entry]:
    query = select(*(ledger.c[name] for name in Entry.__slots__)).where(
        ledger.c.tenant == tenant, ledger.c.ticket.in_(tickets)
    )
    if content_hash is not None:
        query = query.where(ledger.c.content_hash == content_hash)
    rows = connection.execute(query.order_by(ledger.c.id)).mappings()
    return tuple(entry_of(dict(row)) for row in rows)


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Read an entry from its row, which may have more columns; raises `KeyError`, `ValueError`."""
    return Entry(
        **{
            **{name: row[name] for name in Entry.__slots__},
            "outcome": Outcome(row["outcome"]),
            "written": frozenset(json.loads(row["written"])),
            "verdicts": tuple(_verdict(saved) for saved in json.loads(row["verdicts"])),
        }
    )


def verdicts_as_json(entry: Entry) -> str:
    """Write an entry's verdicts as its row holds them."""
    return json.dumps([asdict(verdict) for verdict in entry.verdicts])


def _verdict(saved: Mapping[str, Any]) -> Verdict:
    prediction = saved["prediction"]
    update = saved["update"]
    return Verdict(
        prediction=Prediction(
            **{
                **prediction,
                "aspect": Aspect(prediction["aspect"]),
                "ranking": tuple((label, score) for label, score in prediction["ranking"]),
                "rules": tuple(prediction.get("rules", ())),
            }
        ),
        action=Action(saved["action"]),
        slot=saved["slot"],
        reason=saved["reason"],
        update=None if update is None else _update(update),
    )


def _update(saved: Mapping[str, Any]) -> FieldUpdate:
    return FieldUpdate(
        aspect=Aspect(saved["aspect"]),
        field=saved["field"],
        value=_value(saved["value"]),
        replaces=_value(saved["replaces"]),
    )


def _value(saved: Any) -> FieldValue:
    return tuple(saved) if isinstance(saved, list) else saved


_PLAN = dialect.upserts(ledger, lambda row: row.on_conflict_do_nothing())
_CONCLUDE = (
    update(ledger)
    .where(
        ledger.c.tenant == bindparam("of"),
        ledger.c.ticket == bindparam("about"),
        ledger.c.content_hash == bindparam("words"),
    )
    .values({name: bindparam(name) for name in ("outcome", "settled_at", "written")})
)


def _ended(one: Conclusion, now: float) -> dict[str, object]:
    return {
        "of": one.tenant,
        "about": one.entry.ticket,
        "words": one.entry.content_hash,
        "outcome": one.outcome,
        "settled_at": now,
        "written": json.dumps(sorted(one.written)),
    }
