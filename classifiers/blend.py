"""A linear head and label descriptions asked about the same labels, and their answers averaged."""

from dataclasses import dataclass

import numpy as np

from classifiers.heads import LinearHead, Vector, View, ranked, softmax
from classifiers.zeroshot import ZeroShot
from connector.model import Aspect, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """The mean of two calibrated answers, calibrated once more.

    The head has learnt how tickets are worded, the descriptions what the labels mean; they err on
    different tickets. `likeness` abstains for both.
    """

    head: LinearHead
    likeness: ZeroShot
    temperature: float

    @property
    def aspect(self) -> Aspect:
        """Name the question that both answer."""
        return self.head.aspect

    def predict(self, view: View) -> Prediction:
        """Answer for one text, with the description that speaks for the answer."""
        return self.likeness.explained(
            ranked(self.likeness.labels, self.probabilities(view)), view.vector
        )

    def probabilities(self, view: View) -> Vector:
        """Give one probability per label, in the order of the labels of both."""
        learnt = self.head.probabilities(view.states)
        described = self.likeness.probabilities(view.vector)
        return mixed(learnt, described, self.temperature)


def mixed(learnt: Vector, described: Vector, temperature: float) -> Vector:
    """Average two rows of probabilities (… by labels) and soften or sharpen the result.

    What the descriptions keep for "none of these" is shared out among all labels alike, so that
    a text that resembles nothing is not answered by the head alone.
    """
    count = described.shape[-1]
    nothing = 1.0 - described.sum(axis=-1, keepdims=True)
    mean: Vector = (learnt * (1.0 - nothing) + described + nothing * 2.0 / count) / 2.0
    logs: Vector = np.log(np.maximum(mean, np.finfo(np.float32).tiny))
    return softmax(np.divide(logs, temperature))
