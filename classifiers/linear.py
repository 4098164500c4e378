"""The TF-IDF rung at serving: word and character n-grams by numpy alone, as scikit-learn counts."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from classifiers.heads import Vector, softmax
from connector.errors import BadBundle

WORD_GRAMS = (1, 2)
CHARACTER_GRAMS = (2, 5)
LONGEST = 20_000
"""Characters read of a text, half of them from its end; training has to read the same."""

REMEMBERED = 8
"""Texts whose counts are kept: the aspects of one ticket are answered one after the other."""

_WORD = re.compile(r"(?u)\b\w\w+\b")
_SPACES = re.compile(r"\s\s+")


def trim(text: str) -> str:
    """Cut the middle out of a text that is too long to count in a ticket's time."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} {text[-half:]}"


def word_grams(text: str) -> Iterator[str]:
    """Yield words of two characters and more, in lower case, alone and in pairs."""
    words = _WORD.findall(text.lower())
    yield from words
    yield from (f"{one} {other}" for one, other in pairwise(words))


def character_grams(text: str) -> Iterator[str]:
    """Yield pieces of two to five characters inside each word with a space at either end."""
    for word in _SPACES.sub(" ", text.lower()).split():
        padded = f" {word} "
        for length in range(CHARACTER_GRAMS[0], CHARACTER_GRAMS[1] + 1):
            yield from (
                padded[place : place + length] for place in range(max(1, len(padded) - length + 1))
            )
            if length >= len(padded):
                break  # a short word is counted whole once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vocabulary:
    """Every n-gram that counts, with its place in the arrays; words come before characters.

    Equal only to itself, so that what was counted with it can be remembered.
    """

    words: Mapping[str, int]
    characters: Mapping[str, int]

    @classmethod
    def parse(cls, content: bytes) -> "Vocabulary":
        """Read the JSON of `render`; raises `BadBundle`."""
        try:
            raw = json.loads(content)
            words, characters = raw["words"], raw["characters"]
            places = [*words.values(), *characters.values()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadBundle(f"the vocabulary cannot be read: {error!r}") from error
        if set(map(type, places)) - {int} or sorted(places) != list(range(len(places))):
            raise BadBundle("the vocabulary does not give every n-gram one place of its own")
        return cls(words=words, characters=characters)

    def render(self) -> bytes:
        """Give the JSON that a bundle keeps; the same vocabulary gives the same bytes."""
        whole = {
            name: dict(sorted((gram, int(place)) for gram, place in part.items()))
            for name, part in (("words", self.words), ("characters", self.characters))
        }
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def size(self) -> int:
        """Count the n-grams."""
        return len(self.words) + len(self.characters)


Half = tuple[NDArray[np.intp], NDArray[np.float64]]
"""Places of n-grams, and their sublinear counts."""


@lru_cache(maxsize=REMEMBERED)
def counted(vocabulary: Vocabulary, text: str) -> tuple[Half, ...]:
    """Count a text's words and characters, where it has any that are known."""
    read = trim(text)
    halves = (
        (vocabulary.words, word_grams(read)),
        (vocabulary.characters, character_grams(read)),
    )
    found: list[Half] = []
    for known, grams in halves:
        counts = Counter(known[gram] for gram in grams if gram in known)
        if counts:
            places = np.fromiter(counts, np.intp, len(counts))
            values = np.fromiter(counts.values(), np.float64, len(counts))
            found.append((places, 1.0 + np.log(values)))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearText:
    """Logistic regression over TF-IDF: sublinear counts, each of both halves of unit length.

    `weights` is n-grams by labels, so that a text touches only the rows of what it holds.
    """

    vocabulary: Vocabulary
    idf: Vector
    weights: Vector
    bias: Vector
    temperature: float

    def logits(self, text: str) -> Vector:
        """Give one score per label."""
        scores = self.bias.astype(np.float64)
        for places, counts in counted(self.vocabulary, text):
            values = counts * self.idf[places]
            scores += (values / np.linalg.norm(values)) @ self.weights[places]
        return scores.astype(np.float32)

    def probabilities(self, text: str) -> Vector:
        """Give one probability per label."""
        return softmax(self.logits(text) / self.temperature)
