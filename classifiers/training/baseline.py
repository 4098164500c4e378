"""What TF-IDF alone would be worth with all that a bundle gets: what the others are measured by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from classifiers.build.scores import DIGITS, best, macro_f1
from classifiers.dial import promised, promises
from classifiers.evaluation.figures import LEVELS, written
from classifiers.heads import softmax
from classifiers.training.calibrate import calibrated
from classifiers.training.choose import Question, Tried
from classifiers.training.rungs import Lesson, LinearRung


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The linear rung, and its answers to the rows while they were held out."""

    question: Question
    held: Tried

    def beside(self, texts: Sequence[str], gold: Sequence[str]) -> dict[str, Any]:
        """Give its macro-F1 on other rows, and what it would write at a precision."""
        labels, asked = self.question.labels, self.question
        _, honest = calibrated(self.held.probabilities, asked.gold, asked.folds)
        fitted = promises(honest.apply(self.held.probabilities), asked.gold, labels)
        learnt = LinearRung().learn(asked.lesson, asked.gold, len(labels), asked.seed)
        none = np.zeros((0, 0), np.float32)
        logits = learnt.logits(Lesson(texts=texts, states=none))
        shares = honest.apply(softmax(logits / self.held.temperatures[0]).astype(np.float32))
        given = best(shares, labels)
        sure = shares.max(axis=1).tolist()
        told = [promised(fitted[label], one) for label, one in zip(given, sure, strict=True)]
        right = np.array(given) == np.array(gold)
        return {
            "linear": round(macro_f1(gold, given, labels), DIGITS),
            "linear_accuracy": round(float(right.mean()), DIGITS),
            "linear_dial": [
                {"asked": level, **written(np.array(told) >= level, right)} for level in LEVELS
            ],
        }
