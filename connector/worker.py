"""Claims batches of the inbox and turns every error into what happens next."""

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from threading import Condition, Event, Thread

import structlog

from connector import retry
from connector.desk import Desk
from connector.errors import TriagedError
from connector.logs import place
from connector.metrics import Metrics
from connector.model import TenantId
from connector.pipeline import Ending, Next, triage
from connector.ports import Clock
from connector.pulse import Pulses
from connector.roster import Doing, Roster
from connector.store import BACKFILL, Entry, Job, Settlement, State, Store, due_again

BATCH = 32
"""Rows claimed at once: one call fetches them all, and a crash repeats few."""

BACKLOG_SHARE = 0.5
"""Of the writes that the brake allows in an hour: the other half is left to fresh tickets."""

IDLE = 1.0
"""Seconds between two looks when nobody wakes us: rows become due without a word."""

PATIENCE = 180.0
"""Seconds that a worker may be silent: longer than one call with all its time-outs, a batch that is
read on a busy machine, or a write to the store take."""

SETTLED_WITHIN = 1.0
"""Seconds after which the end of a ticket is on disk, however long its batch still takes."""

_log = structlog.get_logger()


class Bell:
    """Wakes idle workers when there may be work."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._rung = 0

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self._rung += 1
            self._condition.notify_all()

    def count(self) -> int:
        """Give a number that `wait` compares with, so that no ring is missed in between."""
        return self._rung

    def wait(self, seen: int, timeout: float) -> None:
        """Wait until the bell was rung after `seen`, or until the time is over."""
        with self._condition:
            self._condition.wait_for(lambda: self._rung != seen, timeout)


class Worker:
    """One thread that carries tickets along the line, one tenant's batch at a time."""

    def __init__(  # noqa: PLR0913 - a part each
        self,
        *,
        store: Store,
        roster: Roster,
        clock: Clock,
        bell: Bell,
        metrics: Metrics,
        pulses: Pulses | None = None,
        name: str = "worker",
    ) -> None:
        self._store = store
        self._roster = roster
        self._clock = clock
        self._bell = bell
        self._metrics = metrics
        self._pulses = pulses or Pulses()
        self._name = name
        self._stopping = Event()
        self._random = random.Random()  # noqa: S311 - jitter needs no secrecy
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the ticket in hand, give the rest of the batch back, and end."""
        self._stopping.set()
        self._bell.ring()

    def join(self, timeout: float) -> None:
        """Wait for the end, at most `timeout` seconds."""
        self._thread.join(timeout)

    def turn(self) -> bool:
        """Work off one batch of the tenant that has waited longest; tell whether there was one."""
        batch: list[Job] = []

        def choose(free: Sequence[TenantId]) -> TenantId | None:
            shaky = self._roster.shaky()
            batch.extend(self._store.inbox.claim(BATCH, tenants=free, shaky=shaky))
            if not batch:
                batch.extend(self._of_backlog(free, shaky))
            return batch[0].tenant if batch else None

        with self._roster.turn(choose) as desk:
            if desk is not None:
                self._work(desk, batch)
        return bool(batch)

    def _of_backlog(self, free: Sequence[TenantId], shaky: Collection[TenantId]) -> Sequence[Job]:
        """Claim of what waits until nothing newer does, as far as the brake leaves room for it."""
        for tenant in self._store.inbox.with_backlog(free):
            desk = self._roster.desk(tenant)
            if desk is None:
                continue
            most = int(desk.writes_per_hour * BACKLOG_SHARE)
            room = most - self._store.brakes.written(tenant)
            if room > 0:
                limit, is_shaky = min(room, BATCH), tenant in shaky
                return self._store.inbox.claim_backlog(limit, tenant, is_shaky=is_shaky)
        return ()

    def _run(self) -> None:
        with self._pulses.running(self._name, PATIENCE):
            self._go_round()

    def _go_round(self) -> None:
        trouble = ("", "")
        while not self._stopping.is_set():
            self._pulses.beat()
            seen = self._bell.count()
            try:
                worked = self.turn()
                trouble = ("", "")
            except Exception as error:  # noqa: BLE001 - the loop outlives what it did not foresee
                worked, earlier = False, trouble
                trouble = (type(error).__name__, place(error))
                if trouble != earlier:  # said once, however long the store is out of reach
                    _log.error("worker_stumbled", error=trouble[0], at=trouble[1])
            if not worked:
                self._bell.wait(seen, IDLE)

    def _work(self, desk: Desk, batch: Sequence[Job]) -> bool:
        """Work a batch off; tell whether the desk may be asked on."""
        left = {job.id: job for job in batch}
        try:
            granted = self._granted(desk)
            if not granted:
                self._give_back(batch)
                return False
            # What is given back here has no plan yet, and is decided by how it stands then.
            self._carry(desk, batch[:granted], left)
            self._roster.worked(desk.tenant, Doing.TICKETS)
            self._give_back(left.values())
        except Exception as error:
            if isinstance(error, TriagedError) and retry.then(error) in retry.TENANT_WAITS:
                self._pause(desk, left, error)
                return False
            if not left:  # all went through; what could not be noted is read back by the next try
                raise
            if len(left) > 1:
                return self._one_by_one(desk, tuple(left.values()))
            self._stumble(desk, next(iter(left.values())), error)
        return not self._stopping.is_set()

    def _carry(self, desk: Desk, batch: Sequence[Job], left: dict[int, Job]) -> None:
        """Carry a batch along the line; what has ended is taken out of `left` and settled."""
        ended: list[_Ended] = []
        try:
            for ending in triage(desk, self._store, batch):
                self._pulses.beat()
                now = self._clock.now().timestamp()
                ended.append(_Ended(ending=ending, at=now))
                del left[ending.job.id]
                if now - ended[0].at >= SETTLED_WITHIN:
                    self._settle(desk, ended)
                    ended = []
                if self._stopping.is_set():
                    break
        finally:
            self._settle(desk, ended)

    def _granted(self, desk: Desk) -> int:
        """Give how many more tickets may be written to now; with none left, stop the tenant."""
        granted = max(0, desk.writes_per_hour - self._store.brakes.written(desk.tenant))
        if not granted:
            detail = f"{desk.writes_per_hour} tickets were written to within an hour"
            if self._store.brakes.pull(desk.tenant, detail):
                _log.error("brake_pulled", tenant=desk.tenant, tickets=desk.writes_per_hour)
            self._roster.brake(self._store.brakes.pulled())
        return granted

    def _one_by_one(self, desk: Desk, jobs: Sequence[Job]) -> bool:
        """Work single tickets off, so that the one that cannot be handled fails alone."""
        for number, job in enumerate(jobs, 1):
            if not self._work(desk, [job]):
                self._give_back(jobs[number:])
                return False
        return True

    def _pause(self, desk: Desk, left: dict[int, Job], error: TriagedError) -> None:
        """Give a batch back until the desk may be asked again.

        The first one goes behind the others: it may be the very ticket that the desk chokes on.
        """
        pause = self._roster.failed(desk.tenant, Doing.TICKETS, error, desk)
        stuck = left.pop(next(iter(left)))
        more = self._backoff(stuck.attempts + 1) if stuck.attempts else 0.0
        behind = due_again(stuck, delay=pause + more, detail=str(error))
        self._give_back(left.values(), behind, delay=pause, detail=str(error))

    def _stumble(self, desk: Desk, job: Job, error: Exception) -> None:
        """Try a row again later whose handling failed in a way that nobody foresaw."""
        detail = f"{type(error).__name__} at {place(error)}"
        self._store.inbox.settle([self._later(job, detail)])
        _log.error("ticket_failed", tenant=desk.tenant, ticket=job.ticket, error=detail)

    def _later(self, job: Job, detail: str) -> Settlement:
        age = self._clock.now().timestamp() - job.received_at
        if retry.gives_up(job.attempts + 1, age):
            return Settlement(job=job, state=State.DEAD, detail=detail)
        return due_again(job, delay=self._backoff(job.attempts + 1), detail=detail)

    def _settle(self, desk: Desk, ended: Sequence["_Ended"]) -> None:
        self._store.inbox.settle([self._settlement(one.ending) for one in ended])
        for one in ended:
            job, ending = one.ending.job, one.ending
            if ending.next is Next.DEAD:
                _log.warning("ticket_set_aside", tenant=desk.tenant, ticket=job.ticket)
            waited = one.at - job.received_at
            self._metrics.ticket(desk.tenant, ending, None if job.source == BACKFILL else waited)
            if ending.entry is not None:
                _tell(desk, job, ending.entry, waited)

    def _settlement(self, ending: Ending) -> Settlement:
        if ending.next is Next.AGAIN:
            return self._later(ending.job, ending.detail)
        state = State.DEAD if ending.next is Next.DEAD else State.DONE
        return Settlement(
            job=ending.job, state=state, detail=ending.detail, conclusion=ending.conclusion
        )

    def _give_back(
        self, jobs: Iterable[Job], *more: Settlement, delay: float = 0.0, detail: str = ""
    ) -> None:
        back = [due_again(job, delay=delay, detail=detail, counts=False) for job in jobs]
        self._store.inbox.settle([*back, *more])

    def _backoff(self, failures: int) -> float:
        return retry.backoff(failures, self._random.uniform)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """The end of a ticket's path, and when that was, in Unix seconds."""

    ending: Ending
    at: float


def _tell(desk: Desk, job: Job, entry: Entry, waited: float) -> None:
    """Log a decision: values and reasons, never a ticket's words."""
    _log.info(
        "ticket_triaged",
        tenant=desk.tenant,
        ticket=job.ticket,
        source=job.source,
        language=entry.language,
        milliseconds=round(waited * 1000),
        verdicts=[
            {
                "aspect": verdict.prediction.aspect,
                "value": verdict.prediction.display or verdict.prediction.label,
                "confidence": round(verdict.prediction.confidence, 3),
                "action": verdict.action,
            }
            for verdict in entry.verdicts
        ],
    )
