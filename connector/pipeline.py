"""The path of a ticket, one straight line: fetch, clean, predict, decide, write, record."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import structlog

from connector import assign, feedback, rules
from connector.clean import clean
from connector.decide import Reserved, decide, standing, still_wanted
from connector.desk import Desk
from connector.errors import Conflict, Gone, Rejected
from connector.explain import Explainer
from connector.holdout import is_held_out
from connector.model import Aspect, Prediction, Reading, Status, Ticket, TicketId
from connector.store import BACKFILL, Conclusion, Entry, Job, Outcome, Store

ATTEMPTS = 3
"""Times that a write is tried against a ticket that keeps changing under our hands."""


LEARNT_AT_ONCE = 32
"""Old tickets that are read together: about a third of a second of the encoder's time."""

SETTLED = {Outcome.WRITTEN, Outcome.NOTHING}
"""Outcomes after which only new words of the requester bring a ticket back. A refused one is tried
again at its next event: the right that was missing may have been given."""

_log = structlog.get_logger()

_Entries = Mapping[TicketId, Entry]
_Suggest = Callable[[bytes, str], Sequence[Prediction]]


class Next(Enum):
    """What happens to a job after its path ended."""

    DONE = "done"
    AGAIN = "again"
    """Try again later: the ticket kept changing."""
    DEAD = "dead"
    """A person must look before it makes sense to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the path ended for a job, and its plan where it had one; whoever hears of it settles both
    together. Until then the plan stands as one whose end nobody knows, and is read back.
    """

    job: Job
    next: Next = Next.DONE
    detail: str = ""
    conclusion: Conclusion | None = None
    news: Ticket | None = None
    """The ticket as it stands, where the first of what its plan wanted was set just now."""

    @property
    def entry(self) -> Entry | None:
        """Give what was carried out on the desk just now."""
        if self.conclusion is None or self.detail:  # it was refused, or the ticket vanished
            return None
        return self.conclusion.entry


def triage(desk: Desk, store: Store, jobs: Sequence[Job]) -> Iterator[Ending]:
    """Carry one tenant's jobs along the line, yielding each as it ends.

    Every step may run twice: what was planned is never decided anew, and what stands on the desk
    is never written again. Raises `Retry`, `Unauthorized` and `Rejected` (of reading) for the
    jobs not yet yielded. Ends early, yielding the rest to whoever has them by then, when our claim
    to them ran out.
    """
    tickets = _fetch(desk, [job.ticket for job in jobs])
    known, planned = _decided(desk, store, jobs, tuple(tickets.values()))
    explainer = Explainer(desk, store)
    for job in jobs:
        if not store.holds(job):
            return
        ticket = tickets.get(job.ticket)
        if ticket is None:
            store.cases.forget(desk.tenant, job.ticket)
            yield Ending(job=job, detail="no longer on the desk")
        elif ticket.status is not Status.OPEN:
            yield Ending(job=job, detail="resolved: only learnt from")
        elif ticket.id in planned:
            yield _explained(
                explainer, _carry_out(desk, store, job, ticket, planned[ticket.id], tried=False)
            )
        elif known[ticket.id].outcome in SETTLED:
            yield Ending(job=job, detail="nothing new was said")
        else:
            yield _explained(
                explainer, _carry_out(desk, store, job, ticket, known[ticket.id], tried=True)
            )


def _explained(explainer: Explainer, ending: Ending) -> Ending:
    """Have a ticket tell what its answers rest on, unless an earlier try may have done so."""
    if ending.news is not None and ending.conclusion is not None:
        # An old ticket's note would only ring at everybody's: thousands come in with a backlog.
        quietly = ending.job.source == BACKFILL
        conclusion = ending.conclusion
        explainer.tell(ending.news, conclusion.entry, conclusion.written, quietly=quietly)
    return ending


def learn(desk: Desk, store: Store, tickets: Sequence[Ticket]) -> None:
    """Note how tickets stand, so that later ones can be compared with them."""
    # In small pieces: a live ticket must not wait behind a whole page of old ones.
    for start in range(0, len(tickets), LEARNT_AT_ONCE):
        _note(desk, store, (), tickets[start : start + LEARNT_AT_ONCE], {})


