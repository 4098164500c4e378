"""One aspect answered: members asked, averaged and calibrated, and when rather nothing is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np

from classifiers.calibration import Calibration
from classifiers.dial import Steps, promised
from classifiers.heads import LinearHead, Vector, View, ranked, softmax
from classifiers.linear import LinearText
from classifiers.zeroshot import ZeroShot, unit
from connector.model import Aspect, Prediction

LANGUAGES = {
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hu": "Hungarian",
    "it": "Italian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "sv": "Swedish",
    "ar": "Arabic",
    "el": "Greek",
    "he": "Hebrew",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "zh": "Chinese",
}
"""The languages that are told apart, as an agent reads them."""


class Member(Protocol):
    """A model that answers for the ensemble's labels, in their order."""

    def logits(self, view: View) -> Vector:
        """Give one score per label, before any temperature."""

    def probabilities(self, view: View) -> Vector:
        """Give one probability per label; what is missing from 1 belongs to none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """A linear head on one encoder's states."""

    head: LinearHead
    encoder: str

    def logits(self, view: View) -> Vector:
        """Give the head's scores."""
        return self.head.logits(view.passes[self.encoder].states)

    def probabilities(self, view: View) -> Vector:
        """Give the head's probabilities."""
        return self.head.probabilities(view.passes[self.encoder].states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilbert:
    """A fine-tuned encoder's own answer."""

    encoder: str
    output: str
    temperature: float

    def logits(self, view: View) -> Vector:
        """Give the graph's logits."""
        return view.passes[self.encoder].outputs[self.output]

    def probabilities(self, view: View) -> Vector:
        """Give a softmax of the logits over the temperature."""
        return softmax(self.logits(view) / self.temperature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """The TF-IDF rung."""

    model: LinearText

    def logits(self, view: View) -> Vector:
        """Give the scores of the text."""
        return self.model.logits(view.text)

    def probabilities(self, view: View) -> Vector:
        """Give the probabilities of the text."""
        return self.model.probabilities(view.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Labels by their descriptions."""

    likeness: ZeroShot

    def logits(self, view: View) -> Vector:
        """Give likeness, as sharp as it is calibrated to be."""
        return self.likeness.logits(view.vector)

    def probabilities(self, view: View) -> Vector:
        """Give probabilities that leave room for none of the labels."""
        return self.likeness.probabilities(view.vector)


class Scope(Protocol):
    """Tells whether a text is like anything that the members learnt."""

    def holds(self, view: View, members: Sequence[Member]) -> bool:
        """Give false for a text that is unlike all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """The log-sum-exp of one member's logits has to reach the threshold (Liu et al., 2020)."""

    member: int
    threshold: float

    def holds(self, view: View, members: Sequence[Member]) -> bool:
        """Compare the energy of the text."""
        logits = members[self.member].logits(view)
        top = float(logits.max())
        return top + float(np.log(np.exp(logits - top).sum())) >= self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The closest class centre (rows of unit length) may not be farther than the threshold."""

    encoder: str
    state: int
    centroids: Vector
    threshold: float

    def holds(self, view: View, members: Sequence[Member]) -> bool:  # noqa: ARG002 - the role's
        """Compare the cosine distance to the closest centre."""
        place = unit(view.passes[self.encoder].states[self.state])
        return 1.0 - float((self.centroids @ place).max()) <= self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """How probabilities of the bundle's labels become those of a tenant's own."""

    whole: Vector
    """The bundle's labels by own labels: 1 where all of the one goes to the other."""
    splits: tuple[tuple[int, tuple[int, ...], ZeroShot], ...] = ()
    """A label of the bundle, the own labels that share it, and what tells these apart."""

    def apply(self, shares: Vector, view: View) -> Vector:
        """Add up what is merged, and divide what is split by its likeness to the descriptions."""
        given: Vector = shares @ self.whole
        for source, places, likeness in self.splits:
            parts = likeness.probabilities(view.vector)
            given[list(places)] += shares[source] * parts / max(parts.sum(), _SMALLEST)
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """The members' weighted mean, calibrated; fulfils `classifiers.heads.Answers`."""

    aspect: Aspect
    labels: tuple[str, ...]
    members: tuple[Member, ...]
    shares: tuple[float, ...]
    calibration: Calibration
    abstain_below: float
    scope: Scope | None = None
    languages: tuple[str, ...] = ()
    bars: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By language: how sure it has to be there, where `abstain_below` is not enough."""
    promises: Mapping[str, Steps] = field(default_factory=lambda: MappingProxyType({}))
    own: Own | None = None
    """Where a tenant has names of its own; `labels` and `promises` are then of these."""

    def predict(self, view: View) -> Prediction:
        """Answer for one text, with a reason; a set without labels is always abstained on."""
        if not self.labels:
            reason = "There are no labels to choose from."
            return Prediction(aspect=self.aspect, label=None, confidence=0.0, reason=reason)
        ranking = ranked(self.labels, self.probabilities(view))
        best, confidence = ranking[0]
        doubt = self._doubt(view, confidence)
        return Prediction(
            aspect=self.aspect,
            label=None if doubt else best,
            confidence=confidence,
            promised=promised(self.promises.get(best, ()), confidence) if self.promises else None,
            ranking=ranking,
            reason=self._reason(view, best, confidence, doubt),
        )

    def probabilities(self, view: View) -> Vector:
        """Give one probability per label, in the order of `labels`."""
        answers = [member.probabilities(view) for member in self.members]
        shares = self.calibration.apply(averaged(answers, self.shares))
        return shares if self.own is None else self.own.apply(shares, view)

    def _doubt(self, view: View, confidence: float) -> str:
        if self.languages and view.language and view.language not in self.languages:
            name = LANGUAGES.get(view.language, view.language)
            return f"The text seems to be in {name}, which this model was not measured on"
        if self.scope and not self.scope.holds(view, self.members):
            return "The text is unlike anything that this model learnt"
        if confidence < self.abstain_below:
            return "Not sure enough"
        if view.language and confidence < self.bars.get(view.language, 0.0):
            return f"Not sure enough for a text in {LANGUAGES.get(view.language, view.language)}"
        return ""

    def _reason(self, view: View, best: str, confidence: float, doubt: str) -> str:
        described = [one.likeness for one in self.members if isinstance(one, Described)]
        if described and self.own is None:
            closest = described[0].closest(best, view.vector)
            beginning = f"{doubt}; the closest is" if doubt else "It resembles"
            return f"{beginning} “{closest}” ({best}, {confidence:.0%})."
        beginning = f"{doubt}; it leans to" if doubt else "It reads as"
        return f"{beginning} {best} ({confidence:.0%})."


def averaged(answers: Sequence[Vector], shares: Sequence[float]) -> Vector:
    """Average the members' probabilities (each … by labels).

    What one keeps for "none of these" is, among several, shared out among all labels alike, and
    weakens the others by as much: a text that resembles nothing is not answered by a head alone.
    """
    if len(answers) == 1:
        return answers[0]
    count = answers[0].shape[-1]
    missing = [1.0 - answer.sum(axis=-1, keepdims=True) for answer in answers]
    nothing = np.clip(np.max(missing, axis=0), 0.0, 1.0)
    parts = [
        share * (answer * (1.0 - nothing) / np.maximum(1.0 - own, _SMALLEST) + nothing / count)
        for answer, own, share in zip(answers, missing, shares, strict=True)
    ]
    mean: Vector = np.sum(parts, axis=0).astype(np.float32)
    return mean


_SMALLEST = np.finfo(np.float32).tiny
