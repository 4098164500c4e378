"""All that a report is made of: one tenant's decisions of a time, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from connector.model import TenantId, TicketId
from connector.store.cases import Way
from connector.store.database import Place, reading
from connector.store.feedback import Answer, answer_of
from connector.store.ledger import Entry, entry_of
from connector.store.schema import State, cases, feedback, inbox, ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The newest piece of work about a ticket, and how it ended."""

    state: State
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What was decided in a time, oldest first, and what was heard of those and other tickets."""

    entries: Sequence[Entry]
    answers: Sequence[Answer]
    ways: Sequence[Way]
    heard: Mapping[TicketId, Heard]


def look_at_records(place: Place, tenant: TenantId, since: float, until: float) -> Records:
    """Read one consistent state of a store that may be in use; raises `StateUnusable`."""
    with reading(place) as connection:
        return Records(
            entries=_entries(connection, tenant, since, until),
            answers=_answers(connection, tenant, since, until),
            ways=_ways(connection, tenant, since, until),
            heard=_heard(connection, tenant, since, until),
        )


def _entries(
    connection: Connection, tenant: TenantId, since: float, until: float
) -> Sequence[Entry]:
    # Without the vectors: they are most of a row, and no report needs them.
    columns = [ledger.c[name] for name in Entry.__slots__ if name != "vector"]
    query = (
        select(*columns)
        .where(ledger.c.tenant == tenant, ledger.c.planned_at >= since, ledger.c.planned_at < until)
        .order_by(ledger.c.id)
    )
    rows = connection.execute(query).mappings()
    return tuple(entry_of({**row, "vector": b""}) for row in rows)


def _answers(
    connection: Connection, tenant: TenantId, since: float, until: float
) -> Sequence[Answer]:
    query = select(*(feedback.c[name] for name in Answer.__slots__)).where(
        feedback.c.tenant == tenant,
        feedback.c.decided_at >= since,
        feedback.c.decided_at < until,
    )
    return tuple(answer_of(row) for row in connection.execute(query).mappings())


def _ways(connection: Connection, tenant: TenantId, since: float, until: float) -> Sequence[Way]:
    decided = select(ledger.c.ticket).where(
        ledger.c.tenant == tenant, ledger.c.planned_at >= since, ledger.c.planned_at < until
    )
    query = select(*(cases.c[name] for name in Way.__slots__)).where(
        cases.c.tenant == tenant, cases.c.filed_at.is_not(None), cases.c.ticket.in_(decided)
    )
    return tuple(Way(**row) for row in connection.execute(query).mappings())


def _heard(
    connection: Connection, tenant: TenantId, since: float, until: float
) -> Mapping[TicketId, Heard]:
    query = (
        select(inbox.c.ticket, inbox.c.state, inbox.c.detail)
        .where(
            inbox.c.tenant == tenant,
            inbox.c.ticket != "",
            inbox.c.received_at >= since,
            inbox.c.received_at < until,
        )
        .order_by(inbox.c.id)
    )
    return {
        TicketId(ticket): Heard(state=State(state), detail=detail)
        for ticket, state, detail in connection.execute(query)
    }
