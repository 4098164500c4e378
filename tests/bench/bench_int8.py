"""What int8 costs: the same fitted weights, served in fp32 and in int8, asked the same test rows.

    python tests/bench/bench_int8.py DATA [--sets senti4sd banking77] [--seeds 20] [--epochs 3]

DATA is as for bench_training.py, split as the sets' authors did. Fits the upper layers as `triaged
train` does, with no choice of epochs, and prints macro-F1 both ways, with the interval of their
difference over resampled test rows.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_training import SETS, rows_of
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from classifiers.build.export import Head, export
from classifiers.encoder import Encoder, Tokens, Window
from classifiers.training import tune
from classifiers.training.tuned import SHIPPED, Base, read_base
from connector.cli.train import cleaned

WINDOW = Window(tokens=256, tail=64)
OUTPUT = "answer"
DRAWS = 1000


@dataclass(frozen=True)
class Asked:
    """Texts and the numbers of their right labels."""

    texts: Sequence[str]
    gold: NDArray[np.intp]


def main(arguments: Sequence[str]) -> None:
    """Measure each set and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["senti4sd", "banking77"], choices=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[20])
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args(arguments)
    base = read_base(SHIPPED, WINDOW)
    print("| set | seed | tested | fp32 macro-F1 | int8 | int8 loses (95 %) | same label |")
    print("|---" * 7 + "|")
    for name in asked.sets:
        learn, test = parts(asked.data, name)
        for seed in asked.seeds:
            recipe = tune.Recipe(epochs=asked.epochs, seed=seed)
            plain, quantised = answers(base, learn, test.texts, recipe)
            print(f"| {name} | {seed} | {shown(test.gold, plain, quantised)} |", flush=True)


def parts(data: Path, name: str) -> tuple[Asked, Asked]:
    """Read a set as its authors split it."""
    rows, column = rows_of(data, name), SETS[name].column
    labels = sorted({row[column] for row in rows})

    def part(is_test: bool) -> Asked:  # noqa: FBT001 - local
        mine = [row for row in rows if (row["split"] == "test") is is_test]
        gold = np.array([labels.index(row[column]) for row in mine])
        return Asked([cleaned("", row["body"]) for row in mine], gold)

    return part(is_test=False), part(is_test=True)


def answers(
    base: Base, learn: Asked, texts: Sequence[str], recipe: tune.Recipe
) -> list[NDArray[np.intp]]:
    """Fit once, and give the answers in fp32 and in int8."""
    tokens = Tokens(base.tokenizer, WINDOW)
    rows = tune.Rows(tokens=[tokens.of(text) for text in learn.texts], gold=learn.gold)
    watch = tune.Watch(validation=None, late=lambda *_: False, say=lambda _: None)
    made = tune.fit(base.checkpoint, rows, int(learn.gold.max()) + 1, recipe, watch)
    given = []
    for int8 in (False, True):
        head = Head(output=OUTPUT, weights=made.head)
        graph = export(made.checkpoint, int8=int8, head=head).SerializeToString()
        threads = len(os.sched_getaffinity(0))
        served = Encoder(model=graph, tokenizer=base.tokenizer, window=WINDOW, threads=threads)
        read = served.read(texts)
        given.append(np.array([0 if one is None else one.outputs[OUTPUT].argmax() for one in read]))
    return given


def shown(gold: NDArray[np.intp], plain: NDArray[np.intp], quantised: NDArray[np.intp]) -> str:
    """Put the comparison into cells."""

    def score(given: NDArray[np.intp], places: Any) -> float:
        return float(f1_score(gold[places], given[places], average="macro"))

    draw = np.random.default_rng(20)
    losses = []
    for _ in range(DRAWS):
        places = draw.integers(len(gold), size=len(gold))
        losses.append(score(plain, places) - score(quantised, places))
    low, high = np.quantile(losses, (0.025, 0.975)) * 100
    before, after = score(plain, slice(None)), score(quantised, slice(None))
    lost = f"{(before - after) * 100:.2f} points ({low:.2f} to {high:.2f})"
    same = float((plain == quantised).mean())
    return f"{len(gold)} | {before:.4f} | {after:.4f} | {lost} | {same:.2%}"


if __name__ == "__main__":
    main(sys.argv[1:])
