"""A tenant's own names for what a bundle answers: renamed, merged, or split by description."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifiers.dial import Steps, promises
from classifiers.ensemble import Ensemble, Own
from classifiers.heads import Vector
from classifiers.zeroshot import ZeroShot
from connector.ports import StandsFor

Describe = Callable[[Mapping[str, Sequence[str]]], ZeroShot]
NOBODYS = -1
"""The number of the right label of a held-out ticket whose label is split: nobody knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Answers to the tickets learnt from, each by models that had not seen it."""

    shares: Vector
    """Calibrated probabilities, tickets by the bundle's labels."""
    gold: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an aspect's held-out answers tell, for the labels in which it answers."""

    labels: tuple[str, ...]
    held: Held
    promises: Mapping[str, Steps]


def relabelled(
    made: Ensemble, own: Mapping[str, StandsFor], held: Held | None, describe: Describe
) -> Ensemble:
    """Give an ensemble that answers with a tenant's labels; those that `own` leaves out stay.

    What is promised is worked out anew on the held-out answers, by the rule by which training does
    it. Without these, only a label that is renamed keeps its promise. A label that is split off has
    none: no ticket ever carried its name.
    """
    takers = takers_of(made.labels, own)
    labels = tuple(dict.fromkeys(name for names in takers for name in names))
    number = {name: place for place, name in enumerate(labels)}
    whole = np.zeros((len(made.labels), len(labels)), np.float32)
    splits = []
    for place, names in enumerate(takers):
        if len(names) == 1:
            whole[place, number[names[0]]] = 1.0
        else:
            told = describe({name: own[name].words for name in names})
            splits.append((place, tuple(number[name] for name in names), told))
    map_ = Own(whole=whole, splits=tuple(splits))
    return replace(made, labels=labels, own=map_, promises=_promises(made, labels, map_, held))


def takers_of(labels: Sequence[str], own: Mapping[str, StandsFor]) -> list[tuple[str, ...]]:
    """Give, for each of the bundle's labels, the own labels that it goes to."""
    taken = (tuple(name for name, one in own.items() if label in one.labels) for label in labels)
    return [names or (label,) for label, names in zip(labels, taken, strict=True)]


def _promises(
    made: Ensemble, labels: Sequence[str], own: Own, held: Held | None
) -> Mapping[str, Steps]:
    if not made.promises:
        return made.promises
    split = {place for _, places, _ in own.splits for place in places}
    if held is None:
        fitted: dict[str, Steps] = {
            labels[place]: made.promises.get(made.labels[sources[0]], ())
            for place, sources in enumerate(map(np.flatnonzero, own.whole.T))
            if len(sources) == 1
        }
    else:
        told = retold(held, own)
        fitted = dict(promises(told.shares, told.gold, labels))
    return {
        name: () if place in split else fitted.get(name, ()) for place, name in enumerate(labels)
    }


def retold(held: Held, own: Own) -> Held:
    """Give held-out answers in a tenant's labels; a ticket whose label is split is nobody's."""
    # What a split label would get of the doubt is not known. In even parts the most tickets are
    # left to the others, and none of these is right.
    into = own.whole.copy()
    for source, places, _ in own.splits:
        into[source, list(places)] = 1.0 / len(places)
    right = np.where(own.whole.any(axis=1), own.whole.argmax(axis=1), NOBODYS)
    return Held(shares=held.shares @ into, gold=right[held.gold])
