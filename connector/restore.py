"""Carries an undo out: what was there before is set again where nobody changed it since."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar
from uuid import uuid4

from connector import retry
from connector.decide import standing
from connector.errors import Conflict, Gone, Rejected, Retry
from connector.model import TAGS, Action, FieldUpdate, Status, TenantId, Ticket, TicketId, Verdict
from connector.ports import Adapter, Clock
from connector.store import Entry, Outcome
from connector.undo import Ending, Intent, Result, Step

ATTEMPTS = 5
"""Times that a ticket is tried which keeps changing under our hands."""

AT_ONCE = 32
"""Tickets that are read with one call, as the daemon does."""

MOST_FAILURES = 10
"""Refusals in a row after which a desk counts as down: with their pauses, a quarter of an hour."""

AnswerT = TypeVar("AnswerT")


class Scribe(Protocol):
    """Who notes undos in the ledger: this process, or the daemon that owns it."""

    def begin(self, tenant: TenantId, entry: Entry) -> None:
        """Note durably what is about to be taken back."""

    def end(self, tenant: TenantId, entry: Entry, restored: frozenset[str]) -> None:
        """Note in which slots it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """All that an undo needs: whose desk, how to reach it, and who notes it."""

    tenant: TenantId
    adapter: Adapter
    clock: Clock
    jitter: retry.Jitter
    scribe: Scribe
    say: Callable[[str], None] = field(default=lambda _: None)


def preview(errand: Errand, wanted: Sequence[Intent]) -> Iterator[Result]:
    """Tell what `carry_out` would do, without writing anything anywhere."""
    for intent, ticket in _read(errand, wanted):
        yield from intent.out_of_reach
        for step in intent.steps:
            yield _judged(step, ticket) or Result(step=step, ending=Ending.RESTORED)


def carry_out(errand: Errand, wanted: Sequence[Intent]) -> Iterator[Result]:
    """Take the steps, telling how each ended. May be killed at any moment, and begun again.

    Raises `Unauthorized`, and `Retry` when the desk stays out of reach.
    """
    for intent, ticket in _read(errand, wanted):
        yield from intent.out_of_reach
        again = _finish(errand, intent, ticket)
        steps = [step for step in intent.steps if step.slot not in again]
        yield from (
            Result(step=step, ending=Ending.RESTORED, reason="by an earlier run")
            for step in intent.steps
            if step.slot in again
        )
        found = {step.slot: _judged(step, ticket) for step in steps}
        yield from (result for result in found.values() if result is not None)
        free = [step for step in steps if found[step.slot] is None]
        if ticket is not None and free:
            yield from _restore(errand, ticket, free)


def _read(errand: Errand, wanted: Sequence[Intent]) -> Iterator[tuple[Intent, Ticket | None]]:
    """Read the tickets as they are now, some at a time."""
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        ids = [intent.ticket for intent in some]
        tickets = {one.id: one for one in _asked(errand, partial(errand.adapter.fetch, ids))}
        for intent in some:
            ticket = tickets.get(intent.ticket)
            is_there = ticket is not None and ticket.status is not Status.DELETED
            yield intent, ticket if is_there else None


def _asked(errand: Errand, call: Callable[[], AnswerT]) -> AnswerT:
    """Call the desk, waiting for as long as it asks; raises `Retry` when it stays away."""
    failures = 0
    while True:
        try:
            return call()
        except Retry as error:
            failures += 1
            if failures > MOST_FAILURES:
                raise
            seconds = retry.pause(failures, error, errand.jitter)
            errand.say(f"the desk cannot answer now; going on in {seconds:.0f} s")
            errand.clock.sleep(seconds)


def _judged(step: Step, ticket: Ticket | None) -> Result | None:
    """Say why a step is not to be taken; `None` when it is."""
    if ticket is None:
        why = "the ticket is no longer on the desk"
    elif step.stands(ticket) and not step.is_back(ticket):
        return None
    elif step.is_back(ticket):
        why = "it is as it was before already"
    else:
        why = "somebody changed it since"
    return Result(step=step, ending=Ending.SKIPPED, reason=why)


def _finish(errand: Errand, intent: Intent, ticket: Ticket | None) -> frozenset[str]:
    """Note the end of what an earlier run had begun; give the slots that it had restored."""
    back: set[str] = set()
    for entry in intent.left_open:
        restored = frozenset(
            verdict.slot
            for verdict in entry.verdicts
            if ticket is not None and verdict.update and _is_back(ticket, verdict.update)
        )
        errand.scribe.end(errand.tenant, entry, restored)
        back |= restored
    return frozenset(back)


def _is_back(ticket: Ticket, update: FieldUpdate) -> bool:
    if update.field != TAGS:
        return standing(ticket, update)
    return update.replaces not in ticket.tags and (not update.value or standing(ticket, update))


def _restore(errand: Errand, ticket: Ticket, steps: Sequence[Step]) -> Iterator[Result]:
    """Write a ticket's steps: noted first, together if the desk takes them so, else one by one."""
    entry = _entry(ticket, steps)
    errand.scribe.begin(errand.tenant, entry)
    results = _tried(errand, ticket, steps)
    refused = [each.step for each in results if each.ending is Ending.FAILED]
    if len(steps) > 1 and refused:
        done = [each for each in results if each.ending is not Ending.FAILED]
        results = [*done, *(each for step in refused for each in _tried(errand, ticket, [step]))]
    restored = frozenset(each.step.slot for each in results if each.ending is Ending.RESTORED)
    errand.scribe.end(errand.tenant, entry, restored)
    yield from results


def _entry(ticket: Ticket, steps: Sequence[Step]) -> Entry:
    return Entry(
        ticket=ticket.id,
        content_hash=f"undo-{uuid4().hex}",
        outcome=Outcome.UNDOING,
        bundle=steps[-1].bundle,
        language="",
        verdicts=tuple(
            Verdict(
                prediction=step.prediction,
                action=Action.UNDO,
                slot=step.slot,
                reason="taken back at an administrator's word",
                update=step.update,
            )
            for step in steps
        ),
        vector=b"",
    )


def _tried(errand: Errand, ticket: Ticket, steps: Sequence[Step]) -> list[Result]:
    """Write against a ticket that may change meanwhile; what somebody changes then is theirs."""
    present: Ticket | None = ticket
    sent: set[str] = set()
    for _ in range(ATTEMPTS):
        if present is None:
            break
        free = [step for step in steps if _judged(step, present) is None]
        if not free:
            break
        sent.update(step.slot for step in free)
        try:
            present = _asked(errand, partial(_written, errand, present, free))
            break
        except Conflict:
            present = _again(errand, ticket.id)
        except Gone:
            present = None
        except Rejected as error:
            return [_told(step, _again(errand, ticket.id), sent, error.detail) for step in steps]
    why = f"it changed {ATTEMPTS} times while it was being written"
    return [_told(step, present, sent, why) for step in steps]


def _written(errand: Errand, ticket: Ticket, steps: Sequence[Step]) -> Ticket:
    return errand.adapter.write(ticket, tuple(step.update for step in steps))


def _again(errand: Errand, ticket: TicketId) -> Ticket | None:
    found = _asked(errand, lambda: errand.adapter.fetch([ticket]))
    return next((one for one in found if one.status is not Status.DELETED), None)


def _told(step: Step, ticket: Ticket | None, sent: set[str], why: str) -> Result:
    """Say how a step ended, by the ticket as it is now."""
    if ticket is not None and step.slot in sent and step.is_back(ticket):
        return Result(step=step, ending=Ending.RESTORED)
    return _judged(step, ticket) or Result(step=step, ending=Ending.FAILED, reason=why)
