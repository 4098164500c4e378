"""In which languages an aspect claims to answer, and how sure it has to be outside English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.build.measure import Answered, Read
from classifiers.build.scores import DIGITS
from classifiers.build.train import LEAST

ORIGINAL = "en"
"""The language of the tickets that others translate, and of the encoder."""
ALIKE = 0.85
"""The share of tickets that have to get the same label in both languages."""
BARS = (LEAST, 0.6, 0.7, 0.8, 0.9)
FEWEST = 20
"""Tickets answered in both languages, under which a share tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Languages that are answered, with the bars of those that need a higher one than `LEAST`."""

    languages: tuple[str, ...]
    bars: Mapping[str, float]
    measured: Mapping[str, Any]
    """The bar, and by language the share alike there, of how many, out of how many translated."""


def claims(answered: Answered, own: Read, languages: Sequence[str]) -> Claims:
    """Find the lowest bar at which translations get their original's label; claim none without one.

    Only answers to tickets count that were held out when they were asked about. One bar is found
    for all other languages together: there are too few translations into each to tell them apart.
    """
    learnt = own.pick("train", "valid")
    others = [language for language in languages if language != ORIGINAL]
    pairs = {language: _pairs(learnt, language) for language in others}
    every = [pair for mine in pairs.values() for pair in mine]
    for bar in BARS:
        share, count = _alike(answered.learnt, every, bar)
        if count >= FEWEST and share >= ALIKE:
            break
    else:
        return Claims(languages=(ORIGINAL,), bars={}, measured={"bar": None})
    found = {language: _alike(answered.learnt, pairs[language], bar) for language in others}
    return Claims(
        languages=(ORIGINAL, *others),
        bars=dict.fromkeys(others, bar) if bar > LEAST else {},
        measured={
            "bar": bar,
            "languages": {
                language: {
                    "alike": round(alike, DIGITS),
                    "n": number,
                    "translated": len(pairs[language]),
                }
                for language, (alike, number) in found.items()
            },
        },
    )


def _pairs(learnt: Read, language: str) -> list[tuple[int, int]]:
    """Give the places of originals and of their translations into a language."""
    originals = {
        one.id: place for place, one in enumerate(learnt.examples) if one.language == ORIGINAL
    }
    return [
        (originals[one.cluster], place)
        for place, one in enumerate(learnt.examples)
        if one.language == language and one.cluster in originals
    ]


def _alike(
    probabilities: NDArray[np.floating[Any]], pairs: Sequence[tuple[int, int]], bar: float
) -> tuple[float, int]:
    """Give the share with the same label, and the number, of pairs that are both answered."""
    sure, best = probabilities.max(axis=1), probabilities.argmax(axis=1)
    both = [
        best[original] == best[translation]
        for original, translation in pairs
        if sure[original] >= LEAST and sure[translation] >= bar
    ]
    return (float(np.mean(both)) if both else 0.0), len(both)
