"""Linear heads: pooled states in, calibrated probabilities out, in numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from connector.model import Aspect, Prediction

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one encoder pass told about a text: its states, and its place as a unit vector."""

    states: Vector
    vector: Vector


class Answers(Protocol):
    """Something that answers one aspect from a view."""

    @property
    def aspect(self) -> Aspect:
        """Name the question."""

    def predict(self, view: View) -> Prediction:
        """Answer it for one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHead:
    """Multinomial logistic regression over some of a text's pooled states.

    `weights` is labels by (states times size) with any scaling of the inputs folded in.
    `temperature` was fitted on held-out tickets; under `abstain_below` it would rather not say.
    """

    aspect: Aspect
    labels: tuple[str, ...]
    states: tuple[int, ...]
    weights: Vector
    bias: Vector
    temperature: float
    abstain_below: float

    def predict(self, view: View) -> Prediction:
        """Answer for one text."""
        ranking = ranked(self.labels, self.probabilities(view.states))
        best, confidence = ranking[0]
        sure = confidence >= self.abstain_below
        beginning = "It reads as" if sure else "Not sure enough; it leans to"
        return Prediction(
            aspect=self.aspect,
            label=best if sure else None,
            confidence=confidence,
            ranking=ranking,
            reason=f"{beginning} {best} ({confidence:.0%}).",
        )

    def probabilities(self, states: Vector) -> Vector:
        """Give one probability per label, in the order of `labels`."""
        features = states[list(self.states)].reshape(-1)
        return softmax((self.weights @ features + self.bias) / self.temperature)


def softmax(scores: Vector) -> Vector:
    """Turn scores into probabilities that add up to one, over the last axis."""
    risen = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Vector = risen / risen.sum(axis=-1, keepdims=True)
    return shares


def ranked(labels: Sequence[str], probabilities: Vector) -> tuple[tuple[str, float], ...]:
    """Pair labels with probabilities, best first; equal ones stay in the order of `labels`."""
    order = np.argsort(-probabilities, kind="stable")
    return tuple((labels[place], float(probabilities[place])) for place in order)
