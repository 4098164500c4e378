"""What greetings, signatures, threads, HTML, logs, plain faults, anger and languages do to answers.

    python tests/bench/bench_robustness.py [--bundle FOLDER] [--rounds 1]

Prints Markdown. Beside the bundle stands TF-IDF with logistic regression, learnt from the same
tickets; it never abstains. The probes are in tests/fixtures/probes.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from probes import (
    ASPECTS,
    CLAIMED,
    KINDS,
    OTHERS,
    Answers,
    Ask,
    Told,
    Treat,
    alike,
    asking,
    cleaned,
    moved,
    raw,
    read,
    shares,
)

import classifiers
from classifiers.build.scores import linear_baseline
from classifiers.build.tickets import own_tickets
from connector.model import Aspect

GOALS = dict.fromkeys(KINDS, "≤ 2 %") | {"log dump": "≤ 10 %"}
Models = dict[str, Ask]


def main() -> None:
    """Measure the bundle and the linear model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", help="a bundle's folder; without it the shipped one")
    parser.add_argument("--rounds", type=int, default=1, help="wrappings per ticket and kind")
    told = parser.parse_args()
    engine = classifiers.kind.load(told.bundle, 2)
    models = {engine.bundle: asking(engine.classifier({})), "linear": linear()}
    wrapping(models, told.rounds)
    mood(models)
    languages(models)
    unclaimed(models)


def linear() -> Ask:
    """Fit the linear model on the tickets that the shipped bundle was learnt from."""
    learnt = [one for one in own_tickets() if one.split != "test"]
    texts = [one.text for one in learnt]
    asked: dict[Aspect, Callable[[Sequence[str]], list[str]]] = {
        aspect: linear_baseline(texts, [one.labels[aspect] for one in learnt]) for aspect in ASPECTS
    }

    def ask(texts: Sequence[str]) -> Answers:
        given = {aspect: answer(texts) for aspect, answer in asked.items()}
        return [
            {aspect: Told(labels[place], labels[place]) for aspect, labels in given.items()}
            for place in range(len(texts))
        ]

    return ask


def wrapping(models: Models, rounds: int) -> None:
    """Print what each kind of wrapping moves, cleaned as at serving and without cleaning."""
    probes = [*read("same"), *read("neutral"), *read("angry")]
    treatments: dict[str, Treat] = {"cleaned": cleaned, "not cleaned": raw}
    rows = [
        (kind, aspect, model, how, *map(percent, (one.likeliest, one.written, one.silent)))
        for kind in KINDS
        for model, ask in models.items()
        for how, treat in treatments.items()
        for aspect, one in moved(ask, treat, probes, kind, rounds).items()
    ]
    rows.sort(key=lambda row: KINDS.index(row[0]))
    print(f"\n{len(probes)} tickets, {rounds} wrappings of each kind\n")
    head = ("wrapping", "aspect", "model", "text", "likeliest label", "written label", "silence")
    table((*head, "goal"), [(*row, GOALS[row[0]] if row[3] == "cleaned" else "") for row in rows])


def mood(models: Models) -> None:
    """Print what is made of plain faults and of anger."""
    rows = []
    for kind, goal in (("neutral", "negative ≤ 5 %"), ("angry", "negative ≥ 85 %")):
        for language in (*CLAIMED, "all"):
            probes = read(kind, CLAIMED if language == "all" else [language])
            for model, ask in models.items():
                found = shares(ask, probes, Aspect.SENTIMENT)
                figures = (found.get(one, 0) for one in ("negative", "neutral", "positive", None))
                rows.append((kind, language, len(probes), model, *map(percent, figures), goal))
    head = ("tickets", "language", "n", "model", "negative", "neutral", "positive", "abstained")
    table((*head, "goal"), rows)


def languages(models: Models) -> None:
    """Print how far the same tickets get the same labels in each language."""
    rows = [
        (aspect, name, model, *map(percent, (one.same, one.abstained, one.likeliest)), goal)
        for aspect in ASPECTS
        for name, group, goal in (
            *((f"en and {other}", ("en", other), "≥ 85 %") for other in CLAIMED[1:]),
            ("all four", CLAIMED, ""),
        )
        for model, ask in models.items()
        for one in [alike(ask, group, aspect)]
    ]
    head = ("aspect", "languages", "model", "same of answered", "not answered in both or all")
    table((*head, "same likeliest, of all", "goal"), rows)


def unclaimed(models: Models) -> None:
    """Print the share abstained on in languages that the bundle does not claim."""
    rows = [
        (
            language,
            len(probes),
            model,
            *(percent(shares(ask, probes, one).get(None, 0)) for one in ASPECTS),
        )
        for language in OTHERS
        for probes in [read("other", [language])]
        for model, ask in models.items()
    ]
    table(("abstained on", "n", "model", *ASPECTS), rows)


def percent(value: float) -> str:
    """Write a share with one decimal."""
    return f"{value * 100:.1f} %"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print Markdown."""
    for line in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(map(str, line)) + " |")
    print()


if __name__ == "__main__":
    main()
