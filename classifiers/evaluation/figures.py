"""Answers into figures: what was right, how sure of that we are, and what a promise is worth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.build.scores import DIGITS, reliability
from classifiers.dial import TWO_SIDED, wilson_low
from classifiers.evaluation.answers import NONE, Answers, Numbers, Places

DRAWS = 1000
"""Times that clusters are drawn again for an interval."""
LEVELS = (0.8, 0.9, 0.95, 0.98)
"""Precisions that the dial is tried at."""
ENOUGH = 50
"""Answers of a label from which on its promise is judged by itself."""
TOP = 3
STEPS = 20
"""Points of the curve of precision over coverage."""
CONFUSED = 10
"""Pairs of labels that are named."""

Matrix = NDArray[np.float64]


def figures(answers: Answers, seed: int) -> dict[str, Any]:
    """Measure one aspect; every share comes with its 95 % interval where it has one."""
    matrix = confusion(answers.gold, answers.best, len(answers.labels))
    drawn = _drawn(answers, seed)
    right = answers.best == answers.gold
    return {
        "n": len(answers.gold),
        "clusters": len(np.unique(answers.clusters)),
        "macro_f1": _figure(macro_f1(matrix), [macro_f1(one) for one in drawn]),
        "accuracy": _figure(accuracy(matrix), [accuracy(one) for one in drawn]),
        "top_3": _rounded(_within_top(answers)),
        "per_class": _per_class(answers, matrix),
        "confusion": matrix.astype(int).tolist(),
        "confused": _confused(answers.labels, matrix),
        "calibration": _calibration(answers, seed),
        "coverage": _curve(answers.sure, right),
        "answered": written(answers.given != NONE, answers.given == answers.gold),
        "has_promises": answers.has_promises,
        "dial": [dial(answers, asked) for asked in LEVELS],
        "languages": _languages(answers),
    }


def confusion(gold: Places, given: Places, count: int, weights: Numbers | None = None) -> Matrix:
    """Count how often each label (rows) was answered by each (columns)."""
    flat = np.bincount(gold * count + given, weights=weights, minlength=count * count)
    return flat.reshape(count, count).astype(np.float64)


def macro_f1(matrix: Matrix) -> float:
    """Give the mean F1 of the labels that occur; one that is never given counts as 0."""
    there, given, hits = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    present = there > 0
    return float((2 * hits / np.maximum(there + given, 1e-9))[present].mean())


def accuracy(matrix: Matrix) -> float:
    """Give the share that is right."""
    return float(np.trace(matrix) / max(1.0, matrix.sum()))


def ordinal(answers: Answers, order: Sequence[str], high: int = 2) -> dict[str, Any]:
    """Measure labels that have an order, lowest first: priority is not told by its accuracy.

    Gives kappa with quadratic weights (J. Cohen, 1968), and the recall of the `high` highest.
    """
    places = [answers.labels.index(label) for label in order]
    matrix = confusion(answers.gold, answers.best, len(answers.labels))[np.ix_(places, places)]
    steps = np.arange(len(order))
    weights = (steps[:, None] - steps[None, :]) ** 2
    expected = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / max(1.0, matrix.sum())
    chance = float((weights * expected).sum())
    kappa = 1 - float((weights * matrix).sum()) / chance if chance else 0.0
    recall = np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)
    return {
        "order": list(order),
        "kappa": _rounded(kappa),
        "recall_of_the_highest": {
            label: _rounded(float(recall[place]))
            for place, label in enumerate(order)
            if place >= len(order) - high
        },
    }


def dial(answers: Answers, asked: float) -> dict[str, Any]:
    """Tell what would be written at a precision that is asked for, and how much of it is right.

    `kept` of a label says whether its interval reaches what was asked; `None` for too few answers.
    """
    taken = (answers.given != NONE) & (answers.promised >= asked)
    right = taken & (answers.given == answers.gold)
    labels = []
    for place, label in enumerate(answers.labels):
        mine = answers.given == place
        count, hits = int((taken & mine).sum()), int((right & mine).sum())
        if count:
            kept = _high(hits, count) >= asked if count >= ENOUGH else None
            labels.append({"label": label, "n": count, "right": hits, "kept": kept})
    judged = [one["kept"] for one in labels if one["kept"] is not None]
    return {
        "asked": asked,
        **written(taken, right),
        "labels": labels,
        "judged": len(judged),
        "kept": sum(judged),
    }


def written(taken: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, Any]:
    """Give the share of tickets whose answer is taken, and the share of these that is right."""
    count, hits = int(taken.sum()), int((taken & right).sum())
    return {
        "coverage": _rounded(count / max(1, len(taken))),
        "precision": _rounded(hits / count) if count else None,
        "interval": [_rounded(_low(hits, count)), _rounded(_high(hits, count))] if count else None,
    }


def _low(hits: int, count: int) -> float:
    return float(wilson_low(np.array([float(hits)]), np.array([float(count)]), TWO_SIDED)[0])


def _high(hits: int, count: int) -> float:
    return 1.0 - _low(count - hits, count)


def _drawn(answers: Answers, seed: int) -> list[Matrix]:
    """Draw whole clusters again: near-duplicates are no further evidence."""
    _, cluster = np.unique(answers.clusters, return_inverse=True)
    count = int(cluster.max()) + 1
    generator = np.random.default_rng(seed)
    matrices = []
    for _ in range(DRAWS):
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        weights = times[cluster].astype(np.float32)
        matrices.append(confusion(answers.gold, answers.best, len(answers.labels), weights))
    return matrices


def _figure(value: float, drawn: Sequence[float]) -> dict[str, Any]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": _rounded(value), "interval": [_rounded(float(low)), _rounded(float(high))]}


def _within_top(answers: Answers) -> float:
    """Give the share whose right label is among the three most probable."""
    mine = answers.shares[np.arange(len(answers.gold)), answers.gold]
    return float(((answers.shares > mine[:, None]).sum(axis=1) < TOP).mean())


def _per_class(answers: Answers, matrix: Matrix) -> dict[str, Any]:
    there, given, hits = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    found = {}
    for place, label in enumerate(answers.labels):
        mine = (answers.given == place) & (answers.best == place)
        found[label] = {
            "n": int(there[place]),
            "precision": _rounded(float(hits[place] / max(1.0, given[place]))),
            "recall": _rounded(float(hits[place] / max(1.0, there[place]))),
            "f1": _rounded(float(2 * hits[place] / max(1.0, there[place] + given[place]))),
            "most": _rounded(float(answers.promised[mine].max())) if mine.any() else 0.0,
        }
    return found


def _confused(labels: Sequence[str], matrix: Matrix) -> list[dict[str, Any]]:
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED]
    pairs = [divmod(int(place), len(labels)) for place in order]
    return [
        {"right": labels[gold], "given": labels[given], "n": int(wrong[gold, given])}
        for gold, given in pairs
        if wrong[gold, given]
    ]


def _calibration(answers: Answers, seed: int) -> dict[str, Any]:
    # Here and not above: scikit-learn is behind it.
    from classifiers.training.calibrate import error_interval  # noqa: PLC0415 - see above

    error, low, high = error_interval(answers.shares, answers.gold, seed)
    gold = [answers.labels[place] for place in answers.gold]
    return {
        "ece": _rounded(error),
        "interval": [_rounded(low), _rounded(high)],
        "reliability": reliability(gold, answers.shares, answers.labels),
    }


def _curve(sure: Numbers, right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Give the precision of the surest answers, for rising shares of all tickets."""
    order = np.argsort(-sure, kind="stable")
    hits = np.cumsum(right[order])
    counts = np.unique(np.ceil(np.linspace(0, 1, STEPS + 1)[1:] * len(order)).astype(int))
    return [
        {
            "coverage": _rounded(count / len(order)),
            "precision": _rounded(float(hits[count - 1] / count)),
            "confidence": _rounded(float(sure[order[count - 1]])),
        }
        for count in counts.tolist()
    ]


def _languages(answers: Answers) -> dict[str, Any]:
    spoken = np.array(answers.languages)
    found = {}
    for language in sorted(set(answers.languages)):
        mine = spoken == language
        matrix = confusion(answers.gold[mine], answers.best[mine], len(answers.labels))
        found[language] = {
            "n": int(mine.sum()),
            "macro_f1": _rounded(macro_f1(matrix)),
            "answered": _rounded(float((answers.given[mine] != NONE).mean())),
        }
    return found


def _rounded(value: float) -> float:
    return round(value, DIGITS)
