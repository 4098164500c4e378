"""Linear heads on pooled states: chosen by cross-validation, calibrated on what was held out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from classifiers.build.scores import Floats, best, macro_f1
from classifiers.heads import LinearHead, softmax
from connector.model import Aspect

States = NDArray[np.float32]
"""texts by states by size"""

SEED = 20
FOLDS = 5
STRENGTHS = (0.001, 0.003, 0.01, 0.03)
"""Inverse regularisation tried, for inputs scaled to unit variance."""
LEAST = 0.5
"""Calibrated confidence under which a wrong answer is likelier than a right one: abstain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Texts to learn from. `helpers` only ever train; they are never what is predicted.

    `weights` are per text; a helper's tells how much a text from elsewhere may say.
    """

    states: States
    labels: Sequence[str]
    clusters: Sequence[str]
    weights: NDArray[np.float64]
    helpers: NDArray[np.bool_]

    @property
    def gold(self) -> list[str]:
        """List the labels of the texts that are no helpers."""
        pairs = zip(self.labels, self.helpers, strict=True)
        return [label for label, helper in pairs if not helper]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which states and how much regularisation, and how well it did in cross-validation."""

    states: tuple[int, ...]
    strength: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A head, why it was chosen, and its calibrated answers to the texts while they were held out.

    `held_out` is in the order of the texts that are no helpers.
    """

    aspect: Aspect
    head: LinearHead
    choice: Choice
    held_out: Floats


def fit(
    aspect: Aspect,
    labels: tuple[str, ...],
    training: Training,
    candidates: Sequence[tuple[int, ...]],
) -> Fitted:
    """Choose by macro-F1 over folds of clusters, calibrate on the held-out folds, fit on all.

    Of the candidates within one standard error of the best, those with the fewest states stay, and
    the best of them wins.
    """
    tried = []
    for states, strength in product(candidates, STRENGTHS):
        tried.append(_cross_validated(training, labels, states, strength))
    choice, logits = _simplest(tried)
    temperature = temperature_for(logits, [labels.index(label) for label in training.gold])
    weights, bias = _solve(training, labels, np.arange(len(training.labels)), choice)
    head = LinearHead(
        labels=labels,
        states=choice.states,
        weights=weights,
        bias=bias,
        temperature=temperature,
    )
    held_out = softmax(logits / temperature)
    return Fitted(aspect=aspect, head=head, choice=choice, held_out=held_out)


def _simplest(tried: Sequence[tuple[Choice, Floats]]) -> tuple[Choice, Floats]:
    top = max((choice for choice, _ in tried), key=lambda choice: choice.mean)
    error = top.deviation / np.sqrt(FOLDS)
    near = [pair for pair in tried if pair[0].mean >= top.mean - error]
    return min(near, key=lambda pair: (len(pair[0].states), -pair[0].mean))


def _cross_validated(
    training: Training, labels: tuple[str, ...], states: tuple[int, ...], strength: float
) -> tuple[Choice, Floats]:
    own = np.flatnonzero(~training.helpers)
    logits = np.zeros((len(training.labels), len(labels)))
    scores = []
    blank = Choice(states=states, strength=strength, mean=0.0, deviation=0.0)
    for learn, held in folds(training):
        weights, bias = _solve(training, labels, learn, blank)
        logits[held] = _features(training.states[held], states) @ weights.T + bias
        gold = [training.labels[place] for place in held]
        scores.append(macro_f1(gold, best(logits[held], labels), labels))
    mean, deviation = float(np.mean(scores)), float(np.std(scores, ddof=1))
    choice = Choice(states=states, strength=strength, mean=mean, deviation=deviation)
    return choice, logits[own]


def folds(training: Training) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield (learn, held out) places; helpers are always learnt from, clusters stay together."""
    own, aside = np.flatnonzero(~training.helpers), np.flatnonzero(training.helpers)
    labels = [training.labels[int(place)] for place in own]
    clusters = [training.clusters[int(place)] for place in own]
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for learn, held in splitter.split(own, labels, clusters):
        yield np.concatenate([own[learn], aside]), own[held]


def _solve(
    training: Training, labels: tuple[str, ...], places: NDArray[np.intp], choice: Choice
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit, and fold the scaling of the inputs into the weights."""
    features = _features(training.states[places], choice.states)
    scaler = StandardScaler().fit(features, sample_weight=training.weights[places])
    model = LogisticRegression(C=choice.strength, max_iter=500, class_weight="balanced")
    numbers = [labels.index(training.labels[place]) for place in places]
    model.fit(scaler.transform(features), numbers, sample_weight=training.weights[places])
    weights = model.coef_ / scaler.scale_
    bias = model.intercept_ - weights @ scaler.mean_
    return weights.astype(np.float32), bias.astype(np.float32)


def _features(states: States, chosen: tuple[int, ...]) -> Floats:
    return states[:, list(chosen)].reshape(len(states), -1).astype(np.float64)


def temperature_for(logits: Floats, gold: Sequence[int]) -> float:
    """Find the temperature with the least log-loss."""
    rows = np.arange(len(gold))

    def loss(power: float) -> float:
        given = softmax(logits / np.exp(power))[rows, list(gold)]
        return float(-np.log(np.maximum(given, np.finfo(np.float32).tiny)).mean())

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return round(float(np.exp(found.x)), 4)
