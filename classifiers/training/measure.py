"""What a trained bundle is worth on the rows kept aside, asked through the code that serves."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from classifiers import language
from classifiers.build.scores import DIGITS, reliability, report
from classifiers.engine import BundleEngine
from classifiers.evaluation.answers import NONE, gathered, read
from classifiers.evaluation.figures import LEVELS, dial, written
from classifiers.training.calibrate import error_interval
from classifiers.training.history import Row
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


def measured(
    engine: BundleEngine,
    aspect: Aspect,
    labels: Sequence[str],
    test: tuple[Sequence[str], Sequence[str]],
    seed: int,
) -> dict[str, Any]:
    """Measure per class and language, calibration with its interval, and what is answered."""
    texts, gold = test
    languages = [language.identify(text) or UNKNOWN for text in texts]
    readings = read(engine, texts, lambda _: None)
    asked = gathered(aspect, labels, readings, (gold, languages, np.arange(len(gold))))
    shares = asked.shares
    told = report(gold, shares, labels, languages=languages, least=0.0)
    error, low, high = error_interval(shares, asked.gold, seed)
    levels = [dial(asked, level) for level in LEVELS]
    return told | {
        "accuracy": round(float((asked.best == asked.gold).mean()), DIGITS),
        "answered": written(asked.given != NONE, asked.given == asked.gold),
        "dial": [{name: one[name] for name in one if name != "labels"} for one in levels],
        "ece": round(error, DIGITS),
        "ece_interval": [round(low, DIGITS), round(high, DIGITS)],
        "reliability": reliability(gold, shares, labels),
    }
