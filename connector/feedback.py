"""Notices what people made of our answers, whenever a ticket is looked at again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from connector.decide import Rule, standing, value_of
from connector.desk import Desk
from connector.model import (
    TAGS,
    Action,
    Aspect,
    FieldKind,
    FieldValue,
    Status,
    Ticket,
    TicketId,
    Verdict,
)
from connector.store import Answer, Entry, Fate, Outcome, Store

SETTLES = timedelta(days=7)
"""An answer that nobody touched for so long counts as kept, though its ticket is still open."""

COMPARED = frozenset({Action.RECORD, Action.HOLDOUT})
"""Answers that nobody saw: what people chose by themselves tells whether they were right."""

_log = structlog.get_logger()


def notice(desk: Desk, store: Store, tickets: Sequence[Ticket]) -> None:
    """Note the fate of every answer that tickets were given earlier.

    The one place where a person's change is seen: each change of a ticket brings it here. A ticket
    that is resolved has its answers judged.
    """
    ids = [ticket.id for ticket in tickets]
    entries = store.ledger.of_all(desk.tenant, ids)
    if not entries:
        return
    known = {(one.ticket, one.aspect): one for one in store.feedback.of(desk.tenant, ids)}
    now = store.clock.now().timestamp()
    seen = [
        replace(answer, seen_at=now)
        for ticket in tickets
        for answer in answers(desk.rules, ticket, entries.get(ticket.id, ()), now)
    ]
    changed = [one for one in seen if _is_news(one, known.get((one.ticket, one.aspect)))]
    store.feedback.note(desk.tenant, changed)
    for one in changed:
        earlier = known.get((one.ticket, one.aspect))
        if one.is_touched and one.state is Fate.CORRECTED and _fate(earlier) != one.state:
            _log.info(
                "answer_corrected",
                tenant=desk.tenant,
                ticket=one.ticket,
                aspect=one.aspect,
                ours=one.value,
                theirs=one.truth,
            )


def corrected(store: Store, desk: Desk, tickets: Sequence[TicketId]) -> Mapping[TicketId, set[str]]:
    """Give the aspects of tickets in which a person overruled us: they are left alone for good."""
    found: dict[TicketId, set[str]] = {}
    for one in store.feedback.of(desk.tenant, tickets):
        if one.corrected_at is not None:
            found.setdefault(one.ticket, set()).add(one.aspect)
    return found


def answers(
    rules: Sequence[Rule], ticket: Ticket, entries: Sequence[Entry], now: float
) -> Iterator[Answer]:
    """Yield, for each aspect that was answered, the newest answer and what became of it.

    What was undone was no answer: nobody who looks at it now says anything about the model.
    """
    for rule in rules:
        found = next(
            (
                (entry, verdict)
                for entry in reversed(entries)
                for verdict in entry.verdicts
                if verdict.prediction.aspect is rule.aspect and _can_be_judged(entry, verdict)
            ),
            None,
        )
        if found is not None and found[1].action is not Action.UNDO:
            yield _answered(rule, ticket, *found, now=now)


def _can_be_judged(entry: Entry, verdict: Verdict) -> bool:
    if verdict.action is Action.UNDO and entry.outcome is Outcome.UNDOING:
        return True
    if verdict.action in COMPARED:
        return entry.outcome is not Outcome.PLANNED
    return verdict.update is not None and verdict.slot in entry.written


def _answered(rule: Rule, ticket: Ticket, entry: Entry, verdict: Verdict, *, now: float) -> Answer:
    label = verdict.prediction.label or ""
    at = rule.at(label)
    state, truth = _judge(at, ticket, verdict)
    is_overruled = state is Fate.CORRECTED and verdict.action not in COMPARED
    is_over = ticket.status is not Status.OPEN and state is not Fate.OPEN
    return Answer(
        ticket=ticket.id,
        aspect=rule.aspect,
        label=label,
        value=value_of(verdict.prediction, at),
        action=verdict.action,
        # What a rule ordered is no evidence about the model.
        precision=0.0 if verdict.prediction.is_ordered else at.precision,
        bundle=entry.bundle,
        decided_at=entry.planned_at,
        state=state,
        truth=truth,
        judged_at=now if is_over else None,
        corrected_at=now if is_overruled else None,
    )


def _judge(rule: Rule, ticket: Ticket, verdict: Verdict) -> tuple[Fate, str]:
    """Tell an answer's fate, and what a person chose."""
    if rule.aspect is Aspect.ASSIGNEE and rule.field.kind is not FieldKind.AGENT:
        return _by_who_has_it(ticket, verdict)
    update = verdict.update
    if update is not None and update.field != TAGS:
        if standing(ticket, update):
            return Fate.KEPT, ""
        return Fate.CORRECTED, _word(ticket.fields.get(update.field))
    chosen = _chosen(rule, ticket)
    if chosen:
        is_same = chosen == value_of(verdict.prediction, rule).strip()
        return (Fate.KEPT, "") if is_same else (Fate.CORRECTED, chosen)
    if update is None:
        return Fate.OPEN, ""
    if not standing(ticket, update):
        return Fate.CORRECTED, ""
    # A tag in place of a field, that nobody took away; beside a field it says nothing.
    return (Fate.KEPT if rule.field.id == TAGS else Fate.OPEN), ""


def _by_who_has_it(ticket: Ticket, verdict: Verdict) -> tuple[Fate, str]:
    """Judge a name in a text field by who had the ticket in the end."""
    if ticket.status is Status.OPEN or not ticket.assignee:
        return Fate.OPEN, ""
    is_same = ticket.assignee == verdict.prediction.label
    return (Fate.KEPT, "") if is_same else (Fate.CORRECTED, ticket.assignee)


def _chosen(rule: Rule, ticket: Ticket) -> str:
    """Give what a person put into the aspect's field: nothing where the desk filled it in."""
    present = ticket.fields.get(rule.field.id) if rule.field.id != TAGS else None
    word = _word(present)
    return "" if word in rule.treat_as_empty else word


def _word(value: FieldValue) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""


def _fate(answer: Answer | None) -> Fate | None:
    return None if answer is None else answer.state


def _is_news(seen: Answer, known: Answer | None) -> bool:
    if known is None or (known.judged_at is None and seen.judged_at is not None):
        return True
    times = {"seen_at", "judged_at", "corrected_at"}
    same = replace(seen, **{name: getattr(known, name) for name in times})
    return same != known
