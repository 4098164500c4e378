"""Guard rails over what a model says, in a fixed order, each leaving its reason; pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from connector.model import TAGS, Aspect, FieldValue, Prediction, Ticket
from connector.rulebook import Bound, Costs, Rulebook, When, above

HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What rules look at: a ticket, the words that the model saw of it, and its group's name."""

    ticket: Ticket
    text: str
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the rules made of predictions, and of which aspects a person decides, and why."""

    predictions: tuple[Prediction, ...]
    kept_from_auto: Mapping[Aspect, str]


def apply(
    facts: Facts,
    predictions: Sequence[Prediction],
    book: Rulebook,
    bars: Mapping[Aspect, float],
) -> Ruling:
    """Put a tenant's rules over a model's answers; `bars` is the precision asked per aspect.

    The order is fixed: costs, wider categories, ordered categories, shifts, ceilings, floors; then
    what is never automatic. A rule that changes an answer is told in `Prediction.reason` and
    `Prediction.rules`.
    """
    answers = {prediction.aspect: prediction for prediction in predictions}
    fits = _Fit(facts, answers.get(Aspect.SENTIMENT))
    if Aspect.PRIORITY in answers:
        answers[Aspect.PRIORITY] = _priority(answers[Aspect.PRIORITY], book, fits, bars)
    if Aspect.CATEGORY in answers:
        answers[Aspect.CATEGORY] = _category(answers[Aspect.CATEGORY], book, fits, bars)
    kept = {
        aspect: f"rule {name!r}: a person decides"
        for name, rule in reversed(book.never_auto.items())
        if fits(rule.when)
        for aspect in rule.aspects
    }
    return Ruling(predictions=tuple(answers.values()), kept_from_auto=kept)


def taken_up(ticket: Ticket, ours: Mapping[str, FieldValue]) -> str:
    """Say why a person is at work on a ticket that we wrote to earlier; nothing when none is.

    What we never wrote to may be written to, whoever works on it: it was taken up before we came.
    """
    if not ours:
        return ""
    if ticket.answered:
        return "an agent has answered"
    for slot, value in ours.items():
        if slot.startswith(f"{TAGS}:"):
            if value not in ticket.tags:
                return "an agent took an answer of ours away"
        elif slot in ticket.fields and _bare(ticket.fields[slot]) != _bare(value):
            return "an agent changed an answer of ours"
    if ticket.assignee and ticket.assignee not in ours.values():
        return "an agent has the ticket"
    return ""


def _bare(value: FieldValue) -> FieldValue:
    plain = value.strip() if isinstance(value, str) else value
    return None if plain in {"", ()} else plain


@dataclass(frozen=True, slots=True)
class _Fit:
    """Tells whether a condition fits a ticket."""

    facts: Facts
    mood: Prediction | None

    def __call__(self, when: When | None) -> bool:
        """Tell it; no condition fits every ticket."""
        if when is None:
            return True
        ticket = self.facts.ticket
        tests: tuple[tuple[Sequence[str], Callable[[str], bool]], ...] = (
            (when.requester, _like(ticket.requester)),
            (when.organisation, _like(ticket.organisation)),
            (when.tag, _like(*ticket.tags)),
            (when.group, _like(ticket.group, self.facts.group)),
            (when.keyword, self._says),
            (when.sentiment, lambda label: self._feels(label, when.sure)),
        )
        return all(not wanted or any(map(test, wanted)) for wanted, test in tests)

    def _says(self, keyword: str) -> bool:
        return _whole_words(keyword).search(self.facts.text) is not None

    def _feels(self, label: str, sure: float) -> bool:
        mood = self.mood
        return mood is not None and mood.label == label and mood.confidence >= sure


def _like(*values: str) -> Callable[[str], bool]:
    present = [value.casefold() for value in values if value]
    return lambda pattern: any(fnmatchcase(value, pattern.casefold()) for value in present)


@lru_cache(maxsize=4096)
def _whole_words(keyword: str) -> re.Pattern[str]:
    """Give the search for words in a row, whatever space is between them."""
    words = r"\s+".join(map(re.escape, keyword.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _priority(
    said: Prediction, book: Rulebook, fits: _Fit, bars: Mapping[Aspect, float]
) -> Prediction:
    rules, bar = book.priority, bars.get(Aspect.PRIORITY, 0.0)
    answer = _least_cost(said, rules.costs, rules.order) if rules.costs else said
    is_sure = answer.label is not None and _sureness(answer) >= bar
    if is_sure:
        for name, shift in rules.shifts.items():
            if fits(shift.when):
                answer = _moved(answer, rules.order, shift.by, name)
        for name, ceiling in rules.ceilings.items():
            answer = _at_most(answer, rules.order, ceiling, name) if fits(ceiling.when) else answer
    for name, floor in rules.floors.items():
        if fits(floor.when):
            answer = _at_least(answer, rules.order, floor, name, is_sure=is_sure)
            is_sure = True
    return answer


def _least_cost(said: Prediction, costs: Costs, order: Sequence[str]) -> Prediction:
    """Give the priority whose expected cost is least; an answer without shares stays."""
    shares = dict(said.ranking)
    if said.label is None or not shares.keys() <= set(order):
        return said
    expected = {
        given: sum(share * _cost(right, given, costs, order) for right, share in shares.items())
        for given in order
        if given in shares
    }
    best = min(expected, key=lambda label: (expected[label], label != said.label))
    if best == said.label:
        return said
    told = f"{best} costs less than {said.label} where mistakes are weighed"
    # What was promised holds for the answer that was likeliest; of this one its share is known.
    changed = _changed(said, best, "costs", told)
    return replace(changed, confidence=shares[best], promised=None)


def _cost(right: str, given: str, costs: Costs, order: Sequence[str]) -> float:
    single = costs.matrix.get(right, {}).get(given)
    if single is not None:
        return single
    steps = order.index(right) - order.index(given)
    return steps * costs.under if steps > 0 else -steps * costs.over


def _moved(answer: Prediction, order: Sequence[str], by: int, name: str) -> Prediction:
    if answer.label not in order:
        return answer
    place = order.index(answer.label) + by
    label = order[min(max(place, 0), len(order) - 1)]
    told = f"{'raised' if by > 0 else 'lowered'} from {answer.label} by rule {name!r}"
    return answer if label == answer.label else _changed(answer, label, name, told)


def _at_most(answer: Prediction, order: Sequence[str], bound: Bound, name: str) -> Prediction:
    if answer.label not in order or order.index(answer.label) <= order.index(bound.label):
        return answer
    told = f"lowered from {answer.label} to the ceiling of rule {name!r}"
    return _changed(answer, bound.label, name, told)


def _at_least(
    answer: Prediction, order: Sequence[str], bound: Bound, name: str, *, is_sure: bool
) -> Prediction:
    """Raise to a floor; where the model is not sure enough, the floor is the answer."""
    if not is_sure:
        told = f"the model is not sure; the floor of rule {name!r}"
        return replace(_changed(answer, bound.label, name, told), is_ordered=True)
    if answer.label not in order or order.index(answer.label) >= order.index(bound.label):
        return answer
    told = f"raised from {answer.label} to the floor of rule {name!r}"
    return _changed(answer, bound.label, name, told)


def _category(
    said: Prediction, book: Rulebook, fits: _Fit, bars: Mapping[Aspect, float]
) -> Prediction:
    rules, bar = book.category, bars.get(Aspect.CATEGORY, 0.0)
    for name, order in rules.orders.items():
        if fits(order.when):
            if order.label == said.label and _sureness(said) >= bar:
                return said
            told = f"ordered by rule {name!r}"
            return replace(_changed(said, order.label, name, told), is_ordered=True)
    if rules.parents and (said.label is None or _sureness(said) < bar):
        return _wider(said, rules.parents, bar)
    return said


def _wider(said: Prediction, parents: Mapping[str, str], bar: float) -> Prediction:
    """Answer the nearest wider category that is sure enough: its share is all that lies in it.

    Also where no bar is asked for it needs more than half: the rest would be as right.
    """
    best = said.ranking[0][0] if said.ranking else None
    for label in above(best, parents):
        share = min(1.0, sum(part for one, part in said.ranking if label in _line(one, parents)))
        if share > HALF and share >= bar:
            told = f"unsure of {best}; {label}, which it lies in, is {share:.0%} sure"
            wider = _changed(said, label, "parents", told)
            return replace(wider, confidence=share, promised=None)
    return said


def _line(label: str, parents: Mapping[str, str]) -> Sequence[str]:
    """Give a category and all that it lies in."""
    return (label, *above(label, parents))


def _sureness(answer: Prediction) -> float:
    return answer.confidence if answer.promised is None else answer.promised


def _changed(answer: Prediction, label: str, name: str, told: str) -> Prediction:
    reason = f"{answer.reason} {told[:1].upper()}{told[1:]}.".strip()
    said = answer.said if answer.rules else answer.label
    return replace(
        answer, label=label, display="", reason=reason, said=said, rules=(*answer.rules, name)
    )
