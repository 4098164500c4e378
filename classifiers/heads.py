"""Linear heads: pooled states in, calibrated probabilities out, in numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from connector.model import Aspect, Prediction

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one encoder told about a text: its pooled states, and its graph's further outputs."""

    states: Vector
    outputs: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that is known about a text when it is asked about.

    `vector` is its place as a unit vector, `passes` what each encoder by name told.
    """

    vector: Vector
    passes: Mapping[str, Pass] = field(default_factory=dict)
    text: str = ""
    language: str = ""


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
    `temperature` was fitted on held-out tickets.
    """

    labels: tuple[str, ...]
    states: tuple[int, ...]
    weights: Vector
    bias: Vector
    temperature: float

    def logits(self, states: Vector) -> Vector:
        """Give one score per label, in the order of `labels`."""
        features = states[list(self.states)].reshape(-1)
        scores: Vector = self.weights @ features + self.bias
        return scores

    def probabilities(self, states: Vector) -> Vector:
        """Give one probability per label, in the order of `labels`."""
        return softmax(self.logits(states) / self.temperature)


def softmax(scores: Vector) -> Vector:
    """Turn scores into probabilities that add up to one, over the last axis."""
    risen = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: Vector = risen / risen.sum(axis=-1, keepdims=True)
    return shares


def ranked(labels: Sequence[str], probabilities: Vector) -> tuple[tuple[str, float], ...]:
    """Pair labels with probabilities, best first; equal ones stay in the order of `labels`."""
    order = np.argsort(-probabilities, kind="stable")
    return tuple((labels[place], float(probabilities[place])) for place in order)
