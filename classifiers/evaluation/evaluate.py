"""Any bundle on any labelled file: read, asked as the daemon asks, and measured."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import numpy as np

from classifiers import language
from classifiers.build.scores import DIGITS
from classifiers.engine import BundleEngine, load
from classifiers.evaluation.answers import NONE, Places, gathered, read
from classifiers.evaluation.figures import accuracy, confusion, figures, macro_f1, ordinal
from classifiers.training.dedupe import clusters
from classifiers.training.history import Columns, Row, read_history
from classifiers.training.rungs import Lesson, LinearRung
from classifiers.training.split import FOLDS, folds
from connector.errors import BadHistory
from connector.model import Aspect, Reading
from connector.ports import EvaluationOrder

Say = Callable[[str], None]

SCALE = (
    "lowest",
    "low",
    "minor",
    "normal",
    "medium",
    "moderate",
    "major",
    "high",
    "urgent",
    "critical",
)
"""Names of priorities, lowest first; labels that are all among them have an order."""
SHOWN = 8
"""Labels named in a message."""
FEWEST = 2
"""Labels, and rows of one, without which nothing can be measured."""
UNKNOWN = "unknown"


def evaluate(
    order: EvaluationOrder, clean: Callable[[str, str], str], say: Say, threads: int
) -> Mapping[str, Any]:
    """Measure a bundle on a file; raises `BadBundle` or `BadHistory`."""
    started = monotonic()
    engine = load(order.bundle, threads)
    say("reading and cleaning the file")
    rows = read_history(order.history, Columns(text=order.text, labels=order.labels), clean)
    texts = [row.text for row in rows]
    readings = read(engine, texts, say)
    say("looking for near-duplicates")
    groups = clusters(texts, order.seed)
    aspects = {
        aspect: measure(order, aspect, engine, (rows, readings, groups), say)
        for aspect in order.labels
    }
    return {
        "bundle": engine.bundle,
        "file": order.history.name,
        "rows": len(rows),
        "seconds": round(monotonic() - started, 1),
        "aspects": aspects,
    }


def measure(
    order: EvaluationOrder,
    aspect: Aspect,
    engine: BundleEngine,
    asked: tuple[Sequence[Row], Sequence[Reading], Places],
    say: Say,
) -> dict[str, Any]:
    """Measure one aspect on rows, what was read in them, and their clusters."""
    rows, readings, groups = asked
    labels = tuple(engine.labels(aspect))
    told = [place for place, row in enumerate(rows) if aspect in row.labels]
    known = [place for place in told if rows[place].labels[aspect] in labels]
    others = [place for place in told if rows[place].labels[aspect] not in labels]
    if len(known) < FEWEST:
        raise BadHistory(_strangers(order, aspect, labels, [rows[place] for place in others]))
    texts = [rows[place].text for place in known]
    gold = [rows[place].labels[aspect] for place in known]
    spoken = [language.identify(text) or UNKNOWN for text in texts]
    answers = gathered(
        aspect, labels, [readings[place] for place in known], (gold, spoken, groups[known])
    )
    found = figures(answers, order.seed)
    found["labels"] = list(labels)
    found["outside"] = _outside(aspect, [readings[place] for place in others])
    found["baselines"] = {"majority": _majority(answers.gold, len(labels))}
    if order.baseline:
        say(f"{aspect}: learning the linear baseline on this file")
        found["baselines"]["linear"] = _linear(texts, answers.gold, groups[known], order.seed)
    if ranks := _ranks(order, aspect, labels):
        found["ordinal"] = ordinal(answers, ranks)
    return found


def _strangers(
    order: EvaluationOrder, aspect: Aspect, labels: Sequence[str], others: Sequence[Row]
) -> str:
    column = order.labels[aspect]
    if not labels:
        return f"{order.history}: the bundle has no {aspect} of its own; leave --label {aspect} out"
    mine = ", ".join(labels[:SHOWN])
    theirs = ", ".join(sorted({row.labels[aspect] for row in others})[:SHOWN]) or "nothing"
    return (
        f"{order.history}: the column {column!r} holds {theirs}, and the bundle answers {mine}:"
        " name the column that has the bundle's labels"
    )


def _outside(aspect: Aspect, readings: Sequence[Reading]) -> dict[str, Any]:
    """Tell of tickets whose right label the bundle does not know: each answer is a wrong one."""
    said = [one for reading in readings for one in reading.predictions if one.aspect is aspect]
    answered = sum(one.label is not None for one in said)
    share = round(answered / len(said), DIGITS) if said else 0.0
    return {"n": len(said), "answered": share}


def _majority(gold: Places, count: int) -> dict[str, float]:
    most = np.full(len(gold), np.bincount(gold).argmax(), np.intp)
    return _scored(gold, most, count)


def _linear(texts: Sequence[str], gold: Places, groups: Places, seed: int) -> dict[str, float]:
    """Ask TF-IDF about each ticket while its fold was held out: what the file itself can teach."""
    given = np.full(len(gold), NONE, np.intp)
    parts = folds(groups, seed)
    lesson = Lesson(texts=texts, states=np.zeros((0, 0), np.float32))
    count = int(gold.max()) + 1
    for fold in range(FOLDS):
        held, learn = np.flatnonzero(parts == fold), np.flatnonzero(parts != fold)
        if not len(held):
            continue
        if len(np.unique(gold[learn])) < FEWEST:
            given[held] = np.bincount(gold).argmax()
            continue
        model = LinearRung().learn(lesson.pick(learn), gold[learn], count, seed)
        given[held] = model.logits(lesson.pick(held)).argmax(axis=1)
    return _scored(gold, given, count)


def _scored(gold: Places, given: Places, count: int) -> dict[str, float]:
    matrix = confusion(gold, given, count)
    return {
        "macro_f1": round(macro_f1(matrix), DIGITS),
        "accuracy": round(accuracy(matrix), DIGITS),
    }


def _ranks(order: EvaluationOrder, aspect: Aspect, labels: Sequence[str]) -> Sequence[str]:
    """Give the labels from lowest to highest, where they have such an order."""
    given = order.ranks.get(aspect, ())
    if given:
        if sorted(given) != sorted(labels):
            raise BadHistory(f"--rank {aspect}: name each of {', '.join(labels)} once")
        return given
    if aspect is Aspect.PRIORITY and {label.casefold() for label in labels} <= set(SCALE):
        return sorted(labels, key=lambda label: SCALE.index(label.casefold()))
    return ()
