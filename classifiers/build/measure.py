"""What a built head is worth on tickets that it never saw, with the baselines beside it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.build import scores
from classifiers.build.likeness import fit_calibration, transfer
from classifiers.build.scores import DIGITS, Floats
from classifiers.build.tickets import Example
from classifiers.build.train import LEAST, Fitted, States, Training, folds, temperature_for
from classifiers.calibration import Temperature
from classifiers.ensemble import averaged
from classifiers.zeroshot import Calibration, Space, near, unit
from connector.model import Aspect

Descriptions = Mapping[str, NDArray[np.float32]]
"""Each label and its descriptions' unit vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Examples and their pooled states, as the quantised model gives them."""

    examples: Sequence[Example]
    states: States

    def pick(self, *splits: str) -> "Read":
        """Keep the examples of these splits."""
        places = [place for place, one in enumerate(self.examples) if one.split in splits]
        kept = [self.examples[place] for place in places]
        return Read(examples=kept, states=self.states[places])

    def gold(self, aspect: Aspect) -> list[str]:
        """List the labels of one aspect."""
        return [one.labels[aspect] for one in self.examples]

    @property
    def clusters(self) -> list[str]:
        """List the near-duplicate clusters."""
        return [one.cluster for one in self.examples]

    @property
    def languages(self) -> list[str]:
        """List the languages."""
        return [one.language for one in self.examples]

    @property
    def texts(self) -> list[str]:
        """List the texts."""
        return [one.text for one in self.examples]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One aspect's calibrated answers (texts by labels) to held-out tickets of both kinds.

    `learnt` are those to train and valid tickets while each was held out, `test` those to the
    test tickets, which nothing was fitted or chosen on.
    """

    aspect: Aspect
    labels: tuple[str, ...]
    learnt: Floats
    test: Floats


def head_answers(fitted: Fitted, own: Read) -> Answered:
    """Ask a fitted head."""
    head = fitted.head
    asked = [head.probabilities(states) for states in own.pick("test").states]
    return Answered(
        aspect=fitted.aspect, labels=head.labels, learnt=fitted.held_out, test=np.stack(asked)
    )


def measured(answered: Answered, own: Read) -> dict[str, Any]:
    """Measure answers: on the test split, over the folds, and in a reliability table."""
    learnt, test = own.pick("train", "valid"), own.pick("test")
    aspect, labels = answered.aspect, answered.labels
    gold = learnt.gold(aspect)
    most = Counter(gold).most_common(1)[0][0]
    baseline = scores.linear_baseline(learnt.texts, gold)(test.texts)
    tested = scores.report(
        test.gold(aspect), answered.test, labels, languages=test.languages, least=LEAST
    )
    over_folds = scores.report(
        gold, answered.learnt, labels, languages=learnt.languages, least=LEAST
    )
    linear = linear_folds(learnt, aspect)
    return {
        "test": tested
        | {
            "majority": scores.majority(test.gold(aspect), most, labels),
            "linear": round(scores.macro_f1(test.gold(aspect), baseline, labels), DIGITS),
            "linear_languages": scores.per_language(
                test.gold(aspect), baseline, labels, test.languages
            ),
        },
        "folds": over_folds
        | {
            "linear": round(scores.macro_f1(gold, linear, labels), DIGITS),
            "linear_languages": scores.per_language(gold, linear, labels, learnt.languages),
        },
        "reliability": scores.reliability(gold, answered.learnt, labels),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """The fitted way from likeness to probability, with what it says about tickets."""

    space: Space
    calibration: Calibration
    answered: Answered
    transfer: Mapping[str, float]


def fit_likeness(own: Read, descriptions: Descriptions, place: int) -> Likeness:
    """Fit space and calibration on train and valid, and ask about both and the test split."""
    learnt, test = own.pick("train", "valid"), own.pick("test")
    labels = tuple(descriptions)
    space = Space(mean=unit(learnt.states[:, place]).mean(axis=0))
    seen = likeness(space, learnt.states[:, place], descriptions)
    numbers = [labels.index(label) for label in learnt.gold(Aspect.CATEGORY)]
    calibration = fit_calibration(seen, numbers)
    asked = likeness(space, test.states[:, place], descriptions)
    return Likeness(
        space=space,
        calibration=calibration,
        answered=Answered(
            aspect=Aspect.CATEGORY,
            labels=labels,
            learnt=calibration.probabilities(seen),
            test=calibration.probabilities(asked),
        ),
        transfer=transfer(seen, numbers),
    )


def likeness(space: Space, states: Floats, descriptions: Descriptions) -> Floats:
    """Give texts by labels, as serving computes it."""
    placed = space.place(unit(states))
    columns = [
        [near(row) for row in placed @ space.place(vectors).T] for vectors in descriptions.values()
    ]
    return np.array(columns, dtype=np.float32).T


def blended(members: Sequence[Answered], own: Read) -> tuple[Answered, float]:
    """Average answers; the temperature is fitted on held-out answers to train and valid."""
    aspect, labels = members[0].aspect, members[0].labels
    gold = [labels.index(label) for label in own.pick("train", "valid").gold(aspect)]
    evenly = [1 / len(members)] * len(members)
    learnt = averaged([one.learnt for one in members], evenly)
    test = averaged([one.test for one in members], evenly)
    temperature = temperature_for(np.log(learnt), gold)
    calibration = Temperature(value=temperature)
    answers = Answered(
        aspect=aspect,
        labels=labels,
        learnt=calibration.apply(learnt),
        test=calibration.apply(test),
    )
    return answers, temperature


def linear_folds(learnt: Read, aspect: Aspect) -> list[str]:
    """Give the linear baseline's answers to the same tickets over the same folds."""
    gold = learnt.gold(aspect)
    count = len(gold)
    training = Training(
        states=learnt.states,
        labels=gold,
        clusters=learnt.clusters,
        weights=np.ones(count),
        helpers=np.zeros(count, dtype=bool),
    )
    given = [""] * count
    for learn, held in folds(training):
        texts = [learnt.texts[place] for place in learn]
        answer = scores.linear_baseline(texts, [gold[place] for place in learn])
        for place, label in zip(held, answer([learnt.texts[place] for place in held]), strict=True):
            given[place] = label
    return given
