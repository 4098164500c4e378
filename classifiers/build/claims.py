"""In which languages an aspect claims to answer, and how sure it has to be in each."""

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
FEWEST = 6
"""Tickets answered in both languages, under which a share tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Languages that are answered, with the bars of those that need a higher one than `LEAST`."""

    languages: tuple[str, ...]
    bars: Mapping[str, float]
    measured: Mapping[str, Any]
    """By language: the share alike at the bar, of how many, out of how many translated."""


def claims(answered: Answered, own: Read, languages: Sequence[str]) -> Claims:
    """Claim a language from the lowest bar on at which translations get their original's label.

    Only answers to tickets count that were held out when they were asked about. A language in which
    no bar is high enough is not claimed: it is abstained on.
    """
    claimed = [ORIGINAL]
    bars: dict[str, float] = {}
    measured: dict[str, dict[str, Any]] = {}
    for language in languages:
        if language == ORIGINAL:
            continue
        pairs = _pairs(own.pick("train", "valid"), language)
        tries = ((bar, *_alike(answered.learnt, pairs, bar)) for bar in BARS)
        enough = (one for one in tries if one[2] >= FEWEST and one[1] >= ALIKE)
        found = next(enough, None)
        if found is None:
            measured[language] = {"claimed": False, "translated": len(pairs)}
            continue
        bar, share, count = found
        claimed.append(language)
        if bar > LEAST:
            bars[language] = bar
        measured[language] = {
            "claimed": True,
            "bar": bar,
            "alike": round(share, DIGITS),
            "n": count,
            "translated": len(pairs),
        }
    return Claims(languages=tuple(claimed), bars=bars, measured=measured)


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
