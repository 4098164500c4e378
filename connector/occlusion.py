"""Which words an answer rests on: they are taken out, and the model is asked again."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from connector.model import Aspect, Reading
from connector.ports import Classifier

SHOWN = 4
"""Words that are named for an answer, at most."""
FEW = 24
"""Different words up to which each one is looked at; more are first looked at in parts."""
CLOSER = 2
"""Parts of which, for each answer, the words are looked at one by one."""
LEAST = 0.1
"""How much surer the answer has to be with a word than without, in log-odds: less is noise of the
quantised model."""
_SURE = 1e-6
"""Kept away from 0 and 1, where log-odds end."""
_WORD = re.compile(r"[^\W\d_]{2,}(?:['’-][^\W\d_]+)*")

Labels = Mapping[Aspect, str]


@dataclass(frozen=True, slots=True)
class Words:
    """A text's different words in the order in which they come first, and where each stands."""

    text: str
    places: Mapping[str, Sequence[tuple[int, int]]]

    @classmethod
    def of(cls, text: str) -> "Words":
        """Find the words of a text; numbers and single letters are none."""
        places: dict[str, list[tuple[int, int]]] = {}
        for found in _WORD.finditer(text):
            places.setdefault(found[0].casefold(), []).append(found.span())
        return cls(text, places)

    def without(self, words: Sequence[str]) -> str:
        """Give the text with every occurrence of some words taken out."""
        kept, end = [], 0
        for start, stop in sorted(span for word in words for span in self.places[word]):
            kept.append(self.text[end:start])
            end = stop
        return "".join([*kept, self.text[end:]])


def words(classifier: Classifier, text: str, labels: Labels) -> Mapping[Aspect, Sequence[str]]:
    """Give for each answer the words without which it would be less sure, the weightiest first.

    All occurrences of a word are taken out together, since each would stand in for the other. A
    text of many words is taken apart in two rounds: parts of it first, then the words of those
    parts that matter most. All answers are asked at once. With n different words and k answers the
    model reads at most about 2 √(2kn) texts, or n where they are few.
    """
    told = Words.of(text)
    every = list(told.places)
    if not every or not labels:
        return dict.fromkeys(labels, ())
    [whole] = classifier.predict([text])
    ask = _Asking(classifier, told, labels, whole)
    if len(every) > FEW:
        # So many parts that both rounds together ask for the fewest texts.
        parts = _parts(every, math.isqrt(CLOSER * len(labels) * len(every)))
        lost = ask.losses(parts)
        near = {aspect: _heaviest(parts, losses) for aspect, losses in lost.items()}
        every = list(dict.fromkeys(word for found in near.values() for word in found))
    lost = ask.losses([[word] for word in every])
    return {
        aspect: [
            word
            for loss, word in sorted(zip(losses, every, strict=True), key=lambda one: -one[0])
            if loss >= LEAST
        ][:SHOWN]
        for aspect, losses in lost.items()
    }


@dataclass(frozen=True, slots=True)
class _Asking:
    classifier: Classifier
    told: Words
    labels: Labels
    whole: Reading

    def losses(self, parts: Sequence[Sequence[str]]) -> Mapping[Aspect, Sequence[float]]:
        """Give for each answer how much certainty it loses without each part, in log-odds."""
        readings = self.classifier.predict([self.told.without(part) for part in parts])
        return {
            aspect: [
                _log_odds(self.whole, aspect, label) - _log_odds(reading, aspect, label)
                for reading in readings
            ]
            for aspect, label in self.labels.items()
        }


def _parts(words: Sequence[str], count: int) -> Sequence[Sequence[str]]:
    """Divide words into parts of nearly the same size, neighbours together."""
    bounds = [len(words) * part // count for part in range(count + 1)]
    return [words[start:end] for start, end in pairwise(bounds)]


def _heaviest(parts: Sequence[Sequence[str]], losses: Sequence[float]) -> Sequence[str]:
    order = sorted(range(len(parts)), key=lambda place: -losses[place])
    return [word for place in order[:CLOSER] for word in parts[place]]


def _log_odds(reading: Reading, aspect: Aspect, label: str) -> float:
    """Give how sure a reading is of a label; one that says nothing about it is not sure at all."""
    ranking = next((dict(one.ranking) for one in reading.predictions if one.aspect is aspect), {})
    share = min(max(ranking.get(label, 0.0), _SURE), 1 - _SURE)
    return math.log(share / (1 - share))
