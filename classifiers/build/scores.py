"""How good answers are: macro-F1, per class, calibration, coverage; never accuracy alone."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_fscore_support
from sklearn.pipeline import make_pipeline, make_union

Floats = NDArray[np.floating[Any]]
Texts = Sequence[str]

BINS = 10
"""Rows of a reliability table."""
DIGITS = 4
"""Digits kept in the manifest; more would differ between processors."""


def macro_f1(gold: Texts, given: Texts, labels: Texts) -> float:
    """Give the mean of the classes' F1; a class that is never given counts as 0."""
    scores = precision_recall_fscore_support(gold, given, labels=list(labels), zero_division=0)
    present = scores[3] > 0
    return float(scores[2][present].mean())


def report(
    gold: Texts, probabilities: Floats, labels: Texts, *, languages: Texts, least: float
) -> dict[str, Any]:
    """Measure probabilities (texts by labels) against the truth, whole and per language.

    `answered` tells what is left when everything under `least` is abstained on.
    """
    given = best(probabilities, labels)
    each = precision_recall_fscore_support(gold, given, labels=list(labels), zero_division=0)
    precision, recall, score, count = (np.asarray(column) for column in each)
    per_class = {
        label: {
            "n": int(count[place]),
            "precision": round(float(precision[place]), DIGITS),
            "recall": round(float(recall[place]), DIGITS),
            "f1": round(float(score[place]), DIGITS),
        }
        for place, label in enumerate(labels)
    }
    return {
        "n": len(gold),
        "macro_f1": round(macro_f1(gold, given, labels), DIGITS),
        "per_class": per_class,
        "languages": per_language(gold, given, labels, languages),
        "answered": answered(gold, probabilities, labels, least),
        "ece": round(calibration_error(gold, probabilities, labels), DIGITS),
    }


def best(probabilities: Floats, labels: Texts) -> list[str]:
    """Give each text's most probable label."""
    return [labels[place] for place in probabilities.argmax(axis=1)]


def per_language(gold: Texts, given: Texts, labels: Texts, languages: Texts) -> dict[str, Any]:
    """Give macro-F1 and the number of texts of each language."""
    found: dict[str, Any] = {}
    for language in sorted(set(languages)):
        mine = [place for place, spoken in enumerate(languages) if spoken == language]
        score = macro_f1([gold[place] for place in mine], [given[place] for place in mine], labels)
        found[language] = {"n": len(mine), "macro_f1": round(score, DIGITS)}
    return found


def answered(gold: Texts, probabilities: Floats, labels: Texts, least: float) -> dict[str, float]:
    """Give the share of texts answered at a least confidence, and the share of these right."""
    sure = probabilities.max(axis=1) >= least
    right = np.array(best(probabilities, labels)) == np.array(gold)
    precision = float(right[sure].mean()) if sure.any() else 0.0
    return {
        "least": round(least, DIGITS),
        "coverage": round(float(sure.mean()), DIGITS),
        "precision": round(precision, DIGITS),
    }


def reliability(gold: Texts, probabilities: Floats, labels: Texts) -> list[dict[str, float]]:
    """Give the reliability table: per band of confidence, how many, how sure, how often right."""
    confidence = probabilities.max(axis=1)
    right = np.array(best(probabilities, labels)) == np.array(gold)
    bands = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "from": band / BINS,
            "n": int((bands == band).sum()),
            "confidence": round(float(confidence[bands == band].mean()), DIGITS),
            "right": round(float(right[bands == band].mean()), DIGITS),
        }
        for band in range(BINS)
        if (bands == band).any()
    ]


def calibration_error(gold: Texts, probabilities: Floats, labels: Texts) -> float:
    """Give the expected calibration error over the reliability table."""
    rows = reliability(gold, probabilities, labels)
    gaps = [row["n"] * abs(row["confidence"] - row["right"]) for row in rows]
    return float(sum(gaps) / max(1, len(gold)))


def majority(gold: Texts, most: str, labels: Texts) -> float:
    """Give the macro-F1 of always answering with the commonest training label."""
    return round(macro_f1(gold, [most] * len(gold), labels), DIGITS)


def linear_baseline(texts: Texts, gold: Texts) -> Callable[[Texts], list[str]]:
    """Fit the baseline that every figure stands beside: word and character TF-IDF, linear."""
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    characters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5))
    model = make_pipeline(
        make_union(words, characters),
        LogisticRegression(C=10.0, max_iter=500, class_weight="balanced"),
    )
    model.fit(list(texts), list(gold))
    return lambda asked: [str(label) for label in model.predict(list(asked))]
