"""Which of our writes an undo takes back, and what was there before each; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from connector.decide import standing
from connector.model import (
    TAGS,
    Action,
    Aspect,
    FieldUpdate,
    FieldValue,
    Prediction,
    Ticket,
    TicketId,
    Verdict,
)
from connector.store import Dated, Entry, open_plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which of our writes are meant; what is empty does not narrow, times are Unix seconds.

    `model` is `NAME`, `NAME@VERSION` or a pattern with `*`; `label` is the class that was answered,
    or the value that was written for it.
    """

    since: float | None = None
    until: float | None = None
    model: str = ""
    aspect: Aspect | None = None
    label: str = ""

    def means(self, one: Dated, verdict: Verdict) -> bool:
        """Tell whether a write is meant."""
        prediction, update = verdict.prediction, verdict.update
        named = (prediction.label, prediction.display, update.value if update else None)
        label, bundle = self.label.casefold(), one.entry.bundle
        return (
            (self.since is None or one.at >= self.since)
            and (self.until is None or one.at < self.until)
            and (self.aspect is None or prediction.aspect is self.aspect)
            and (not self.model or any(fnmatchcase(bundle, each) for each in _titles(self.model)))
            and (not label or label in {str(name).casefold() for name in named if name})
        )


def _titles(model: str) -> Sequence[str]:
    return (model, f"{model}@*")


class Ending(StrEnum):
    """How taking a value back ended."""

    RESTORED = "restored"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A value of ours to take back, and what was there before."""

    ticket: TicketId
    slot: str
    prediction: Prediction
    bundle: str
    field: str
    ours: FieldValue
    before: FieldValue

    @property
    def update(self) -> FieldUpdate:
        """Give the update that restores it."""
        return FieldUpdate(
            aspect=self.prediction.aspect,
            field=self.field,
            value=self.before,
            replaces=self.ours,
        )

    def stands(self, ticket: Ticket) -> bool:
        """Tell whether the value of ours is still there."""
        ours = FieldUpdate(aspect=self.prediction.aspect, field=self.field, value=self.ours)
        return standing(ticket, ours)

    def is_back(self, ticket: Ticket) -> bool:
        """Tell whether what was before is there again."""
        if self.field != TAGS:
            return standing(ticket, self.update)
        gone = self.ours not in ticket.tags
        return gone and (self.before is None or self.before in ticket.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one value; `reason` says why it was not restored, or when else it was."""

    step: Step
    ending: Ending
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What an undo sets out to do with one ticket; an earlier run may have left plans open."""

    ticket: TicketId
    steps: Sequence[Step]
    out_of_reach: Sequence[Result] = ()
    left_open: Sequence[Entry] = ()


def intents(history: Sequence[tuple[TicketId, Sequence[Dated]]], wish: Wish) -> Iterator[Intent]:
    """Say, ticket by ticket, what a wish comes to: in each slot our newest write, if it is meant,
    and those just before it that are meant too. What we wrote later, and is not meant, stays.
    """
    for ticket, entries in history:
        steps: list[Step] = []
        beyond: list[Result] = []
        for slot, writes in _writes(entries).items():
            meant = [wish.means(one, verdict) for one, verdict in writes]
            if not any(meant):
                continue
            first = len(meant)
            while first and meant[first - 1]:
                first -= 1
            if first < len(meant):
                steps.append(_step(ticket, slot, writes[first:], writes[:first]))
            else:
                last = len(meant) - 1 - meant[::-1].index(True)
                step = _step(ticket, slot, writes[last : last + 1], writes[:last])
                why = "a later write of triaged's stands there, which was not meant"
                beyond.append(Result(step=step, ending=Ending.SKIPPED, reason=why))
        if steps or beyond:
            left_open = tuple(open_plans(entries))
            yield Intent(ticket=ticket, steps=steps, out_of_reach=beyond, left_open=left_open)


_Writes = Sequence[tuple[Dated, Verdict]]


def _writes(entries: Sequence[Dated]) -> Mapping[str, _Writes]:
    """Give, by slot, our writes that count: those that were undone do not."""
    stacks: dict[str, list[tuple[Dated, Verdict]]] = {}
    for one in entries:
        for verdict in one.entry.verdicts:
            if verdict.update is None or verdict.slot not in one.entry.written:
                continue
            stack = stacks.setdefault(verdict.slot, [])
            if verdict.action is not Action.UNDO:
                stack.append((one, verdict))
                continue
            while (
                stack and (update := stack[-1][1].update) and update.value != verdict.update.value
            ):
                stack.pop()
    return {slot: stack for slot, stack in stacks.items() if stack}


def _step(ticket: TicketId, slot: str, taken: _Writes, kept: _Writes) -> Step:
    oldest, newest = taken[0][1].update, taken[-1][1].update
    assert oldest is not None  # noqa: S101 - for the type checker: writes have updates
    assert newest is not None  # noqa: S101
    # Of a tag only our own earlier one makes room, so that is what comes back.
    earlier = kept[-1][1].update if kept else None
    own = earlier.value if earlier is not None else None
    return Step(
        ticket=ticket,
        slot=slot,
        prediction=taken[-1][1].prediction,
        bundle=taken[-1][0].entry.bundle,
        field=newest.field,
        ours=newest.value,
        before=own if newest.field == TAGS else oldest.replaces,
    )
