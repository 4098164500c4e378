"""Fits how likeness to a description becomes a probability, so that it holds for other labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from classifiers.build.scores import Floats, calibration_error
from classifiers.build.train import LEAST
from classifiers.zeroshot import Calibration

START = (20.0, 0.05)
"""Sharpness and nothing to begin the search with."""
STRANGERS = 0.1
"""The share of tickets that fit none of a tenant's labels, as assumed in the fit. Between what
suits our own six labels (less) and label sets of other fields (more)."""
FEWEST, ASIDE = 2, 2
"""The smallest set of labels offered, and the labels kept aside in each turn of the check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One set of labels offered to tickets that have one of them (`gold`) or none (-1)."""

    likeness: Floats
    gold: NDArray[np.intp]

    @property
    def weights(self) -> Floats:
        """Weigh tickets so that strangers have their share, and the case adds up to one."""
        stranger = self.gold < 0
        kin = max(1, int((~stranger).sum()))
        share = STRANGERS if stranger.any() else 0.0
        return np.where(stranger, share / max(1, int(stranger.sum())), (1 - share) / kin)


def fit_calibration(likeness: Floats, gold: Sequence[int]) -> Calibration:
    """Fit sharpness and "none of these" on every subset of the labels, by log-loss."""
    truth = np.array(gold)
    return _fitted(list(_cases(likeness, truth, range(likeness.shape[1]))))


def transfer(likeness: Floats, gold: Sequence[int]) -> dict[str, float]:
    """Tell how well the fit carries over: labels in pairs kept aside, then asked about.

    The fit sees neither tickets nor descriptions of the pair; the check offers all labels to the
    pair's tickets. Gives the expected calibration error, and coverage and precision at one half.
    """
    truth, count = np.array(gold), likeness.shape[1]
    shown, answers = [], []
    for aside in combinations(range(count), ASIDE):
        kept = [label for label in range(count) if label not in aside]
        fitted = _fitted(list(_cases(likeness, truth, kept)))
        theirs = np.isin(truth, aside)
        shown.append(fitted.probabilities(likeness[theirs].astype(np.float32)))
        answers.append(truth[theirs])
    probabilities, right = np.vstack(shown), np.concatenate(answers)
    sure = probabilities.max(axis=1) >= LEAST
    names = [str(label) for label in range(count)]
    error = calibration_error([str(label) for label in right], probabilities, names)
    precise = float((probabilities.argmax(axis=1) == right)[sure].mean()) if sure.any() else 0.0
    return {
        "n": len(right),
        "ece": round(error, 4),
        "coverage": round(float(sure.mean()), 4),
        "precision": round(precise, 4),
    }


def _cases(likeness: Floats, gold: NDArray[np.intp], labels: Sequence[int]) -> Iterator[Case]:
    """Offer every subset of `labels` to the tickets whose label is among `labels`."""
    known = np.isin(gold, list(labels))
    for size in range(FEWEST, len(labels) + 1):
        for offered in combinations(labels, size):
            place = np.full(likeness.shape[1], -1)
            place[list(offered)] = np.arange(size)
            yield Case(likeness=likeness[known][:, list(offered)], gold=place[gold[known]])


def _fitted(cases: Sequence[Case]) -> Calibration:
    def loss(parameters: NDArray[np.float64]) -> float:
        sharpness, nothing = float(np.exp(parameters[0])), float(parameters[1])
        calibration = Calibration(sharpness=sharpness, nothing=nothing)
        return sum(_loss(case, calibration) for case in cases) / len(cases)

    start = np.array([np.log(START[0]), START[1]])
    found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6})
    sharpness, nothing = float(np.exp(found.x[0])), float(found.x[1])
    return Calibration(sharpness=round(sharpness, 3), nothing=round(nothing, 4))


def _loss(case: Case, calibration: Calibration) -> float:
    shares = calibration.probabilities(case.likeness.astype(np.float32)).astype(np.float64)
    none = 1.0 - shares.sum(axis=1)
    rows = np.arange(len(case.gold))
    given = np.where(case.gold < 0, none, shares[rows, np.maximum(case.gold, 0)])
    return float((-np.log(np.maximum(given, 1e-9)) * case.weights).sum())
