"""The kinds of model that are tried; more plug in by the same protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from classifiers.linear import CHARACTER_GRAMS, WORD_GRAMS, LinearText, Vocabulary, trim
from classifiers.training.kept import Numbers

MOST_WORDS, MOST_PIECES = 20_000, 40_000
"""n-grams kept: with 100 labels they are 24 MB of weights."""
STRENGTH = 0.03
"""Inverse regularisation of heads, for inputs scaled to unit variance."""
LOOSER = 0.1
"""The same where there is much to learn from."""
DEAD = 1e-4
"""The spread, as a share of the usual one, up to which a number of an encoder tells nothing."""
NEVER = 5.0
"""How far a label that a fold never saw lies under the lowest score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Rows to learn from or to answer."""

    texts: Sequence[str]
    states: Numbers
    """rows by features, empty when no rung needs them"""

    def pick(self, places: NDArray[np.intp]) -> "Lesson":
        """Give some of the rows."""
        states = self.states[places] if len(self.states) else self.states
        return Lesson(texts=[self.texts[place] for place in places], states=states)


class Learnt(Protocol):
    """A model after learning."""

    def logits(self, lesson: Lesson) -> Numbers:
        """Score rows by labels."""

    @property
    def arrays(self) -> Mapping[str, Numbers]:
        """Give the arrays that a bundle keeps, by the part of their name after the member's."""

    @property
    def vocabulary(self) -> bytes | None:
        """Give the vocabulary's file, where the rung has one."""

    @property
    def encoder(self) -> "TunedEncoder | None":
        """Give the encoder of its own, where the rung has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedEncoder:
    """An encoder that was fitted to the labels: its graph, its tokenizer, and their measures.

    The lowest `shared` layers of the graph are those of the shipped encoder, so that both can be
    served in one pass; 0 where it is another one.
    """

    model: bytes
    tokenizer: bytes
    output: str
    tokens: int
    tail: int
    size: int
    states: int
    shared: int = 0


class Rung(Protocol):
    """A kind of model."""

    @property
    def name(self) -> str:
        """Name the kind as a manifest does."""

    @property
    def needs_states(self) -> bool:
        """Tell whether it looks at the encoder's states."""

    def learn(self, lesson: Lesson, gold: NDArray[np.intp], labels: int, seed: int) -> Learnt:
        """Learn from rows and the numbers of their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearLearnt:
    """TF-IDF weights, answered by the very code that serves them."""

    model: LinearText

    def logits(self, lesson: Lesson) -> Numbers:
        """Score each text."""
        return np.stack([self.model.logits(text) for text in lesson.texts])

    @property
    def arrays(self) -> Mapping[str, Numbers]:
        """Give weights, bias and idf."""
        model = self.model
        return {"weights": model.weights.T, "bias": model.bias, "idf": model.idf}

    @property
    def vocabulary(self) -> bytes | None:
        """Give the n-grams."""
        return self.model.vocabulary.render()

    @property
    def encoder(self) -> None:
        """Give none: it reads no states."""


@dataclass(frozen=True, slots=True)
class LinearRung:
    """Word and character TF-IDF under a linear support vector machine."""

    name: str = "linear"
    needs_states: bool = False

    def learn(self, lesson: Lesson, gold: NDArray[np.intp], labels: int, seed: int) -> LinearLearnt:
        """Count, weigh and fit."""
        texts = [trim(text) for text in lesson.texts]
        common: dict[str, Any] = {"sublinear_tf": True, "dtype": np.float64}
        words = TfidfVectorizer(ngram_range=WORD_GRAMS, max_features=MOST_WORDS, **common)
        pieces = TfidfVectorizer(
            analyzer="char_wb", ngram_range=CHARACTER_GRAMS, max_features=MOST_PIECES, **common
        )
        features = FeatureUnion([("words", words), ("pieces", pieces)]).fit_transform(texts)
        model = LinearSVC(C=0.5, class_weight="balanced", random_state=seed).fit(features, gold)
        weights, bias = _spread(model.coef_, model.intercept_, model.classes_, labels)
        offset = len(words.vocabulary_)
        vocabulary = Vocabulary(
            words={gram: int(place) for gram, place in words.vocabulary_.items()},
            characters={gram: int(place) + offset for gram, place in pieces.vocabulary_.items()},
        )
        served = LinearText(
            vocabulary=vocabulary,
            idf=np.concatenate([words.idf_, pieces.idf_]).astype(np.float32),
            weights=np.ascontiguousarray(weights.T),
            bias=bias,
            temperature=1.0,
        )
        return LinearLearnt(model=served)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsLearnt:
    """A linear head's weights."""

    weights: Numbers
    bias: Numbers
    columns: slice | list[int] = field(default_factory=lambda: slice(None))
    vocabulary: bytes | None = field(default=None)
    encoder: TunedEncoder | None = field(default=None)

    def logits(self, lesson: Lesson) -> Numbers:
        """Score each row's states."""
        scores: Numbers = lesson.states[:, self.columns] @ self.weights.T + self.bias
        return scores

    @property
    def arrays(self) -> Mapping[str, Numbers]:
        """Give weights and bias."""
        return {"weights": self.weights, "bias": self.bias}


@dataclass(frozen=True, slots=True)
class HeadsRung:
    """Logistic regression on the frozen encoder's pooled states."""

    name: str = "heads"
    needs_states: bool = True
    states: tuple[int, ...] = ()
    """Which of the states that are offered it looks at, by their place; none named: all."""
    size: int = 0
    """Numbers to a state, where states are named."""
    strength: float = STRENGTH

    def learn(self, lesson: Lesson, gold: NDArray[np.intp], labels: int, seed: int) -> HeadsLearnt:
        """Fit, and fold the scaling of the inputs into the weights."""
        columns: slice | list[int] = slice(None)
        if self.states:
            parts = (range(one * self.size, (one + 1) * self.size) for one in self.states)
            columns = [place for part in parts for place in part]
        states = lesson.states[:, columns]
        scaler = StandardScaler().fit(states)
        # An encoder may have numbers that never move: scaled up, their rounding would be a feature.
        alive = scaler.scale_ > DEAD * np.median(scaler.scale_)
        model = LogisticRegression(
            C=self.strength, max_iter=200, class_weight="balanced", random_state=seed
        ).fit(scaler.transform(states) * alive, gold)
        scaled = model.coef_ * alive / scaler.scale_
        bias = model.intercept_ - scaled @ scaler.mean_
        weights, bias = _spread(scaled, bias, model.classes_, labels)
        return HeadsLearnt(weights=weights, bias=bias, columns=columns)


def _spread(weights: Any, bias: Any, seen: Any, labels: int) -> tuple[Numbers, Numbers]:
    """Give every label a row, also where two share one, or where one was never seen."""
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    whole = np.zeros((labels, weights.shape[1]), np.float32)
    shifts = np.full(labels, float(np.min(bias)) - NEVER, np.float32)
    whole[seen], shifts[seen] = weights, bias
    return whole, shifts
