"""Speed, start, memory, fidelity and quality of the shipped bundle; ratios within one run.

    python tests/bench/bench_models.py [--seconds 10]

With the extra `train` installed a one-by-one `transformers` pipeline runs beside it; with the
public data in ../shared/data its quality elsewhere is measured too.
"""

import argparse
import csv
import gzip
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

import classifiers
from classifiers.build.tickets import own_tickets, senti4sd
from classifiers.bundle import SHIPPED, open_bundle
from classifiers.commands import WANTED, cache_folder
from classifiers.encoder import Encoder, Window
from classifiers.zeroshot import unit
from connector.model import Aspect, Reading
from connector.ports import Engine

SHARED = Path(__file__).parents[3] / "shared" / "data"
SENTI4SD = SHARED / "sent_en_senti4sd" / "data.csv.gz"
NAMED = ("intent_en_banking77", "intent_en_clinc150")
SAMPLE = 1000
LEAST = 0.5
console = Console(width=120)

START = """
import time, resource
begun = time.perf_counter(), time.process_time()
import classifiers
engine = classifiers.kind.load(None, 1)
opened = time.perf_counter() - begun[0]
classifier = engine.classifier({})
classifier.predict(["The printer on the third floor jams again."])
ready = time.perf_counter() - begun[0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{opened:.2f} {ready:.2f} {time.process_time() - begun[1]:.2f} {peak:.0f}")
"""


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="for each speed")
    seconds = parser.parse_args().seconds
    texts = [ticket.text for ticket in own_tickets()]
    random.Random(1).shuffle(texts)
    start()
    speed(texts, seconds)
    fidelity(texts[:200])
    quality()
    elsewhere()
    console.print(f"peak memory of this process {resident():.0f} MB")


def start() -> None:
    """Load in a fresh process, without torch."""
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    opened, ready, cpu, peak = done.stdout.split()
    console.print(
        f"start: loaded in {opened} s, first answer after {ready} s ({cpu} CPU-seconds),"
        f" peak {peak} MB"
    )


def speed(texts: Sequence[str], seconds: float) -> None:
    """Tickets a second: all answers together on one and two cores, beside a pipeline."""
    table = Table(title="tickets/s (all aspects, vector and language)", title_justify="left")
    table.add_column("what")
    table.add_column("tickets/s")
    table.add_column("x pipeline")
    rates: dict[str, float] = {}
    pipeline = one_by_one()
    if pipeline:
        rates["transformers pipeline, one by one, one output, one core"] = rate(
            lambda some: [pipeline(text) for text in some], texts, seconds
        )
    for threads in (1, 2):
        classifier = classifiers.kind.load(None, threads).classifier({})
        rates[f"triaged, {threads} thread(s)"] = rate(classifier.predict, texts, seconds)
    first = next(iter(rates.values()))
    for name, value in rates.items():
        table.add_row(name, f"{value:.0f}", f"{value / first:.1f}" if pipeline else "")
    console.print(table)


def rate(predict: Callable[[Sequence[str]], object], texts: Sequence[str], seconds: float) -> float:
    """Count texts answered in batches of 32, per second."""
    predict(texts[:4])
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        place = count % (len(texts) - 32)
        predict(texts[place : place + 32])
        count += 32
    return count / (time.perf_counter() - begun)


def weights() -> Path | None:
    """Give the cached weights, if they are there."""
    folder = cache_folder()
    return folder if all((folder / name).is_file() for name in WANTED) else None


def one_by_one() -> Callable[[str], object] | None:
    """Give what most people would run: a transformers pipeline, one text at a time."""
    folder = weights()
    try:
        import torch  # noqa: PLC0415 - heavy: only what is measured is loaded
        import transformers  # noqa: PLC0415 - heavy: only what is measured is loaded

        from classifiers.build import convert, exact  # noqa: PLC0415 - heavy: only what is measured is loaded
    except ImportError:
        console.print("no pipeline beside it: the extra `train` is not installed")
        return None
    if folder is None:
        console.print("no pipeline beside it: no weights in the cache (`triaged models build`)")
        return None
    torch.set_num_threads(1)
    body = exact.distilbert(convert.read_checkpoint(folder))
    model = transformers.DistilBertForSequenceClassification(body.config).eval()
    model.distilbert = body
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(SHIPPED / "tokenizer.json"), model_max_length=256, pad_token="[PAD]"
    )
    made = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    return lambda text: made(text, truncation=True)


