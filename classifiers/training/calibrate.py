"""Honest confidence: temperature or isotonic by held-out log-loss, and what is out of scope."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from classifiers.assembly import calibration
from classifiers.build.scores import BINS
from classifiers.build.train import temperature_for
from classifiers.calibration import Calibration
from classifiers.manifest import IsotonicCalibration, TemperatureCalibration
from classifiers.training.kept import Numbers

SURE = (0.01, 0.99)
"""What an isotonic line may say at its ends: no history shows that nothing can go wrong."""
DRAWS = 1000
INSIDE = 0.01
"""The share of known tickets that may be taken for unlike anything learnt."""
_TINY = float(np.finfo(np.float32).tiny)

Gold = NDArray[np.intp]
Fitted = TemperatureCalibration | IsotonicCalibration


def calibrated(shares: Numbers, gold: Gold, folds: Gold) -> tuple[dict[str, Any], Calibration]:
    """Fit both kinds, and keep the one with the lower log-loss on folds it was not fitted on."""
    kinds: dict[str, Callable[[Numbers, Gold], Fitted]] = {
        "temperature": _temperature,
        "isotonic": _isotonic,
    }
    even = folds % 2 == 0
    losses = {
        name: sum(
            log_loss(_made(make(shares[learn], gold[learn])).apply(shares[~learn]), gold[~learn])
            for learn in (even, ~even)
        )
        for name, make in kinds.items()
    }
    told = kinds[min(kinds, key=lambda name: losses[name])](shares, gold)
    return told.model_dump(mode="json"), _made(told)


def log_loss(shares: Numbers, gold: Gold) -> float:
    """Give the mean negative logarithm of what the right label got."""
    return float(-np.log(np.maximum(shares[np.arange(len(gold)), gold], _TINY)).mean())


def _made(told: Fitted) -> Calibration:
    return calibration(told)


def _temperature(shares: Numbers, gold: Gold) -> TemperatureCalibration:
    logs = np.log(np.maximum(shares, _TINY))
    return TemperatureCalibration(kind="temperature", value=temperature_for(logs, gold.tolist()))


def _isotonic(shares: Numbers, gold: Gold) -> IsotonicCalibration:
    low, high = SURE
    line = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip")
    line.fit(shares.max(axis=1), shares.argmax(axis=1) == gold)
    x = [round(float(value), 5) for value in line.X_thresholds_]
    y = [round(float(value), 5) for value in line.y_thresholds_]
    if len(x) == 1:
        x, y = [0.0, 1.0], [y[0], y[0]]
    return IsotonicCalibration(kind="isotonic", x=tuple(x), y=tuple(y))


def error_interval(shares: Numbers, gold: Gold, seed: int) -> tuple[float, float, float]:
    """Give the expected calibration error with its 95 % interval over rows drawn again."""
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == gold
    bands = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = confidence - right
    generator = np.random.default_rng(seed)

    def error(places: NDArray[np.intp]) -> float:
        sums = np.bincount(bands[places], weights=gaps[places], minlength=BINS)
        return float(np.abs(sums).sum() / len(places))

    count = len(gold)
    drawn = [error(generator.integers(0, count, count)) for _ in range(DRAWS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return error(np.arange(count)), float(low), float(high)


def energies(logits: Numbers) -> Numbers:
    """Give each row's log-sum-exp, as serving does."""
    top = logits.max(axis=1)
    told: Numbers = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return told


def least_energy(logits: Numbers) -> float:
    """Give the energy that all but a few known tickets reach while held out."""
    return round(float(np.quantile(energies(logits), INSIDE)), 4)
