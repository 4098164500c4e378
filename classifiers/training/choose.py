"""Which rung answers: cross-validated on whole clusters, the simplest within one standard error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from classifiers.build.train import temperature_for
from classifiers.ensemble import averaged
from classifiers.evaluation.figures import confusion, macro_f1
from classifiers.heads import softmax
from classifiers.training.calibrate import log_loss
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
    shares: tuple[float, ...] = (1.0,)
    """How much each member says."""

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
        return averaged(_answers(self.logits, self.temperatures), self.shares)


def _answers(logits: Sequence[Numbers], temperatures: Sequence[float]) -> list[Numbers]:
    return [
        softmax(one / heat).astype(np.float32)
        for one, heat in zip(logits, temperatures, strict=True)
    ]


def portions(members: int) -> Sequence[tuple[float, ...]]:
    """Give the ways in which members may share, evenly first: in tenths, each at least two."""
    even = (1 / members,) * members
    tenths = range(2, 9) if members > 1 else ()
    others = [
        tuple(one / 10 for one in parts)
        for parts in product(tenths, repeat=members)
        if sum(parts) == 10  # noqa: PLR2004 - tenths
    ]
    return [even, *others]


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


def challenge(
    question: Question, tried: Sequence[Tried], rung: Rung, held: tuple[Numbers, Sequence[int]]
) -> tuple[Question, Sequence[Tried]]:
    """Compare a rung that may be too dear for every fold with the others, on the rows it answered.

    `held` are its answers, rows by labels, and the folds that it answered. Give the question about
    those rows alone, and all that was tried on it, the simplest first: the earlier ones, the rung,
    and all of them averaged.
    """
    answers, done = held
    places = np.flatnonzero(np.isin(question.folds, done))
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
    alone = scored(asked, (rung,), (answers[places],))
    together = scored(
        asked,
        (*(one.rungs[0] for one in singles), rung),
        (*(one.logits[0] for one in singles), answers[places]),
    )
    return asked, (*earlier, alone, together)


def simplest(tried: Sequence[Tried]) -> Tried:
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
    """Fit temperatures and shares on what was held out, and score the average per fold."""
    heats = tuple(temperature_for(one, question.gold.tolist()) for one in logits)
    answers = _answers(logits, heats)
    ways = {shares: _scores(question, averaged(answers, shares)) for shares in portions(len(rungs))}
    shares = max(ways, key=lambda one: float(np.mean(ways[one])))
    return Tried(rungs=rungs, temperatures=heats, logits=logits, scores=ways[shares], shares=shares)


def _scores(question: Question, given: Numbers) -> tuple[float, ...]:
    """Give macro-F1 by fold."""
    best, count = given.argmax(axis=1), len(question.labels)
    folds = (np.flatnonzero(question.folds == fold) for fold in range(FOLDS))
    return tuple(
        macro_f1(confusion(question.gold[places], best[places], count))
        for places in folds
        if len(places)
    )


def fittest(question: Question, rungs: Sequence[Rung], kept: Kept, say: Say) -> Rung:
    """Give the rung, of several of a kind, whose answers to the first fold lose least."""
    held, learn = (np.flatnonzero((question.folds == 0) == is_held) for is_held in (True, False))
    gold, count = question.gold, len(question.labels)

    def loss(rung: Rung) -> float:
        def work() -> Numbers:
            model = rung.learn(question.lesson.pick(learn), gold[learn], count, question.seed)
            return model.logits(question.lesson.pick(held))

        logits = kept.get(f"{question.name} {rung} 0", work)
        return log_loss(softmax(logits / temperature_for(logits, gold[held].tolist())), gold[held])

    say(f"trying {len(rungs)} kinds of {rungs[0].name}")
    return min(rungs, key=loss)


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

        whole[held] = kept.get(f"{question.name} {rung} {fold}", work)
    return whole