def _fetch(desk: Desk, ids: Sequence[TicketId]) -> dict[TicketId, Ticket]:
    return {
        ticket.id: ticket
        for ticket in desk.adapter.fetch(ids)
        if ticket.status is not Status.DELETED
    }


def _decided(
    desk: Desk, store: Store, jobs: Sequence[Job], tickets: Sequence[Ticket]
) -> tuple[_Entries, _Entries]:
    """Give what was decided earlier for the tickets' present wording, and what is decided now."""
    known = {
        ticket.id: entry
        for ticket in tickets
        if (entry := store.ledger.find(desk.tenant, ticket)) is not None
    }
    fresh = [
        ticket for ticket in tickets if ticket.id not in known and ticket.status is Status.OPEN
    ]
    feedback.notice(desk, store, tickets)
    readings = _predict(desk, store, jobs, fresh)
    _note(desk, store, jobs, tickets, readings)
    suggest = _suggester(desk, store)
    theirs = feedback.corrected(store, desk, [ticket.id for ticket in fresh])
    planned = [
        _plan(desk, store, ticket, readings[ticket.id], suggest, theirs.get(ticket.id, ()))
        for ticket in fresh
    ]
    written = {entry.ticket for entry in planned} | {
        entry.ticket for entry in known.values() if entry.outcome not in SETTLED
    }
    store.ledger.plan(desk.tenant, planned, [job for job in jobs if job.ticket in written])
    return known, {entry.ticket: entry for entry in planned}


def _predict(
    desk: Desk, store: Store, jobs: Sequence[Job], tickets: Sequence[Ticket]
) -> Mapping[TicketId, Reading]:
    """Read tickets; should the process die of it, the one after it knows whose they were.

    Nothing else is done meanwhile: to wait for the store here would make suspects of tickets that
    somebody's `kill -9` met by chance.
    """
    read = {ticket.id for ticket in tickets}
    with store.suspects.watching([job for job in jobs if job.ticket in read]):
        readings = desk.classifier.predict([clean(ticket) for ticket in tickets])
    return {ticket.id: reading for ticket, reading in zip(tickets, readings, strict=True)}


def _note(
    desk: Desk,
    store: Store,
    jobs: Sequence[Job],
    tickets: Sequence[Ticket],
    readings: Mapping[TicketId, Reading],
) -> None:
    """Keep the case book up to date; a resolved ticket that was never read is read for it."""
    resolved = [ticket for ticket in tickets if ticket.status is Status.RESOLVED]
    known = store.cases.with_vector(desk.tenant, [ticket.id for ticket in resolved])
    unread = _predict(desk, store, jobs, [ticket for ticket in resolved if ticket.id not in known])
    vectors = {ticket: reading.vector for ticket, reading in {**readings, **unread}.items()}
    store.cases.note(desk.tenant, [(ticket, vectors.get(ticket.id, b"")) for ticket in tickets])


def _suggester(desk: Desk, store: Store) -> _Suggest:
    """Give the function that suggests an assignee, reading the case book once for a batch."""
    if not any(rule.aspect is Aspect.ASSIGNEE for rule in desk.rules):
        return lambda _vector, _group: ()
    told = assign.Experience(store.cases.resolved(desk.tenant), desk.staff, desk.wishes)
    load = Counter(store.cases.open_load(desk.tenant))

    def suggest(vector: bytes, group: str) -> Sequence[Prediction]:
        found = told.suggest(vector, load, group)
        if found.label is not None:  # a batch of tickets must not all go to the same person
            load[found.label] += 1
        return (found,)

    return suggest


def _plan(
    desk: Desk,
    store: Store,
    ticket: Ticket,
    reading: Reading,
    suggest: _Suggest,
    corrected: Collection[str],
) -> Entry:
    _settle_stale(desk, store, ticket)
    past = store.ledger.past(desk.tenant, ticket.id)
    ruling = _ruled(desk, ticket, (*reading.predictions, *suggest(reading.vector, ticket.group)))
    by_people = "" if desk.book.always_retriages else rules.taken_up(ticket, past.ours)
    return Entry(
        ticket=ticket.id,
        content_hash=ticket.content_hash,
        outcome=Outcome.PLANNED,
        bundle=desk.bundle,
        language=reading.language,
        verdicts=decide(
            ticket,
            ruling.predictions,
            desk.rules,
            past.ours,
            undone=past.undone,
            reserved=Reserved(
                from_auto=ruling.kept_from_auto,
                taken_up=by_people,
                corrected=corrected,
                is_held_out=is_held_out(desk.tenant, ticket.id, desk.holdout),
            ),
        ),
        vector=reading.vector,
    )


