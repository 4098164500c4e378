"""What training makes of public data sets: quality beside the linear rung, time, memory.

    python tests/bench/bench_training.py DATA [--sets banking77 clinc150 multidogo few] [--seeds 20]

DATA holds `intent_en_banking77/data.csv.gz` and its like, with columns `body` and `category`. Rows
are split by near-duplicate cluster, not as their authors did, so figures are not theirs.
"""

import argparse
import csv
import gzip
import random
import resource
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import numpy as np
from sklearn.metrics import roc_auc_score

from classifiers.bundle import open_bundle
from classifiers.engine import load
from classifiers.heads import View
from classifiers.training.recipe import train
from connector.cli.train import cleaned
from connector.model import Aspect
from connector.ports import TrainingOrder

OUTSIDE = "oos"
Rows = list[dict[str, str]]


def rows_of(data: Path, name: str) -> Rows:
    with gzip.open(data / f"intent_en_{name}" / "data.csv.gz", "rt", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def few(rows: Rows, count: int, seed: int) -> Rows:
    """Keep `count` rows of each class to learn from, beside 25 percent more to test on."""
    draw = random.Random(seed)
    classes = defaultdict(list)
    for row in rows:
        classes[row["category"]].append(row)
    return [
        row
        for found in classes.values()
        for row in draw.sample(found, min(len(found), round(count * 1.25)))
    ]


def run(folder: Path, title: str, rows: Rows, seed: int) -> Path:
    """Train, print a row of the table, and give the bundle's folder."""
    history, output = folder / f"{title}-{seed}.csv", folder / f"{title}-{seed}"
    with history.open("w", encoding="utf-8", newline="") as opened:
        out = csv.DictWriter(opened, ("body", "category"), extrasaction="ignore")
        out.writeheader()
        out.writerows(rows)
    order = TrainingOrder(
        history=history,
        output=output,
        text=("body",),
        labels={Aspect.CATEGORY: "category"},
        seed=seed,
        floor=4,
    )
    started = monotonic()
    told = train(order, cleaned, lambda _: None)["aspects"][Aspect.CATEGORY]
    test, folds = told["test"], told["chosen"]["folds"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    scores = ", ".join(f"{name} {one['macro_f1']:.3f}" for name, one in folds.items())
    low, high = test["ece_interval"]
    answered = test["answered"]
    print(
        f"| {title} | {seed} | {len(rows)} | {scores} | {told['chosen']['rungs']} |"
        f" {test['n']} | {test['accuracy']:.3f} | {test['macro_f1']:.3f} | {test['linear']:.3f} |"
        f" {test['ece']:.3f} ({low:.3f}-{high:.3f}) |"
        f" {answered['coverage']:.2f} / {answered['precision']:.3f} |"
        f" {monotonic() - started:.0f} s | {peak} MB |",
        flush=True,
    )
    return output


def outside(bundle: Path, inside: Sequence[str], strange: Sequence[str]) -> None:
    """Print how well confidence and energy tell known requests from those of no class."""
    engine = load(str(bundle), 2)
    part = open_bundle(bundle).manifest.aspects[Aspect.CATEGORY]
    made = engine._ensembles[Aspect.CATEGORY]  # the figures behind the answers
    texts = [*inside, *strange]
    gold = [1] * len(inside) + [0] * len(strange)
    passes = engine._encoders["shared"].read(texts)
    energy, sure, said = [], [], []
    for text, one in zip(texts, passes, strict=True):
        view = View(vector=np.zeros(1), passes={"shared": one} if one else {}, text=text)
        if one is None:
            energy.append(-1e9)
            sure.append(0.0)
            said.append(False)
            continue
        logits = made.members[part.scope.member].logits(view)
        energy.append(float(np.logaddexp.reduce(logits)))
        sure.append(float(made.probabilities(view).max()))
        said.append(made.predict(view).label is not None)
    told = np.array(said)
    print(f"AUROC in scope against oos: energy {roc_auc_score(gold, energy):.3f},", end=" ")
    print(f"confidence {roc_auc_score(gold, sure):.3f}; answered: in scope", end=" ")
    print(f"{told[: len(inside)].mean():.3f}, oos {told[len(inside) :].mean():.3f}")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150", "multidogo", "few"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[20])
    asked = parser.parse_args(arguments)
    print(
        "| set | seed | rows | folds, macro-F1 | chosen | tested | accuracy | macro-F1 | linear |"
        " ECE (95 %) | answered / right | time | peak |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        for name in asked.sets:
            for seed in asked.seeds:
                if name == "few":
                    rows = rows_of(asked.data, "banking77")
                    for count in (8, 16, 32):
                        run(Path(made), f"banking77, {count} a class", few(rows, count, seed), seed)
                    continue
                rows = rows_of(asked.data, name)
                known = [row for row in rows if row["category"] != OUTSIDE]
                # Every tenth is never learnt from: oos has to be told apart from these.
                aside = known[::10] if len(known) < len(rows) else []
                learn = [row for place, row in enumerate(known) if place % 10 or not aside]
                bundle = run(Path(made), name, learn, seed)
                if aside:
                    strange = [row["body"] for row in rows if row["category"] == OUTSIDE]
                    outside(bundle, [row["body"] for row in aside], strange)


if __name__ == "__main__":
    main(sys.argv[1:])