def fidelity(texts: Sequence[str]) -> None:
    """Compare the served int8 model with the same graph in fp32."""
    folder = weights()
    try:
        from classifiers.build import convert, export  # noqa: PLC0415 - heavy: only what is measured is loaded
    except ImportError:
        return
    if folder is None:
        return
    plain = export.export(convert.read_checkpoint(folder), int8=False).SerializeToString()
    tokenizer = (SHIPPED / "tokenizer.json").read_bytes()
    window = Window(tokens=256, tail=64)
    read = [
        Encoder(model=model, tokenizer=tokenizer, window=window, threads=2).encode(texts)
        for model in (plain, (SHIPPED / "model.onnx").read_bytes())
    ]
    cosines = []
    for one, other in zip(*read, strict=True):
        if one is not None and other is not None:
            cosines.append(float(unit(one[-1]) @ unit(other[-1])))
    console.print(
        f"int8 against fp32, last state: cosine mean {np.mean(cosines):.4f}, least"
        f" {min(cosines):.4f} over {len(cosines)} tickets"
    )


def quality() -> None:
    """Answer the test tickets again, and show the manifest's figures beside."""
    test = [ticket for ticket in own_tickets() if ticket.split == "test"]
    readings = classifiers.kind.load(None, 2).classifier({}).predict([one.text for one in test])
    metrics = open_bundle(SHIPPED).manifest.metrics
    table = Table(title=f"test tickets ({len(test)}), macro-F1", title_justify="left")
    for heading in ("aspect", "now", "manifest", "linear", "majority", "five folds", "linear "):
        table.add_column(heading)
    for aspect in (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT):
        told = metrics[aspect]
        again = macro_f1([one.labels[aspect] for one in test], best(readings, aspect))
        figures = (
            again,
            *(told["test"][name] for name in ("macro_f1", "linear", "majority")),
            *(told["folds"][name] for name in ("macro_f1", "linear")),
        )
        table.add_row(aspect, *(f"{figure:.3f}" for figure in figures))
    console.print(table)


def elsewhere() -> None:
    """Measure on public data that nothing was learnt from, where it is at hand."""
    engine = classifiers.kind.load(None, 2)
    if SENTI4SD.exists():
        posts = [post for post in senti4sd(SENTI4SD) if post.split == "test"]
        given = best(engine.classifier({}).predict([one.text for one in posts]), Aspect.SENTIMENT)
        score = macro_f1([one.labels[Aspect.SENTIMENT] for one in posts], given)
        console.print(f"Senti4SD test ({len(posts)}): sentiment macro-F1 {score:.3f}")
    for name in NAMED:
        path = SHARED / name / "data.csv.gz"
        if path.exists():
            by_name(path, name, engine)


def by_name(path: Path, name: str, engine: Engine) -> None:
    """Ask for foreign labels by their bare names: accuracy, coverage and precision at one half."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row["split"] == "test"]
    random.Random(1).shuffle(rows)
    labels: dict[str, tuple[str, ...]] = dict.fromkeys(
        sorted({row["category"] for row in rows}), ()
    )
    labels.pop("oos", None)
    sample = rows[:SAMPLE]
    readings = engine.classifier({Aspect.CATEGORY: labels}).predict([row["body"] for row in sample])
    gold = [row["category"] for row in sample]
    right = np.array(best(readings, Aspect.CATEGORY)) == np.array(gold)
    sure = np.array([confidence(reading, Aspect.CATEGORY) >= LEAST for reading in readings])
    console.print(
        f"{name}: {len(labels)} labels by name, {len(sample)} texts: right {right.mean():.3f};"
        f" answered {sure.mean():.0%}, of these right {right[sure].mean():.0%}"
    )


def ranking(reading: Reading, aspect: Aspect) -> Sequence[tuple[str, float]]:
    """Give an aspect's ranking."""
    (found,) = [one.ranking for one in reading.predictions if one.aspect is aspect]
    return found


def confidence(reading: Reading, aspect: Aspect) -> float:
    """Give an aspect's confidence."""
    (found,) = [one.confidence for one in reading.predictions if one.aspect is aspect]
    return found


def best(readings: Sequence[Reading], aspect: Aspect) -> list[str]:
    """Give the likeliest labels, abstained or not."""
    # What was too short to be answered counts as wrong.
    answers = (ranking(reading, aspect) for reading in readings)
    return [answer[0][0] if answer else "" for answer in answers]


def macro_f1(gold: Sequence[str], given: Sequence[str]) -> float:
    """Give the mean of the classes' F1."""
    scores = []
    for label in set(gold):
        hit = sum(one == other == label for one, other in zip(gold, given, strict=True))
        scores.append(2 * hit / (gold.count(label) + given.count(label)))
    return sum(scores) / len(scores)


def resident() -> float:
    """Give the peak of this process's memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
