"""From what a desk has to what a tenant file could say: a field for each aspect, and labels."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from connector.model import Aspect, FieldInfo, FieldKind

TITLES: Mapping[Aspect, Sequence[str]] = MappingProxyType(
    {
        Aspect.CATEGORY: ("category", "kategorie", "catégorie", "categoría", "topic", "thema"),
        Aspect.PRIORITY: ("priority", "priorität", "priorité", "prioridad"),
        Aspect.SENTIMENT: ("sentiment", "mood", "stimmung", "humeur", "ánimo"),
        Aspect.ASSIGNEE: ("suggested assignee", "assignee", "bearbeiter", "responsable", "owner"),
    }
)
"""Words in a field's title or id by which it is taken for an aspect's, the surest first."""

MEANINGS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "low": ("low", "minor", "niedrig", "gering", "basse", "faible", "baja"),
        "normal": ("normal", "medium", "moderate", "mittel", "normale", "moyenne", "media"),
        "high": ("high", "major", "hoch", "haute", "élevée", "alta"),
        "urgent": ("urgent", "critical", "kritisch", "dringend", "urgente", "critique", "crítica"),
        "negative": ("negative", "negativ", "négatif", "negativo", "angry"),
        "neutral": ("neutral", "neutre", "neutro"),
        "positive": ("positive", "positiv", "positif", "positivo", "happy"),
    }
)
"""What desks call the labels of the shipped model in its four languages."""

FIT = {
    Aspect.CATEGORY: (FieldKind.CHOICE,),
    Aspect.PRIORITY: (FieldKind.CHOICE,),
    Aspect.SENTIMENT: (FieldKind.CHOICE, FieldKind.TEXT),
    Aspect.ASSIGNEE: (FieldKind.TEXT, FieldKind.AGENT),
}
"""Kinds of field that an aspect's answer goes into, the better first."""

FROM_URGENT = ("urgent", "high", "normal", "low")
"""What numbered priorities mean where 1 is the most urgent, as in ServiceNow."""

MOST_LABELS = 60
"""More than any model tells apart by descriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A field for an aspect, its labels with descriptions where it has its own, and their values.

    `remark` is what a person should look at.
    """

    aspect: Aspect
    field: FieldInfo
    labels: Mapping[str, str]
    values: Mapping[str, str]
    remark: str = ""


def candidates(aspect: Aspect, fields: Sequence[FieldInfo]) -> Sequence[FieldInfo]:
    """List the fields that an aspect could be answered in, the likeliest first."""
    fit = [each for each in fields if each.kind in FIT[aspect] and _has_room(aspect, each)]
    rated = sorted(fit, key=lambda each: (_unlikeness(aspect, each), FIT[aspect].index(each.kind)))
    # A field that can be named in two ways is offered once, by its name.
    once: dict[tuple[str, FieldKind], FieldInfo] = {}
    for each in rated:
        once.setdefault((each.title, each.kind), each)
    return tuple(once.values())


def likely(aspect: Aspect, fields: Sequence[FieldInfo]) -> FieldInfo | None:
    """Give the field that is surely meant for an aspect, by its title; `None`: ask a person."""
    for field in candidates(aspect, fields):
        if _unlikeness(aspect, field) < len(TITLES[aspect]):
            return field
    return None


def _has_room(aspect: Aspect, field: FieldInfo) -> bool:
    if aspect is Aspect.ASSIGNEE:
        return not field.options
    return field.kind is not FieldKind.CHOICE or 1 < len(field.options) <= MOST_LABELS


def _unlikeness(aspect: Aspect, field: FieldInfo) -> int:
    told = f"{field.id} {field.title}".casefold()
    for place, word in enumerate(TITLES[aspect]):
        if word in told:
            return place
    return len(TITLES[aspect])


def propose(aspect: Aspect, field: FieldInfo, shipped: Sequence[str]) -> Proposal | str:
    """Say how an aspect could be answered in a field; a sentence says why it could not.

    `shipped` are the labels with which the model answers by itself.
    """
    if aspect is Aspect.ASSIGNEE:
        remark = ""
        if field.kind is FieldKind.AGENT:
            remark = "with `mode: auto` the ticket is given to that person outright"
        return Proposal(aspect=aspect, field=field, labels={}, values={}, remark=remark)
    if not field.options:
        return Proposal(aspect=aspect, field=field, labels={}, values={})
    found = _by_name(field.options, shipped)
    if len(found) == len(shipped):
        values = {label: value for label, value in found.items() if label != value}
        return Proposal(aspect=aspect, field=field, labels={}, values=values)
    if aspect is Aspect.CATEGORY:
        return _own_labels(field)
    numbers = _by_number(field.options)
    if aspect is Aspect.PRIORITY and numbers and set(numbers) == set(shipped):
        remark = "1 is taken for the most urgent: compare with your desk"
        return Proposal(aspect=aspect, field=field, labels={}, values=numbers, remark=remark)
    lacking = ", ".join(label for label in shipped if label not in found)
    return f"the field {field.id!r} ({field.title}) has no option that surely means {lacking}"


def _by_name(options: Sequence[str], shipped: Sequence[str]) -> Mapping[str, str]:
    """Find the option for each label: the same word, or one that means it."""
    plain = {_plain(option, options): option for option in reversed(options)}
    found = {}
    for label in shipped:
        for word in (label, *MEANINGS.get(label, ())):
            if word.replace("_", " ") in plain:
                found[label] = plain[word.replace("_", " ")]
                break
    return found


def _by_number(options: Sequence[str]) -> Mapping[str, str]:
    if not all(option.isdecimal() for option in options) or len(options) < len(FROM_URGENT):
        return {}
    ordered = sorted(options, key=int)
    return dict(zip(FROM_URGENT, ordered, strict=False))


def _own_labels(field: FieldInfo) -> Proposal:
    """Make each of a desk's options a label, described by its own words."""
    labels: dict[str, str] = {}
    values: dict[str, str] = {}
    for option in field.options:
        words = _plain(option, field.options)
        label = "_".join(words.split()) or option
        if label in labels:
            label = option
        labels[label] = words
        if label != option:
            values[label] = option
    remark = (
        "write behind each label the words that your requesters use, in each of their languages"
    )
    return Proposal(
        aspect=Aspect.CATEGORY, field=field, labels=labels, values=values, remark=remark
    )


def _plain(option: str, options: Sequence[str]) -> str:
    """Give an option's own words: without what all of them begin with, such as `triage_`."""
    shared = _shared_beginning(options)
    words = re.sub(r"[\W_]+", " ", option[len(shared) :]).split()
    return " ".join(words).casefold()


def _shared_beginning(options: Sequence[str]) -> str:
    first, last = min(options), max(options)
    length = next(
        (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other),
        min(len(first), len(last)),
    )
    found = re.match(r".*[\W_]", first[:length])
    return found[0] if found else ""


def left_out(aspect: Aspect) -> Iterator[str]:
    """Say, in lines, what would have to be there for an aspect that no field fits."""
    needed = {
        Aspect.CATEGORY: "a drop-down field with an option for each of your categories",
        Aspect.PRIORITY: "a priority field with the options low, normal, high and urgent",
        Aspect.SENTIMENT: "a drop-down field with the options negative, neutral and positive",
        Aspect.ASSIGNEE: "a text field for the suggested assignee",
    }
    yield f"{aspect}: no field of the desk is surely meant for it. It needs {needed[aspect]}."
