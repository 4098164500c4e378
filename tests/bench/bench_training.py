"""What training makes of public data sets: quality beside the linear rung, promises, time, memory.

    python tests/bench/bench_training.py DATA [--sets banking77 senti4sd few] [--seeds 20 21 22]
        [--base shipped] [--rows 2000] [--published]

DATA holds `intent_en_banking77/data.csv.gz` and its like, with the columns `body` and `category` or
`sentiment`. Rows are split by near-duplicate cluster, which is harder than the way in which most
sets were published; `--published` keeps the authors' split, so that figures compare with theirs.
"""

import argparse
import csv
import gzip
import random
import resource
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

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
ASKED = 0.95
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class DataSet:
    folder: str
    column: str
    aspect: Aspect


SETS = {
    "banking77": DataSet("intent_en_banking77", "category", Aspect.CATEGORY),
    "clinc150": DataSet("intent_en_clinc150", "category", Aspect.CATEGORY),
    "multidogo": DataSet("intent_en_multidogo", "category", Aspect.CATEGORY),
    "mixed": DataSet("", "category", Aspect.CATEGORY),
    "senti4sd": DataSet("sent_en_senti4sd", "sentiment", Aspect.SENTIMENT),
}
FEW = "few"
MIXED = "mixed"
"""Three sets as one history: 46,000 rows of 269 classes, to see what size costs."""
COLUMNS = (
    *("set", "seed", "rows", "scores while held out, macro-F1", "chosen", "tested", "accuracy"),
    *("macro-F1", "linear", "ECE (95 %)", "answered / right", "at .95: written / right"),
    *("linear at .95", "promises kept, label by level", "time", "peak"),
)


def rows_of(data: Path, name: str) -> Rows:
    if name == MIXED:
        return [
            row | {"category": f"{part}: {row['category']}"}
            for part in ("banking77", "clinc150", "multidogo")
            for row in rows_of(data, part)
            if row["category"] != OUTSIDE
        ]
    with gzip.open(data / SETS[name].folder / "data.csv.gz", "rt", encoding="utf-8") as opened:
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


def written(path: Path, rows: Rows, column: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as opened:
        out = csv.DictWriter(opened, ("body", column), extrasaction="ignore")
        out.writeheader()
        out.writerows(rows)
    return path


def run(folder: Path, title: str, rows: Rows, of: DataSet, order: Mapping[str, Any]) -> Path:
    """Train, print a row of the table, and give the bundle's folder."""
    seed = order["seed"]
    output = folder / f"{title}-{seed}"
    held = [row for row in rows if order["published"] and row["split"] == "test"]
    learn = [row for row in rows if row["split"] != "test"] if held else rows
    whole = TrainingOrder(
        history=written(folder / f"{title}-{seed}.csv", learn, of.column),
        test=written(folder / f"{title}-{seed}-test.csv", held, of.column) if held else None,
        output=output,
        text=("body",),
        labels={of.aspect: of.column},
        floor=order["floor"],
        seed=seed,
        base=order["base"],
        minutes=order["minutes"],
    )
    started = monotonic()
    said: list[str] = []
    told = train(whole, cleaned, said.append)["aspects"][of.aspect]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    cells = [title, seed, len(rows), *shown(told), f"{monotonic() - started:.0f} s", f"{peak} MB"]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    TOLD[title].append(told["test"])
    return output


TOLD: dict[str, list[Mapping[str, Any]]] = defaultdict(list)


def shown(told: Mapping[str, Any]) -> Sequence[object]:
    """Put what training told into cells."""
    test, folds = told["test"], dict(told["chosen"]["folds"])
    judged = folds.pop("beside distilbert", None)
    scores = ", ".join(f"{name} {one['macro_f1']:.3f}" for name, one in folds.items())
    if judged:
        scores += f"; on {judged['rows']} rows: "
        scores += ", ".join(
            f"{name} {one['macro_f1']:.3f}" for name, one in judged["folds"].items()
        )
    low, high = test["ece_interval"]
    kept = sum(one["kept"] for one in test["dial"])
    return (
        scores,
        told["chosen"]["rungs"],
        test["n"],
        f"{test['accuracy']:.3f}",
        f"{test['macro_f1']:.3f}",
        f"{test['linear']:.3f}",
        f"{test['ece']:.3f} ({low:.3f}-{high:.3f})",
        share(test["answered"]),
        share(at(test["dial"])),
        share(at(test["linear_dial"])),
        f"{kept} of {sum(one['judged'] for one in test['dial'])}",
    )


def at(dial: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(one for one in dial if one["asked"] == ASKED)


def share(part: Mapping[str, Any]) -> str:
    right = "-" if part["precision"] is None else f"{part['precision']:.3f}"
    return f"{part['coverage']:.2f} / {right}"


def summary() -> None:
    """Print mean and spread over seeds."""
    for title, tests in TOLD.items():
        if len(tests) > 1:
            parts = []
            for name in ("accuracy", "macro_f1", "linear", "ece"):
                values = [test[name] for test in tests]
                parts.append(
                    f"{name} {statistics.mean(values):.4f} +- {statistics.stdev(values):.4f}"
                )
            print(f"{title}, {len(tests)} seeds: {', '.join(parts)}")


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
    parser.add_argument("--sets", nargs="+", default=[*SETS, FEW], choices=[*SETS, FEW])
    parser.add_argument("--seeds", nargs="+", type=int, default=[20])
    parser.add_argument("--base", help="fine-tune this checkpoint too, as `triaged train` does")
    parser.add_argument("--minutes", type=float, help="the budget of each training")
    parser.add_argument("--published", action="store_true", help="split as the authors did")
    parser.add_argument("--floor", type=int, default=4, help="rows that a class needs")
    parser.add_argument("--rows", type=int, help="no more of a set than this, drawn")
    asked = parser.parse_args(arguments)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---" * len(COLUMNS) + "|")
    with tempfile.TemporaryDirectory() as made:
        for name in asked.sets:
            for seed in asked.seeds:
                order = {
                    "seed": seed,
                    "base": asked.base,
                    "minutes": asked.minutes,
                    "published": asked.published,
                    "floor": asked.floor,
                }
                if name == FEW:
                    of = SETS["banking77"]
                    for count in (8, 16, 32):
                        rows = few(rows_of(asked.data, "banking77"), count, seed)
                        run(Path(made), f"banking77, {count} a class", rows, of, order)
                    continue
                rows = rows_of(asked.data, name)
                if asked.rows:
                    rows = random.Random(seed).sample(rows, min(asked.rows, len(rows)))
                known = [row for row in rows if row[SETS[name].column] != OUTSIDE]
                # Every tenth is never learnt from: oos has to be told apart from these.
                aside = known[::10] if len(known) < len(rows) else []
                learn = [row for place, row in enumerate(known) if place % 10 or not aside]
                if aside and asked.published:
                    learn, aside = known, [row for row in known if row["split"] == "test"]
                bundle = run(Path(made), name, learn, SETS[name], order)
                if aside:
                    strange = [row["body"] for row in rows if row["category"] == OUTSIDE]
                    outside(bundle, [row["body"] for row in aside], strange)
    summary()


if __name__ == "__main__":
    main(sys.argv[1:])
