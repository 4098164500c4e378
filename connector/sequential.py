"""Whether answers are right as often as asked: a test that may be looked at after every one.

It is a bet. For each answer somebody offers odds that are fair if the asked precision is just kept:
whoever bets that the answer is wrong wins `precision / (1 - precision)` times the stake. As long as
answers are right at least that often, given all that came before, no way to bet gains on average,
and the chance that a capital ever grows to 20 times what it was is at most 1 in 20 (Ville 1939; for
bets as tests, Shafer 2021). So a capital of 20 is evidence against the precision with 95 %
confidence, whenever one looks and however often.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

ALARM = 20.0
"""The capital at which a precision is taken as not kept: 1 over an error of 5 %."""

FRACTIONS: NDArray[np.float64] = 0.5 ** np.arange(1, 9, dtype=np.float64)
"""Parts of the capital that are put on each answer, the first capital being spread over them: a
half for answers that are nearly all wrong, a 256th for a precision that is hardly missed."""

INSTALMENT = 10
"""Answers between two instalments of the first capital. What went well for long must not take away
what a change can win: the k-th instalment is 1/(k(k+1)) of it, and begins anew from there."""

BEYOND_DOUBT = 1e6
"""The capital at which no further bet is made."""

MOST = 0.999
"""The highest precision that is tested: at 1 the first mistake would prove it missed."""


_LOST = 1.0 - FRACTIONS


@cache
def _won(asked: float) -> NDArray[np.float64]:
    """Give what each part of the capital becomes by an answer that is wrong."""
    won: NDArray[np.float64] = 1.0 + FRACTIONS * (asked / (1.0 - asked))
    return won


def against(trials: Sequence[tuple[bool, float]]) -> float:
    """Give the evidence that answers were right less often than was asked: the most it ever was.

    Each is right or not, and comes with the precision that it had to meet; where nothing was asked
    it is no evidence. 1 is none at all, `ALARM` is enough.
    """
    at_work, highest, instalments = np.zeros_like(FRACTIONS), 1.0, 0
    for number, (is_right, asked) in enumerate(one for one in trials if one[1] > 0):
        if number % INSTALMENT == 0:
            instalments += 1
            at_work += 1.0 / (instalments * (instalments + 1)) / len(FRACTIONS)
        at_work *= _LOST if is_right else _won(min(asked, MOST))
        # What is not paid in yet is part of the capital.
        highest = max(highest, float(at_work.sum()) + 1.0 / (instalments + 1))
        if highest >= BEYOND_DOUBT:
            break
    return highest
