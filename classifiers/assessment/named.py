"""An aspect's verdict, in the bundle's labels and in a tenant's own names for them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from classifiers.assessment.verdict import (
    Answered,
    funnel,
    per_month,
    readiness,
    saved,
    sentence,
)
from classifiers.engine import BundleEngine
from classifiers.evaluation.answers import read
from classifiers.relabel import Evidence, takers_of
from classifiers.training.recipe import Material
from connector.model import Aspect, Reading
from connector.ports import AssessmentOrder, StandsFor

Own = Mapping[str, StandsFor]


@dataclass(frozen=True, slots=True)
class _Renaming:
    """What labels of a history are called, and the names among which one was split."""

    names: Mapping[str, str]
    split: Sequence[str]

    @classmethod
    def of(cls, labels: Sequence[str], own: Own) -> "_Renaming":
        taken = dict(zip(labels, takers_of(labels, own), strict=True))
        shared = [takers for takers in taken.values() if len(takers) > 1]
        return cls(
            {label: takers[0] if len(takers) == 1 else "" for label, takers in taken.items()},
            list(dict.fromkeys(name for takers in shared for name in takers)),
        )

    def name(self, label: str) -> str:
        """Give the name that a label goes by; none where it is split, since nobody told which."""
        return self.names.get(label, label)


_AS_LEARNT = _Renaming({}, ())


def verdict(
    order: AssessmentOrder,
    aspect: Aspect,
    evidence: Evidence,
    material: Material,
    readings: Sequence[Reading],
    renaming: _Renaming = _AS_LEARNT,
) -> dict[str, Any]:
    """Judge what was read in the tickets tested on, but for those whose right name nobody knows."""
    asked = order.precision.get(aspect, order.otherwise)
    rows = [material.rows[place] for place in material.test]
    answers = [
        Answered.of(gold, one)
        for row, reading in zip(rows, readings, strict=True)
        if aspect in row.labels and (gold := renaming.name(row.labels[aspect]))
        for one in reading.predictions
        if one.aspect is aspect
    ]
    labelled = [row.labels[aspect] for row in material.rows if aspect in row.labels]
    tickets = Counter(map(renaming.name, labelled))
    classes = readiness(evidence.labels, evidence.promises, evidence.held, tickets, asked)
    for label in renaming.split:
        classes[label] |= {"split": True, "needs": None, "unclear": True, "surest_right": None}
    found = funnel(answers, asked)
    filed = [row.filed_at for row in material.every if aspect in row.labels]
    return {
        "funnel": found,
        "saved": saved(found, per_month(filed), order.minutes_per_ticket),
        "classes": classes,
        "verdict": sentence(aspect, found, classes),
    }


def named(
    order: AssessmentOrder, engine: BundleEngine, material: Material, say: Callable[[str], None]
) -> Mapping[Aspect, Mapping[str, Any]]:
    """Judge again by a tenant's own names, where it has any for labels that were learnt.

    A ticket of a label that is split has no right name: nobody told which of the parts it is.
    """
    known = {
        aspect: _known(own, engine.labels(aspect))
        for aspect, own in order.names.items()
        if aspect in order.training.labels
    }
    names = {aspect: own for aspect, own in known.items() if own}
    if not names:
        return {}
    say("measuring with the tenant's own names")
    texts = [material.rows[place].text for place in material.test]
    readings = read(engine, texts, say, names)
    return {
        aspect: {
            **verdict(
                order,
                aspect,
                engine.evidence(aspect, own),
                material,
                readings,
                _Renaming.of(engine.labels(aspect), own),
            ),
            "unknown": sorted(_strangers(order.names[aspect], engine.labels(aspect))),
        }
        for aspect, own in names.items()
    }


def _known(own: Own, labels: Sequence[str]) -> Own:
    """Keep of own names what stands for labels that were learnt."""
    kept = {
        name: replace(one, labels=tuple(label for label in one.labels if label in labels))
        for name, one in own.items()
    }
    return {name: one for name, one in kept.items() if one.labels}


def _strangers(own: Own, labels: Sequence[str]) -> set[str]:
    """Name the labels that own names stand for, and that this history did not teach."""
    return {label for one in own.values() for label in one.labels} - set(labels)
