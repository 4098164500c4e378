"""An averaged distribution made honest: by a temperature, or by a rising line for its top."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from classifiers.heads import Vector

_LEAST = np.finfo(np.float32).tiny
_ROUNDING = 1e-5
"""What a distribution of fp32 may miss of 1 although nothing is missing."""


class Calibration(Protocol):
    """Probabilities (… by labels) in, honest ones out; the best label stays the best."""

    def apply(self, shares: Vector) -> Vector:
        """Calibrate; what is missing from 1 belongs to none of the labels, before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """Softens (over 1) or sharpens (under 1) a whole distribution."""

    value: float

    def apply(self, shares: Vector) -> Vector:
        """Divide the logarithms by the temperature."""
        if self.value == 1.0:
            return shares
        logs = np.log(np.maximum(shares, _LEAST)) / self.value
        missing = 1.0 - shares.sum(axis=-1, keepdims=True)
        nothing = np.where(missing > _ROUNDING, np.maximum(missing, _LEAST), 0.0)
        top = logs.max(axis=-1, keepdims=True)
        risen = np.exp(logs - top)
        # exp(-top) cannot overflow: a distribution's best label has more than one in its number.
        none = np.power(nothing, 1.0 / self.value) * np.exp(-top)
        calibrated: Vector = (risen / (risen.sum(axis=-1, keepdims=True) + none)).astype(np.float32)
        return calibrated


@dataclass(frozen=True, slots=True, kw_only=True)
class Isotonic:
    """Maps the best label's probability along a rising line; the others share the rest.

    None of the others passes the best: what would is given to none of the labels.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def apply(self, shares: Vector) -> Vector:
        """Move the top along the line, and scale the rest to what is left."""
        top = shares.max(axis=-1, keepdims=True)
        moved = np.interp(top, self.x, self.y).astype(np.float32)
        rest = shares * (1.0 - moved) / np.maximum(1.0 - top, _ROUNDING)
        best = np.arange(shares.shape[-1]) == shares.argmax(axis=-1, keepdims=True)
        calibrated: Vector = np.where(best, moved, np.minimum(rest, moved)).astype(np.float32)
        return calibrated
