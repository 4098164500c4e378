"""What people made of each answer: kept, corrected, or not known yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy.sql.dml import Insert

from connector.model import Action, Aspect, TenantId, TicketId
from connector.store import dialect
from connector.store.database import Database, Place, reading
from connector.store.schema import feedback


class Fate(StrEnum):
    """What became of an answer, as the last look at its ticket showed it."""

    OPEN = "open"
    """Nobody has said anything about it yet."""
    KEPT = "kept"
    """It stands, or a person chose the same by themselves."""
    CORRECTED = "corrected"
    """A person changed it, took it away, or chose something else by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer and its fate; times are Unix seconds.

    `value` and `truth` are the desk's words: what was set or would have been, and what a person
    chose instead (empty: they took it away). `precision` is the dial that the answer met. It is
    judged, once and for all who count, when its ticket is resolved or old enough.
    """

    ticket: TicketId
    aspect: Aspect
    label: str
    value: str
    action: Action
    precision: float
    bundle: str
    decided_at: float
    state: Fate
    truth: str = ""
    seen_at: float = 0.0
    judged_at: float | None = None
    corrected_at: float | None = None
    """When a person first overruled us on the ticket, whatever they did later."""

    @property
    def is_touched(self) -> bool:
        """Whether people could see our answer when they chose."""
        return self.action in {Action.WRITE, Action.SUGGEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A judged answer as evidence: whether it was right, and how often it had to be."""

    aspect: Aspect
    label: str
    action: Action
    is_right: bool
    precision: float
    decided_at: float


class Feedback:
    """The newest answer of each ticket and aspect that people could react to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, tenant: TenantId, tickets: Collection[TicketId]) -> Sequence[Answer]:
        """Give what is known about tickets."""
        query = select(*(feedback.c[name] for name in Answer.__slots__)).where(
            feedback.c.tenant == tenant, feedback.c.ticket.in_(tickets)
        )
        with self._database.read() as connection:
            return tuple(answer_of(row) for row in connection.execute(query).mappings())

    def note(self, tenant: TenantId, answers: Sequence[Answer]) -> None:
        """Keep what a look showed; when an answer was judged first stays."""
        ordered = sorted(answers, key=lambda one: (one.ticket, one.aspect))
        if ordered:
            with self._database.write() as connection:
                rows = [{"tenant": tenant, **asdict(one)} for one in ordered]
                connection.execute(dialect.of(connection, _NOTE), rows)

    def mature(self, decided_before: float) -> int:
        """Judge what has stood, or was corrected, for long enough; give how many answers."""
        ripe = (
            update(feedback)
            .where(
                feedback.c.judged_at.is_(None),
                feedback.c.decided_at < decided_before,
                feedback.c.state != Fate.OPEN,
            )
            .values(judged_at=bindparam("now"))
        )
        with self._database.write() as connection:
            now = self._database.clock.now().timestamp()
            return connection.execute(ripe, {"now": now}).rowcount

    def trials(self, tenant: TenantId) -> Sequence[Trial]:
        """Give what was judged of a tenant's answers, in the order of judging."""
        with self._database.read() as connection:
            return _trials(connection, tenant)

    def newest(self, tenant: TenantId) -> tuple[int, float]:
        """Tell how much has been judged, and when last: the same while there is nothing new."""
        query = select(func.count(), func.max(feedback.c.seen_at)).where(
            feedback.c.tenant == tenant, feedback.c.judged_at.is_not(None)
        )
        with self._database.read() as connection:
            count, seen = connection.execute(query).one()
        return count, seen or 0.0


def look_at_trials(place: Place, tenant: TenantId) -> Sequence[Trial]:
    """Give what was judged, as `Feedback.trials` does, from a store that may be in use.

    Raises `StateUnusable`.
    """
    with reading(place) as connection:
        return _trials(connection, tenant)


def _trials(connection: Connection, tenant: TenantId) -> Sequence[Trial]:
    names = ("aspect", "label", "action", "precision", "decided_at", "state")
    query = (
        select(*(feedback.c[name] for name in names))
        .where(
            feedback.c.tenant == tenant,
            feedback.c.judged_at.is_not(None),
            feedback.c.state != Fate.OPEN,
        )
        .order_by(feedback.c.judged_at, feedback.c.decided_at, feedback.c.ticket)
    )
    return tuple(
        Trial(
            aspect=Aspect(row.aspect),
            label=row.label,
            action=Action(row.action),
            is_right=row.state == Fate.KEPT,
            precision=row.precision,
            decided_at=row.decided_at,
        )
        for row in connection.execute(query)
    )


def counted(connection: Connection) -> Mapping[str, Mapping[tuple[str, str], int]]:
    """Count each tenant's touched answers by aspect and fate."""
    touched = feedback.c.action.in_((Action.WRITE, Action.SUGGEST))
    columns = (feedback.c.tenant, feedback.c.aspect, feedback.c.state)
    counts: dict[str, dict[tuple[str, str], int]] = {}
    query = select(*columns, func.count()).where(touched).group_by(*columns)
    for tenant, aspect, state, count in connection.execute(query):
        counts.setdefault(tenant, {})[aspect, state] = count
    return counts


def answer_of(row: Any) -> Answer:
    """Read an answer from its row."""
    told = dict(row)
    kinds = {"aspect": Aspect, "action": Action, "state": Fate}
    return Answer(**{**told, **{name: kind(told[name]) for name, kind in kinds.items()}})


def _noting(row: Any) -> Insert:
    new = row.excluded
    same = feedback.c.decided_at == new.decided_at
    judged = func.coalesce(case((same, feedback.c.judged_at)), new.judged_at)
    known: dict[str, Any] = {
        name: new[name]
        for name in Answer.__slots__
        if name not in {"ticket", "aspect", "judged_at", "corrected_at"}
    }
    corrected = func.coalesce(feedback.c.corrected_at, new.corrected_at)
    known |= {"judged_at": judged, "corrected_at": corrected}
    noted: Insert = row.on_conflict_do_update(
        index_elements=["tenant", "ticket", "aspect"],
        set_=known,
    )
    return noted


_NOTE = dialect.upserts(feedback, _noting)