def _ruled(desk: Desk, ticket: Ticket, predictions: Sequence[Prediction]) -> rules.Ruling:
    """Put the tenant's guard rails over what the model says."""
    names = {group.id: group.name for group in desk.staff.groups}
    facts = rules.Facts(ticket=ticket, text=clean(ticket), group=names.get(ticket.group, ""))
    bars = {rule.aspect: rule.precision for rule in desk.rules}
    return rules.apply(facts, predictions, desk.book, bars)


def _settle_stale(desk: Desk, store: Store, ticket: Ticket) -> None:
    """Settle a plan for earlier words that a crash left open, by what stands on the ticket."""
    for entry in store.ledger.of(desk.tenant, ticket.id):
        if entry.outcome is Outcome.PLANNED and entry.content_hash != ticket.content_hash:
            store.ledger.settle(_conclusion(desk, entry, _standing(ticket, entry)))


def _standing(ticket: Ticket, entry: Entry) -> frozenset[str]:
    """Name the slots whose planned value stands on the ticket."""
    return frozenset(
        verdict.slot
        for verdict in entry.verdicts
        if verdict.update is not None and standing(ticket, verdict.update)
    )


def _conclusion(desk: Desk, entry: Entry, ours: frozenset[str]) -> Conclusion:
    outcome = Outcome.WRITTEN if ours else Outcome.NOTHING
    return Conclusion(tenant=desk.tenant, entry=entry, outcome=outcome, written=ours)


def _carry_out(
    desk: Desk, store: Store, job: Job, ticket: Ticket, entry: Entry, *, tried: bool
) -> Ending:
    """Write what the plan still wants, against the ticket as it is now, and tell the end.

    Only what our last call was to set counts as ours; a value that was there before was somebody
    else's. For a plan of an earlier try (`tried`) it is taken for ours: that call may have gone
    through without our hearing of it.
    """
    earlier = _standing(ticket, entry) if tried else frozenset()
    sent: set[str] = set()
    try:
        after = _write(desk, ticket, entry, sent)
    except Gone:
        store.cases.forget(desk.tenant, job.ticket)
        nothing = _conclusion(desk, entry, frozenset())
        return Ending(job=job, detail="no longer on the desk", conclusion=nothing)
    except Conflict as conflict:
        return Ending(job=job, next=Next.AGAIN, detail=str(conflict))
    except Rejected as refusal:
        # Part of it may have been taken all the same.
        after = _fetch(desk, [ticket.id]).get(ticket.id, ticket)
        ours = _standing(after, entry) & (earlier | sent)
        refused = replace(_conclusion(desk, entry, ours), outcome=Outcome.REJECTED)
        return Ending(job=job, next=Next.DEAD, detail=str(refusal), conclusion=refused)
    # What the desk took is ours, though somebody may have changed it before we read it again.
    ours = (_standing(after, entry) & earlier) | sent
    news = after if sent and not earlier else None
    return Ending(job=job, conclusion=_conclusion(desk, entry, ours), news=news)


def _write(desk: Desk, ticket: Ticket, entry: Entry, sent: set[str]) -> Ticket:
    """Write against a ticket that may change meanwhile; `sent` names the last call's slots."""
    for _ in range(ATTEMPTS):
        wanted = still_wanted(ticket, entry.verdicts)
        sent.clear()
        if not wanted:
            return ticket
        sent.update(wanted)
        try:
            return desk.adapter.write(ticket, tuple(wanted.values()))
        except Conflict as conflict:
            _log.info(
                "write_overtaken", tenant=desk.tenant, ticket=ticket.id, detail=conflict.detail
            )
            again = _fetch(desk, [ticket.id])
            if ticket.id not in again:
                raise Gone from None
            ticket = again[ticket.id]
    raise Conflict(f"ticket {ticket.id} changed {ATTEMPTS} times while it was being written")
