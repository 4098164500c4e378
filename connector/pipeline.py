"""The path of a ticket, one straight line: fetch, clean, predict, decide, write, record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from connector import assign
from connector.clean import clean
from connector.decide import decide, standing, still_wanted
from connector.desk import Desk
from connector.errors import Conflict, Gone, Rejected
from connector.model import Aspect, Prediction, Reading, Status, Ticket, TicketId
from connector.store import Entry, Job, Outcome, Store

ATTEMPTS = 3
"""Times that a write is tried against a ticket that keeps changing under our hands."""


class Next(Enum):
    """What happens to a job after its path ended."""

    DONE = "done"
    AGAIN = "again"
    """Try again later: the ticket kept changing."""
    DEAD = "dead"
    """A person must look before it makes sense to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the path ended for a job; `entry` is there when something was decided just now."""

    job: Job
    next: Next = Next.DONE
    detail: str = ""
    entry: Entry | None = None


def triage(desk: Desk, store: Store, jobs: Sequence[Job]) -> Iterator[Ending]:
    """Carry one tenant's jobs along the line, yielding each as it ends.

    Every step may run twice: what was planned is never decided anew, and what stands on the desk
    is never written again. Raises `Retry` and `Unauthorized` for the jobs not yet yielded.
    """
    tickets = _fetch(desk, [job.ticket for job in jobs])
    entries = _decided(desk, store, tuple(tickets.values()))
    for job in jobs:
        ticket = tickets.get(job.ticket)
        if ticket is None:
            store.cases.forget(desk.tenant, job.ticket)
            yield Ending(job=job, detail="no longer on the desk")
        elif ticket.status is not Status.OPEN:
            yield Ending(job=job, detail="resolved: only learnt from")
        elif (entry := entries[ticket.id]).outcome is not Outcome.PLANNED:
            yield Ending(job=job, detail="nothing new was said")
        else:
            yield _carry_out(desk, store, job, ticket, entry)


def learn(desk: Desk, store: Store, tickets: Sequence[Ticket]) -> None:
    """Note how tickets stand, so that later ones can be compared with them."""
    _note(desk, store, tickets, {})


def _fetch(desk: Desk, ids: Sequence[TicketId]) -> dict[TicketId, Ticket]:
    return {ticket.id: ticket for ticket in desk.adapter.fetch(ids)}


def _decided(desk: Desk, store: Store, tickets: Sequence[Ticket]) -> Mapping[TicketId, Entry]:
    """Give each open ticket's entry for its present wording, deciding where there is none yet."""
    known = {ticket.id: store.ledger.find(desk.tenant, ticket) for ticket in tickets}
    fresh = [
        ticket for ticket in tickets if known[ticket.id] is None and ticket.status is Status.OPEN
    ]
    readings = _predict(desk, fresh)
    _note(desk, store, tickets, readings)
    suggest = _suggester(desk, store)
    planned = [_plan(desk, store, ticket, readings[ticket.id], suggest) for ticket in fresh]
    store.ledger.plan(desk.tenant, planned)
    return {
        **{ticket: entry for ticket, entry in known.items() if entry is not None},
        **{entry.ticket: entry for entry in planned},
    }


def _predict(desk: Desk, tickets: Sequence[Ticket]) -> Mapping[TicketId, Reading]:
    readings = desk.classifier.predict([clean(ticket) for ticket in tickets])
    return {ticket.id: reading for ticket, reading in zip(tickets, readings, strict=True)}


def _note(
    desk: Desk,
    store: Store,
    tickets: Sequence[Ticket],
    readings: Mapping[TicketId, Reading],
) -> None:
    """Keep the case book up to date; a resolved ticket that was never read is read for it."""
    resolved = [ticket for ticket in tickets if ticket.status is Status.RESOLVED]
    known = store.cases.with_vector(desk.tenant, [ticket.id for ticket in resolved])
    unread = _predict(desk, [ticket for ticket in resolved if ticket.id not in known])
    vectors = {ticket: reading.vector for ticket, reading in {**readings, **unread}.items()}
    store.cases.note(desk.tenant, [(ticket, vectors.get(ticket.id, b"")) for ticket in tickets])


def _suggester(desk: Desk, store: Store) -> Callable[[bytes], Sequence[Prediction]]:
    """Give the function that suggests an assignee, reading the case book once for a batch."""
    if not any(rule.aspect is Aspect.ASSIGNEE for rule in desk.rules):
        return lambda _: ()
    cases = store.cases.resolved(desk.tenant)
    load = store.cases.open_load(desk.tenant)
    return lambda vector: (assign.suggest(vector, cases, load, desk.staff),)


def _plan(
    desk: Desk,
    store: Store,
    ticket: Ticket,
    reading: Reading,
    suggest: Callable[[bytes], Sequence[Prediction]],
) -> Entry:
    _settle_stale(desk, store, ticket)
    ours = store.ledger.written(desk.tenant, ticket.id)
    predictions = (*reading.predictions, *suggest(reading.vector))
    return Entry(
        ticket=ticket.id,
        content_hash=ticket.content_hash,
        outcome=Outcome.PLANNED,
        bundle=desk.bundle,
        language=reading.language,
        verdicts=decide(ticket, predictions, desk.rules, ours),
        vector=reading.vector,
    )


def _settle_stale(desk: Desk, store: Store, ticket: Ticket) -> None:
    """Settle a plan for earlier words that a crash left open, by what stands on the ticket."""
    for entry in store.ledger.of(desk.tenant, ticket.id):
        if entry.outcome is Outcome.PLANNED and entry.content_hash != ticket.content_hash:
            store.ledger.settle(desk.tenant, entry, _outcome(ticket, entry))


def _outcome(ticket: Ticket, entry: Entry) -> Outcome:
    updates = (verdict.update for verdict in entry.verdicts)
    stands = any(update is not None and standing(ticket, update) for update in updates)
    return Outcome.WRITTEN if stands else Outcome.NOTHING


def _carry_out(desk: Desk, store: Store, job: Job, ticket: Ticket, entry: Entry) -> Ending:
    """Write what the plan still wants, against the ticket as it is now, and record the end."""
    try:
        written = _write(desk, ticket, entry)
    except Gone:
        store.cases.forget(desk.tenant, job.ticket)
        store.ledger.settle(desk.tenant, entry, Outcome.NOTHING)
        return Ending(job=job, detail="no longer on the desk")
    except Conflict as conflict:
        return Ending(job=job, next=Next.AGAIN, detail=str(conflict))
    except Rejected as refusal:
        store.ledger.settle(desk.tenant, entry, Outcome.REJECTED)
        return Ending(job=job, next=Next.DEAD, detail=str(refusal), entry=entry)
    store.ledger.settle(desk.tenant, entry, _outcome(written, entry))
    return Ending(job=job, entry=entry)


def _write(desk: Desk, ticket: Ticket, entry: Entry) -> Ticket:
    for _ in range(ATTEMPTS):
        wanted = tuple(still_wanted(ticket, entry.verdicts))
        if not wanted:
            return ticket
        try:
            return desk.adapter.write(ticket, wanted)
        except Conflict:
            again = _fetch(desk, [ticket.id])
            if ticket.id not in again:
                raise Gone from None
            ticket = again[ticket.id]
    raise Conflict(f"ticket {ticket.id} changed {ATTEMPTS} times while it was being written")
