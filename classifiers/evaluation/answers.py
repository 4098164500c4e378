"""What a bundle answered to labelled tickets, in numbers: probabilities, answers and promises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.engine import BundleEngine
from connector.model import Aspect, Reading
from connector.ports import NO_NAMES, Names

AT_ONCE = 128
"""Texts between two words about progress."""
NONE = -1
"""The number of the label that is given to a text which is abstained on."""

Numbers = NDArray[np.float32]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One aspect's answers to tickets whose right label is known; all are in the same order."""

    labels: tuple[str, ...]
    gold: Places
    """The numbers of the right labels."""
    shares: Numbers
    """Calibrated probabilities, tickets by labels."""
    given: Places
    """The numbers of the labels that were answered, `NONE` where the bundle abstained."""
    promised: Numbers
    """What the dial compares with: the precision promised for each answer or, by a bundle that
    holds no promises, its confidence."""
    has_promises: bool
    languages: Sequence[str]
    clusters: Places
    """Near-duplicates share a number."""

    @property
    def best(self) -> Places:
        """Give the numbers of the most probable labels, abstained on or not."""
        best: Places = self.shares.argmax(axis=1)
        return best

    @property
    def sure(self) -> Numbers:
        """Give the probabilities of the most probable labels."""
        sure: Numbers = self.shares.max(axis=1)
        return sure


def read(
    engine: BundleEngine,
    texts: Sequence[str],
    say: Callable[[str], None],
    names: Names = NO_NAMES,
) -> Sequence[Reading]:
    """Read texts as the daemon does, telling how far it is; `names` are own ones for labels."""
    classifier = engine.classifier({}, names)
    readings: list[Reading] = []
    for start in range(0, len(texts), AT_ONCE):
        say(f"reading ticket {start + 1} of {len(texts)}")
        readings += classifier.predict(texts[start : start + AT_ONCE])
    return readings


def gathered(
    aspect: Aspect,
    labels: Sequence[str],
    readings: Sequence[Reading],
    told: tuple[Sequence[str], Sequence[str], Places],
) -> Answers:
    """Put readings into numbers; `told` are the right labels, the languages and the clusters."""
    gold, languages, clusters = told
    number = {label: place for place, label in enumerate(labels)}
    # A text that holds nothing to read has no ranking: every label is as likely.
    shares = np.full((len(readings), len(labels)), 1 / len(labels), np.float32)
    given = np.full(len(readings), NONE, np.intp)
    promised = np.zeros(len(readings), np.float32)
    has_promises = False
    for row, reading in enumerate(readings):
        one = next(answer for answer in reading.predictions if answer.aspect is aspect)
        for label, share in one.ranking:
            shares[row, number[label]] = share
        if one.label is not None:
            given[row] = number[one.label]
        promised[row] = one.confidence if one.promised is None else one.promised
        has_promises = has_promises or one.promised is not None
    return Answers(
        labels=tuple(labels),
        gold=np.array([number[label] for label in gold], np.intp),
        shares=shares,
        given=given,
        promised=promised,
        has_promises=has_promises,
        languages=languages,
        clusters=clusters,
    )
