"""What became of the answers of a time: the funnel with the reason of each loss; arms compared.

Pure. Each ticket counts once to an aspect: by what was set on it, if anything was, and else by what
was decided last.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.ladder import SEEN
from connector.model import Action, Aspect, TicketId, Verdict
from connector.store import Answer, Entry, Fate, Heard, Outcome, Records, State

NOT_SURE = "the model was not sure, or could not read it"
BELOW = "below the asked precision"
CLASS_OFF = "the class is off"

LEFT: Mapping[Action, str] = {
    Action.RECORD: "in shadow: recorded only",
    Action.HOLDOUT: "held out, to compare with",
    Action.EQUAL: "the desk held the value already",
    Action.PERSON: "a person had set or changed it",
    Action.NO_OPTION: "the desk has no such option",
    Action.UNDO: "taken back before by triaged undo",
}
UNFINISHED: Mapping[Outcome, str] = {
    Outcome.REJECTED: "the desk refused it",
    Outcome.PLANNED: "not carried out yet",
}
OVERTAKEN = "somebody changed the ticket meanwhile"

RESOLVED = "resolved before it was looked at"
GONE = "no longer on the desk"
EARLIER = "decided before, and nothing new was said"
WAITING = "waiting for its turn"
ASIDE = "set aside"
_DETAILS = {"resolved: only learnt from": RESOLVED, "no longer on the desk": GONE}
_STATES = {State.DEAD: ASIDE, State.HELD: ASIDE, State.DONE: EARLIER, State.SUPERSEDED: EARLIER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """One aspect, from the tickets that were decided to the answers that people kept.

    `eligible` less `unanswered` are `predicted`; those less `not_set` are `written` and
    `suggested`; those are `undone`, `kept`, `corrected` or `unjudged`, of which `doubted` are
    corrected up to now.
    """

    aspect: Aspect
    eligible: int
    unanswered: Mapping[str, int]
    predicted: int
    not_set: Mapping[str, int]
    written: int
    suggested: int
    undone: int
    kept: int
    corrected: int
    unjudged: int
    doubted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Tickets that were heard of, and why some were not decided."""

    heard: int
    decided: int
    left: Mapping[str, int]


def intake(records: Records) -> Intake:
    """Count the tickets that were heard of."""
    decided = {entry.ticket for entry in records.entries}
    left = Counter(_left(heard) for ticket, heard in records.heard.items() if ticket not in decided)
    return Intake(
        heard=len(decided | set(records.heard)), decided=len(decided), left=dict(left.most_common())
    )


def _left(heard: Heard) -> str:
    return _DETAILS.get(heard.detail) or _STATES.get(heard.state, WAITING)


def funnels(records: Records) -> Sequence[Funnel]:
    """Give the funnel of every aspect that was asked for, in the order of `Aspect`."""
    chosen: dict[Aspect, dict[TicketId, _Stand]] = {}
    for entry in records.entries:
        for verdict in entry.verdicts:
            if verdict.action is Action.UNDO and entry.ticket not in chosen.get(
                verdict.prediction.aspect, {}
            ):
                continue  # what it took back was decided before this time
            stands = chosen.setdefault(verdict.prediction.aspect, {})
            stands[entry.ticket] = _after(stands.get(entry.ticket), entry, verdict)
    answers = {(one.aspect, one.ticket): one for one in records.answers}
    return [
        _funnel(
            aspect,
            list(chosen[aspect].values()),
            [answers.get((aspect, ticket)) for ticket in chosen[aspect]],
        )
        for aspect in Aspect
        if aspect in chosen
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """What counts for a ticket: a verdict, how its plan ended, and whether it was taken back."""

    verdict: Verdict
    outcome: Outcome
    is_set: bool
    is_undone: bool = False


def _after(before: _Stand | None, entry: Entry, verdict: Verdict) -> _Stand:
    is_there = verdict.slot in entry.written
    now = _Stand(verdict=verdict, outcome=entry.outcome, is_set=verdict.action in SEEN and is_there)
    if before is None or not before.is_set or now.is_set:
        return now
    if verdict.action is Action.UNDO and is_there:
        return _Stand(verdict=before.verdict, outcome=before.outcome, is_set=True, is_undone=True)
    return before


def _funnel(aspect: Aspect, stands: Sequence[_Stand], answers: Sequence[Answer | None]) -> Funnel:
    unanswered = Counter(
        _no_answer(one.verdict) for one in stands if one.verdict.action is Action.ABSTAIN
    )
    answered = [one for one in stands if one.verdict.action is not Action.ABSTAIN]
    shown = Counter(one.verdict.action for one in answered if one.is_set)
    fates = Counter(
        _fate(one, answer) for one, answer in zip(stands, answers, strict=True) if one.is_set
    )
    return Funnel(
        aspect=aspect,
        eligible=len(stands),
        unanswered=dict(unanswered.most_common()),
        predicted=len(answered),
        not_set=dict(Counter(_not_set(one) for one in answered if not one.is_set).most_common()),
        written=shown[Action.WRITE],
        suggested=shown[Action.SUGGEST],
        undone=fates["undone"],
        kept=fates["kept"],
        corrected=fates["corrected"],
        unjudged=fates["unjudged"] + fates["doubted"],
        doubted=fates["doubted"],
    )


def _no_answer(verdict: Verdict) -> str:
    if verdict.prediction.label is None:
        return NOT_SURE
    return CLASS_OFF if verdict.reason == "this class is off" else BELOW


def _not_set(one: _Stand) -> str:
    return LEFT.get(one.verdict.action) or UNFINISHED.get(one.outcome, OVERTAKEN)


def _fate(one: _Stand, answer: Answer | None) -> str:
    if one.is_undone:
        return "undone"
    if answer is None or answer.state is Fate.OPEN:
        return "unjudged"
    if answer.judged_at is None:
        return "doubted" if answer.state is Fate.CORRECTED else "unjudged"
    return str(answer.state)
