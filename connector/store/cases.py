"""The case book: who works or resolved which ticket, and what it was like as a vector."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, select
from sqlalchemy.sql.dml import Insert

from connector.assign import RECENT
from connector.model import Case, Status, TenantId, Ticket, TicketId
from connector.store import dialect
from connector.store.database import Database
from connector.store.schema import cases, histories


def _noting(row: Any) -> Insert:
    """Replace the case that is known, but no full vector by an empty one."""
    new = row.excluded
    vector = case((func.length(new.vector) > 0, new.vector), else_=cases.c.vector)
    known: dict[str, Any] = {
        name: new[name] for name in ("status", "group", "assignee", "updated_at")
    }
    was, becomes = cases.c, new
    passed_on = or_(
        *(
            and_(was[name] != "", becomes[name] != "", was[name] != becomes[name])
            for name in ("assignee", "group")
        )
    )
    opened = and_(was.status == Status.RESOLVED, becomes.status == Status.OPEN)
    known |= {
        "filed_at": func.coalesce(was.filed_at, becomes.filed_at),
        "assigned_at": func.coalesce(was.assigned_at, becomes.assigned_at),
        "reassigned": was.reassigned + case((passed_on, 1), else_=0),
        "reopened": was.reopened + case((opened, 1), else_=0),
    }
    noted: Insert = row.on_conflict_do_update(
        index_elements=["tenant", "ticket"], set_={**known, "vector": vector}
    )
    return noted


_NOTE = dialect.upserts(cases, _noting)
_LEARNT = dialect.upserts(histories, lambda row: row.on_conflict_do_nothing())


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A ticket's way through people's hands, as looks at it showed it; times in Unix seconds."""

    ticket: TicketId
    filed_at: float
    assigned_at: float | None
    reassigned: int
    reopened: int


class CaseBook:
    """The newest known state of each ticket's assignment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, tenant: TenantId, tickets: Sequence[tuple[Ticket, bytes]]) -> None:
        """Remember how tickets stand, with their vectors (empty: keep the one that is known)."""
        rows = [
            {
                "tenant": tenant,
                "ticket": ticket.id,
                "vector": vector,
                "status": ticket.status,
                "group": ticket.group,
                "assignee": ticket.assignee,
                "updated_at": ticket.updated_at.timestamp(),
                "filed_at": ticket.created_at.timestamp(),
                "assigned_at": ticket.updated_at.timestamp() if ticket.assignee else None,
            }
            for ticket, vector in sorted(tickets, key=lambda one: one[0].id)
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(dialect.of(connection, _NOTE), rows)

    def forget(self, tenant: TenantId, ticket: TicketId) -> None:
        """Drop a ticket that its desk deleted."""
        with self._database.write() as connection:
            connection.execute(
                delete(cases).where(cases.c.tenant == tenant, cases.c.ticket == ticket)
            )

    def with_vector(self, tenant: TenantId, tickets: Collection[TicketId]) -> Collection[TicketId]:
        """Tell which of the tickets have a vector already."""
        query = select(cases.c.ticket).where(
            cases.c.tenant == tenant,
            cases.c.ticket.in_(tickets),
            func.length(cases.c.vector) > 0,
        )
        with self._database.read() as connection:
            return {TicketId(ticket) for ticket in connection.execute(query).scalars()}

    def resolved(self, tenant: TenantId) -> Sequence[Case]:
        """Give the newest resolved tickets that have a vector and a group or an assignee."""
        query = (
            select(*(cases.c[name] for name in Case.__slots__))
            .where(
                cases.c.tenant == tenant,
                cases.c.status == Status.RESOLVED,
                func.length(cases.c.vector) > 0,
                (cases.c.assignee != "") | (cases.c.group != ""),
            )
            .order_by(cases.c.updated_at.desc())
            .limit(RECENT)
        )
        with self._database.read() as connection:
            # As plain tuples: a mapping for each of some thousand rows takes twice as long.
            found = connection.execute(query).all()
        return tuple(
            Case(ticket=ticket, group=group, assignee=person, vector=vector, updated_at=changed)
            for ticket, group, person, vector, changed in found
        )

    def ways(self, tenant: TenantId, filed_after: float = 0.0) -> Sequence[Way]:
        """Give the ways of tickets filed after that time."""
        query = select(*(cases.c[name] for name in Way.__slots__)).where(
            cases.c.tenant == tenant, cases.c.filed_at >= filed_after
        )
        with self._database.read() as connection:
            return tuple(Way(**row) for row in connection.execute(query).mappings())

    def has_history(self, tenant: TenantId) -> bool:
        """Tell whether a tenant's resolved tickets of the past were read to their end."""
        query = select(histories.c.tenant).where(histories.c.tenant == tenant)
        with self._database.read() as connection:
            return connection.execute(query).scalar() is not None

    def note_history(self, tenant: TenantId) -> None:
        """Note that they were."""
        learnt = {"tenant": tenant, "learnt_at": self._database.clock.now().timestamp()}
        with self._database.write() as connection:
            connection.execute(dialect.of(connection, _LEARNT), learnt)

    def open_load(self, tenant: TenantId) -> Mapping[str, int]:
        """Count the open tickets of each assignee."""
        query = (
            select(cases.c.assignee, func.count())
            .where(
                cases.c.tenant == tenant,
                cases.c.status == Status.OPEN,
                cases.c.assignee != "",
            )
            .group_by(cases.c.assignee)
        )
        with self._database.read() as connection:
            return dict(connection.execute(query).all())
