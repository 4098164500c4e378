"""How claimed rows end: a batch of them, and what became of their plans, in one durable commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Update, bindparam, case, update

from connector.store import brakes
from connector.store.claim import CLAIMED, Job, claimed, is_one_of, lock
from connector.store.ledger import Conclusion, conclude
from connector.store.schema import State, inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a claimed row, and of its plan where it had one.

    It ends as `done` or `dead`, or is due again (`due_again`); then `counts` spends an attempt, and
    without a `detail` the row keeps the reason of its last failure.
    """

    job: Job
    state: State = State.DONE
    detail: str = ""
    delay: float = 0.0
    counts: bool = True
    conclusion: Conclusion | None = None


def due_again(job: Job, *, delay: float, detail: str, counts: bool = True) -> Settlement:
    """Have a row tried again after `delay` seconds."""
    state = State.RETRY if delay > 0 else State.READY
    return Settlement(job=job, state=state, delay=delay, detail=detail, counts=counts)


def settle(connection: Connection, settlements: Sequence[Settlement], now: float) -> None:
    """End the rows and note how their plans ended.

    A row that somebody else claimed meanwhile stays his. One that had further events is ready
    again, whatever it ended with. What was set aside of a ticket that is done now is superseded.
    """
    lock(connection, inbox.c.id.in_([one.job.id for one in settlements]))
    ordered = sorted(settlements, key=lambda one: one.job.ticket)
    conclusions = [one.conclusion for one in ordered if one.conclusion]
    conclude(connection, conclusions, now)
    brakes.count(connection, conclusions, now)
    ended = [one for one in ordered if one.state in {State.DONE, State.DEAD}]
    again = [one for one in ordered if one.state in {State.RETRY, State.READY}]
    _run(connection, _END, (_ending(one, now) for one in ended))
    _run(connection, _REOPEN, ({**claimed(one.job), "now": now} for one in ended))
    _run(connection, _AGAIN, (_due(one, now) for one in again))
    done = (one.job for one in ended if one.state is State.DONE)
    _run(
        connection,
        _SUPERSEDE,
        ({"of": job.tenant, "about": job.ticket, "before": job.id} for job in done),
    )


def _run(connection: Connection, statement: Update, rows: Iterable[dict[str, object]]) -> None:
    if found := list(rows):
        connection.execute(statement, found)


def _ending(one: Settlement, now: float) -> dict[str, object]:
    told = {"seen": one.job.marks, "state": one.state, "finished_at": now, "detail": one.detail}
    return {**claimed(one.job), **told}


def _due(one: Settlement, now: float) -> dict[str, object]:
    return {
        **claimed(one.job),
        "state": one.state,
        "due_at": now + one.delay,
        "attempts": one.job.attempts + int(one.counts),
        "why": one.detail,
    }


# Made once: building a statement costs more than running it.
_END = CLAIMED.where(inbox.c.marks == bindparam("seen")).values(
    {name: bindparam(name) for name in ("state", "finished_at", "detail")}
)
_REOPEN = CLAIMED.values(
    state=State.READY, due_at=bindparam("now"), attempts=0, crashes=0, detail=""
)
_AGAIN = CLAIMED.values(
    {name: bindparam(name) for name in ("state", "due_at", "attempts")}
    | {"detail": case((bindparam("why") == "", inbox.c.detail), else_=bindparam("why"))}
)
_SUPERSEDE = (
    update(inbox)
    .where(
        inbox.c.tenant == bindparam("of"),
        inbox.c.ticket == bindparam("about"),
        inbox.c.id < bindparam("before"),
        is_one_of(State.DEAD, State.HELD),
    )
    .values(state=State.SUPERSEDED)
)
