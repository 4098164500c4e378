"""Texts through the shipped encoder once, in int8 as it serves, kept piece by piece."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

import numpy as np

from classifiers.encoder import Encoder
from classifiers.training.budget import Budget
from classifiers.training.kept import Kept, Numbers

PIECE = 256
"""Texts to a piece: what a kill costs at most."""


def read_states(
    encoder: Encoder,
    texts: Sequence[str],
    kept: Kept,
    budget: Budget,
    say: Callable[[str], None],
) -> Numbers | None:
    """Give each text's pooled states (texts by states by size); `None` when it would be late.

    A text that holds nothing to read has zeros.
    """
    parts: list[Numbers] = []
    started, done = monotonic(), 0
    for begin in range(0, len(texts), PIECE):
        left = (monotonic() - started) / max(1, done) * (len(texts) - done) if done else 0.0
        if budget.late(left):
            say(f"reading all texts would take {left:.0f} s more: not in this budget")
            return None
        say(f"reading texts: {done} of {len(texts)}, about {left:.0f} s left")
        piece = texts[begin : begin + PIECE]
        digest = hashlib.sha256("\0".join(piece).encode("utf-8", "replace")).hexdigest()
        parts.append(kept.get(f"states {digest}", partial(_states, encoder, piece)))
        done += len(piece)
    return np.concatenate(parts).astype(np.float32)


def _states(encoder: Encoder, texts: Sequence[str]) -> Numbers:
    told = encoder.encode(texts)
    shape = next((one.shape for one in told if one is not None), (1, 1))
    return np.stack([np.zeros(shape, np.float32) if one is None else one for one in told])
