"""Which rung answers: cross-validated on whole clusters, the simplest within one standard error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classifiers.build.scores import best, macro_f1
from classifiers.build.train import temperature_for
from classifiers.ensemble import averaged
from classifiers.heads import softmax
from classifiers.training.kept import Kept, Numbers
from classifiers.training.rungs import Lesson, Rung
from classifiers.training.split import FOLDS

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One aspect to learn: rows, the numbers of their labels, and which fold each row is in."""

    name: str
    """Names the aspect, the data and the seed, so that kept folds are found again."""
    labels: tuple[str, ...]
    lesson: Lesson
    gold: NDArray[np.intp]
    folds: NDArray[np.intp]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One candidate's held-out answers: members with temperatures, and its score over folds."""

    rungs: tuple[Rung, ...]
    temperatures: tuple[float, ...]
    logits: tuple[Numbers, ...]
    scores: tuple[float, ...]
    """Macro-F1 by fold."""

    @property
    def mean(self) -> float:
        """Give the mean score over folds."""
        return float(np.mean(self.scores))

    @property
    def error(self) -> float:
        """Give the standard error of that mean."""
        return _standard_error(self.scores)

    @property
    def name(self) -> str:
        """Name the members."""
        return " + ".join(rung.name for rung in self.rungs)

    @property
    def probabilities(self) -> Numbers:
        """Give the averaged answers to every row while it was held out."""
        return mixed(self.logits, self.temperatures)


def mixed(logits: Sequence[Numbers], temperatures: Sequence[float]) -> Numbers:
    """Average members as serving does, evenly."""
    answers = [
        softmax(one / heat).astype(np.float32)
        for one, heat in zip(logits, temperatures, strict=True)
    ]
    return averaged(answers, [1 / len(answers)] * len(answers))


def choose(
    question: Question, rungs: Sequence[Rung], kept: Kept, say: Say, late: Callable[[], bool]
) -> tuple[Tried, Mapping[str, Tried]]:
    """Try every rung and, where there are two, their average; give the choice and all tried.

    Once `late`, no further rung is begun; the first one always is.
    """
    tried: dict[str, Tried] = {}
    for rung in rungs:
        if tried and late():
            say(f"no time left for {rung.name}")
            continue
        held = _held_out(question, rung, kept, say)
        one = scored(question, (rung,), (held,))
        tried[one.name] = one
    if len(tried) > 1:
        singles = list(tried.values())
        both = scored(
            question,
            tuple(one.rungs[0] for one in singles),
            tuple(one.logits[0] for one in singles),
        )
        tried[both.name] = both
    return simplest(list(tried.values())), tried


def simplest(tried: Sequence[Tried]) -> Tried:
    """Give the first, in the order of simplicity, within one standard error of the best."""
    top = max(tried, key=lambda one: one.mean)
    return next(one for one in tried if one.mean >= top.mean - top.error)


def challenge(
    question: Question, tried: Sequence[Tried], rung: Rung, held: Numbers
) -> tuple[Question, Sequence[Tried]]:
    """Compare a rung that is too dear for every fold with the others, on the rows of the first one.

    `held` are its answers to those rows. Give the question about those rows alone, and all that was
    tried on it, the simplest first: the earlier ones, the rung, and all of them averaged.
    """
    places = np.flatnonzero(question.folds == 0)
    chunks = np.random.default_rng(question.seed).permutation(len(places)) % FOLDS
    asked = replace(
        question,
        lesson=question.lesson.pick(places),
        gold=question.gold[places],
        folds=chunks.astype(np.intp),
    )
    earlier = [
        scored(asked, one.rungs, tuple(logits[places] for logits in one.logits)) for one in tried
    ]
    singles = [one for one in earlier if len(one.rungs) == 1]
    alone = scored(asked, (rung,), (held,))
    together = scored(
        asked,
        (*(one.rungs[0] for one in singles), rung),
        (*(one.logits[0] for one in singles), held),
    )
    return asked, (*earlier, alone, together)


def simplest_paired(tried: Sequence[Tried]) -> Tried:
    """Give the first that is not behind the best by more than a standard error of the difference.

    All answered the same rows: what is hard about a fold is so for all of them, and says nothing
    about which is better.
    """
    top = max(tried, key=lambda one: one.mean)

    def is_as_good(one: Tried) -> bool:
        behind = [a - b for a, b in zip(top.scores, one.scores, strict=True)]
        return float(np.mean(behind)) <= _standard_error(behind)

    return next(one for one in tried if is_as_good(one))


def _standard_error(values: Sequence[float]) -> float:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return spread / float(np.sqrt(len(values)))


def scored(question: Question, rungs: tuple[Rung, ...], logits: tuple[Numbers, ...]) -> Tried:
    """Fit each member's temperature on what was held out, and score the average per fold."""
    heats = tuple(temperature_for(one, question.gold.tolist()) for one in logits)
    given = mixed(logits, heats)
    scores = []
    for fold in range(FOLDS):
        places = np.flatnonzero(question.folds == fold)
        if len(places):
            gold = [question.labels[number] for number in question.gold[places]]
            scores.append(macro_f1(gold, best(given[places], question.labels), question.labels))
    return Tried(rungs=rungs, temperatures=heats, logits=logits, scores=tuple(scores))


def _held_out(question: Question, rung: Rung, kept: Kept, say: Say) -> Numbers:
    count = len(question.labels)
    whole = np.zeros((len(question.gold), count), np.float32)
    for fold in range(FOLDS):
        say(f"{rung.name}: fold {fold + 1} of {FOLDS}")
        held = np.flatnonzero(question.folds == fold)
        learn = np.flatnonzero(question.folds != fold)
        if not len(held):
            continue

        def work(learn: NDArray[np.intp] = learn, held: NDArray[np.intp] = held) -> Numbers:
            model = rung.learn(
                question.lesson.pick(learn), question.gold[learn], count, question.seed
            )
            return model.logits(question.lesson.pick(held))

        whole[held] = kept.get(f"{question.name} {rung.name} {fold}", work)
    return whole
