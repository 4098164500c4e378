"""Predictions and a tenant's rules become verdicts: pure, without a clock, a store or a desk."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from connector.model import (
    TAGS,
    Action,
    Aspect,
    FieldInfo,
    FieldKind,
    FieldUpdate,
    FieldValue,
    Mode,
    Prediction,
    Ticket,
    Verdict,
)

TAG_PREFIX = "triaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far the answers of one label may go; `reason` says why, where nobody chose it."""

    mode: Mode
    precision: float
    reason: str = ""


_NO_STEPS: Mapping[str, Step] = MappingProxyType({})
_NONE: Mapping[Aspect, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a tenant wants done for one aspect; `steps` holds the labels that differ."""

    aspect: Aspect
    field: FieldInfo
    mode: Mode
    precision: float = 0.0
    values: Mapping[str, str]
    treat_as_empty: frozenset[str] = frozenset()
    can_suggest: bool = True
    """Whether the desk keeps tags, in which suggestions are shown."""
    steps: Mapping[str, Step] = dataclasses.field(default_factory=lambda: _NO_STEPS)
    lowered: str = ""
    """Why less is done than the tenant's file says."""
    gone: frozenset[str] = frozenset()
    """Values that the desk had and has no more."""
    field_is_gone: bool = False

    def at(self, label: str | None) -> "Rule":
        """Give the rule for one label."""
        step = self.steps.get(label or "")
        if step is None:
            return self
        return replace(self, mode=step.mode, precision=step.precision, lowered=step.reason)

    @property
    def lowered_classes(self) -> int:
        """Count the classes that do less than the tenant's file says; all of them count as one."""
        return 1 if self.lowered else sum(bool(step.reason) for step in self.steps.values())

    @property
    def by_tag(self) -> bool:
        """Whether the answer is shown as a tag instead of in the field."""
        return self.mode is Mode.SUGGEST or self.field.id == TAGS

    @property
    def slot(self) -> str:
        """Name the place that the aspect fills: each aspect has its own tag."""
        return f"{TAGS}:{self.aspect}" if self.by_tag else self.field.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What is a person's to decide, and why: single aspects (`from_auto`), which may be suggested
    at most, and the ticket as a whole once somebody is at work on it (`taken_up`); aspects in which
    a person `corrected` us, and the whole of a ticket that is held out to compare with.
    """

    from_auto: Mapping[Aspect, str] = dataclasses.field(default_factory=lambda: _NONE)
    taken_up: str = ""
    corrected: Collection[str] = ()
    is_held_out: bool = False


NOTHING_RESERVED = Reserved()


def decide(
    ticket: Ticket,
    predictions: Sequence[Prediction],
    rules: Sequence[Rule],
    ours: Mapping[str, FieldValue],
    *,
    undone: frozenset[str] = frozenset(),
    reserved: Reserved = NOTHING_RESERVED,
) -> tuple[Verdict, ...]:
    """Give one verdict per rule; `ours` holds the value that we last wrote in each slot, `undone`
    the slots in which that was taken back, and which are left alone from then on.

    A value that is on the ticket and is not ours was set by a person, and a value of ours that
    is no longer there was removed by one: both stay as they are. So does whatever stands in an
    aspect in which a person corrected us earlier. On a ticket that is held out nothing is set.
    """
    answers = {prediction.aspect: prediction for prediction in predictions}
    verdicts = (
        _within(reserved, _Slate(ticket, ours, undone), answers[rule.aspect], rule)
        for rule in rules
        if rule.aspect in answers
    )
    return tuple(_left_alone(verdict, reserved) for verdict in verdicts)


def value_of(prediction: Prediction, rule: Rule) -> str:
    """Give what is written: an agent's id where the desk takes agents, else what people read."""
    label = prediction.label or ""
    if rule.aspect is Aspect.ASSIGNEE and rule.field.kind is not FieldKind.AGENT:
        label = prediction.display or label
    return rule.values.get(label, label)


@dataclass(frozen=True, slots=True)
class _Slate:
    """A ticket, and what is known of our earlier writes to it."""

    ticket: Ticket
    ours: Mapping[str, FieldValue]
    undone: frozenset[str]


def _within(reserved: Reserved, slate: _Slate, prediction: Prediction, rule: Rule) -> Verdict:
    """Decide within what a person keeps to himself, and tell where that made a difference."""
    rule = rule.at(prediction.label)
    why = reserved.from_auto.get(rule.aspect, "")
    if why and rule.mode is Mode.AUTO:
        suggests = Mode.SUGGEST if rule.can_suggest else Mode.SHADOW
        found = _verdict(slate, prediction, replace(rule, mode=suggests, steps=_NO_STEPS))
        return replace(found, reason=f"{found.reason} Not automatic: {why}.".strip())
    found = _verdict(slate, prediction, rule)
    if found.update is None or not reserved.taken_up or rule.aspect is Aspect.SENTIMENT:
        return found
    return replace(
        found, action=Action.PERSON, update=None, reason=f"{reserved.taken_up}; this stays"
    )


def standing(ticket: Ticket, update: FieldUpdate) -> bool:
    """Tell whether the ticket holds the update's value."""
    if update.field == TAGS:
        return update.value in ticket.tags
    return _same(ticket.fields.get(update.field), update.value)


def still_wanted(ticket: Ticket, verdicts: Sequence[Verdict]) -> Mapping[str, FieldUpdate]:
    """Give, by slot, what a plan sets and the ticket, read again, neither holds nor contradicts."""
    return {
        verdict.slot: update
        for verdict in verdicts
        if (update := verdict.update) is not None
        and not standing(ticket, update)
        and (update.field == TAGS or _same(ticket.fields.get(update.field), update.replaces))
    }


def _left_alone(verdict: Verdict, reserved: Reserved) -> Verdict:
    """Take from a verdict what it would set, where a person decided or nobody is to be helped."""
    if verdict.update is None:
        return verdict
    if verdict.prediction.aspect in reserved.corrected:
        reason = "a person corrected this ticket; it stays"
        return replace(verdict, action=Action.PERSON, reason=reason, update=None)
    if reserved.is_held_out:
        reason = "left to people, to compare with"
        return replace(verdict, action=Action.HOLDOUT, reason=reason, update=None)
    return verdict


def _verdict(slate: _Slate, prediction: Prediction, rule: Rule) -> Verdict:
    ticket, ours = slate.ticket, slate.ours

    def verdict(action: Action, reason: str, update: FieldUpdate | None = None) -> Verdict:
        return Verdict(
            prediction=prediction, action=action, slot=rule.slot, reason=reason, update=update
        )

    if withheld := _withheld(prediction, rule):
        return verdict(Action.ABSTAIN, withheld)
    if rule.mode is Mode.SHADOW:
        return verdict(Action.RECORD, rule.lowered or prediction.reason)
    value = value_of(prediction, rule)
    if missing := _missing(rule, value):
        return verdict(Action.NO_OPTION, missing)
    update = _update(ticket, rule, value, ours)
    if standing(ticket, update):
        return verdict(Action.EQUAL, "the desk already holds this value")
    if of_a_person := _is_a_persons(slate, rule):
        return verdict(Action.PERSON, of_a_person)
    action = Action.SUGGEST if rule.mode is Mode.SUGGEST else Action.WRITE
    return verdict(action, rule.lowered or prediction.reason, update)


def _missing(rule: Rule, value: str) -> str:
    """Say what the desk lacks for a value; nothing when it can be written."""
    if rule.by_tag:
        return ""
    if rule.field_is_gone:
        return f"the desk has no field {rule.field.id!r} any more"
    options = rule.field.options
    is_missing = value in rule.gone or (options and value not in options)
    return f"{rule.field.title} has no option {value!r}" if is_missing else ""


def _withheld(prediction: Prediction, rule: Rule) -> str:
    """Say why an answer is none; nothing when it is one."""
    if prediction.label is None:
        return prediction.reason or "the model is not sure enough"
    if rule.mode is Mode.OFF:
        return "this class is off"
    return "" if prediction.is_ordered else _shortfall(prediction, rule.precision)


def _shortfall(prediction: Prediction, asked: float) -> str:
    """Say by what an answer misses the precision that is asked for; nothing when it does not.

    A model that was not measured on the tenant's tickets promises nothing: then its confidence
    has to do.
    """
    if prediction.promised is None:
        given, what = prediction.confidence, "confidence"
    else:
        given, what = prediction.promised, "the precision that can be promised,"
    return f"{what} {given:.2f} is below the asked {asked:.2f}" if given < asked else ""


def _update(ticket: Ticket, rule: Rule, value: str, ours: Mapping[str, FieldValue]) -> FieldUpdate:
    if rule.by_tag:
        tag = f"{TAG_PREFIX}_{rule.aspect}_{_slug(value)}"
        earlier = ours.get(rule.slot)
        replaces = earlier if earlier != tag and earlier in ticket.tags else None
        return FieldUpdate(aspect=rule.aspect, field=TAGS, value=tag, replaces=replaces)
    return FieldUpdate(
        aspect=rule.aspect,
        field=rule.field.id,
        value=value,
        replaces=ticket.fields.get(rule.field.id),
    )


def _is_a_persons(slate: _Slate, rule: Rule) -> str:
    """Say why what stands in a slot stays; nothing when it may be changed."""
    ticket, ours = slate.ticket, slate.ours
    present = ticket.fields.get(rule.field.id)
    if rule.slot in slate.undone:
        return "what was written here was undone; it stays so"
    if rule.by_tag:
        earlier = ours.get(rule.slot)
        stays = earlier is not None and earlier not in ticket.tags
    elif rule.slot in ours:
        stays = not _same(present, ours[rule.slot])
    else:
        stays = not _same(present, None) and present not in rule.treat_as_empty
    return "a person set this; it stays" if stays else ""


def _same(one: FieldValue, other: FieldValue) -> bool:
    """Compare as a desk does: unset has several spellings, and text may come back trimmed."""
    return _plain(one) == _plain(other)


def _plain(value: FieldValue) -> FieldValue:
    plain = value.strip() if isinstance(value, str) else value
    return None if plain in {"", ()} else plain


def _slug(text: str) -> str:
    """Write a value with letters, digits and `_`, which every desk allows in a tag."""
    return re.sub(r"\W+", "_", text.casefold()).strip("_") or "unnamed"
