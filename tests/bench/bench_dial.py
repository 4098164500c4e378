"""How often a promised precision is missed, in histories drawn from known chances of being right.

    python tests/bench/bench_dial.py [--histories 300]

A label's held-out answers are drawn, steps are fitted on them as training does, and the least
confidence that promises .95 is judged on everybody. `written` is the share of all that it writes.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers import dial

ASKED = 0.95
EVERYBODY = 200_000
HELD_OUT = (60, 150, 500, 2000)
Chances = NDArray[np.float64]


def shapes(draw: np.random.Generator) -> dict[str, Chances]:
    """Give how sure answers are, four ways; each is right with the probability that it claims."""
    return {
        "mostly sure": draw.beta(8, 0.4, EVERYBODY),
        "often unsure": draw.beta(6, 1, EVERYBODY),
        "all near .95": np.clip(draw.normal(ASKED, 0.02, EVERYBODY), 0, 1),
        "from nothing to all": draw.beta(2, 0.5, EVERYBODY),
    }


def judged(everyone: Chances, count: int, histories: int, draw: np.random.Generator) -> str:
    """Give the share of promises missed, the worst miss, and what was written in the mean."""
    missed, worst, written = 0, 0.0, 0.0
    for _ in range(histories):
        chance = draw.choice(everyone, count)
        fitted = dial.steps(chance, draw.random(count) < chance)
        least = next((least for least, bound in fitted if bound >= ASKED), None)
        if least is None:
            continue
        taken = everyone >= least
        written += float(taken.mean())
        short = ASKED - float(everyone[taken].mean())
        missed += short > 0
        worst = max(worst, short)
    return f"{missed / histories:.3f} | {worst:.3f} | {written / histories:.2f}"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=300)
    asked = parser.parse_args(arguments)
    draw = np.random.default_rng(0)
    print("| answers are | held out | bound | missed | by at most | written |")
    print("|---|---|---|---|---|---|")
    for name, everyone in shapes(draw).items():
        for count in HELD_OUT:
            for deviations in (dial.CONFIDENT, dial.TWO_SIDED):
                wilson = dial.wilson_low
                dial.wilson_low = lambda right, n, z=deviations, f=wilson: f(right, n, z)
                told = judged(everyone, count, asked.histories, draw)
                dial.wilson_low = wilson
                print(f"| {name} | {count} | {deviations} | {told} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
