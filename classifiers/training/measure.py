"""What a trained bundle is worth on the rows kept aside, asked through the code that serves."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from classifiers import language
from classifiers.build.scores import DIGITS, best, reliability, report
from classifiers.engine import BundleEngine
from classifiers.training.calibrate import error_interval
from classifiers.training.history import Row
from classifiers.training.kept import Numbers
from connector.model import Aspect

ENOUGH, SHARE = 20, 0.02
"""Rows, and their share, from which a language counts as learnt."""
UNKNOWN = "unknown"


def fingerprint(rows: Sequence[Row]) -> str:
    """Give the SHA-256 of texts and labels in order: the same data again, or not."""
    digest = hashlib.sha256()
    for row in rows:
        for part in (row.text, *(f"{name}={label}" for name, label in sorted(row.labels.items()))):
            digest.update(part.encode("utf-8", "replace") + b"\0")
        digest.update(b"\n")
    return digest.hexdigest()


def spoken(texts: Sequence[str]) -> tuple[str, ...]:
    """List the languages that make up enough of the texts; none where none can be told."""
    counts = Counter(language.identify(text) for text in texts)
    counts.pop("", None)
    least = max(ENOUGH, SHARE * len(texts))
    return tuple(sorted(code for code, count in counts.items() if count >= least))


def answers(
    engine: BundleEngine, aspect: Aspect, labels: Sequence[str], texts: Sequence[str]
) -> tuple[Numbers, list[str | None]]:
    """Give probabilities (texts by labels) and the labels that were answered, `None` for none."""
    shares = np.full((len(texts), len(labels)), 1 / len(labels), np.float32)
    given: list[str | None] = []
    places = {label: place for place, label in enumerate(labels)}
    for row, reading in enumerate(engine.classifier({}).predict(texts)):
        one = next(told for told in reading.predictions if told.aspect is aspect)
        for label, share in one.ranking:
            shares[row, places[label]] = share
        given.append(one.label)
    return shares, given


def measured(
    engine: BundleEngine,
    aspect: Aspect,
    labels: Sequence[str],
    test: tuple[Sequence[str], Sequence[str]],
    seed: int,
) -> dict[str, Any]:
    """Measure per class and language, calibration with its interval, and what is answered."""
    texts, gold = test
    shares, given = answers(engine, aspect, labels, texts)
    languages = [language.identify(text) or UNKNOWN for text in texts]
    told = report(gold, shares, labels, languages=languages, least=0.0)
    numbers = np.array([list(labels).index(label) for label in gold], np.intp)
    error, low, high = error_interval(shares, numbers, seed)
    said = [(label, right) for label, right in zip(given, gold, strict=True) if label is not None]
    right = sum(label == truth for label, truth in said)
    return told | {
        "accuracy": round(float(np.mean(np.array(best(shares, labels)) == np.array(gold))), DIGITS),
        "answered": {
            "coverage": round(len(said) / len(gold), DIGITS),
            "precision": round(right / max(1, len(said)), DIGITS),
        },
        "ece": round(error, DIGITS),
        "ece_interval": [round(low, DIGITS), round(high, DIGITS)],
        "reliability": reliability(gold, shares, labels),
    }
