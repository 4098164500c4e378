"""Whether the words that are told to matter do: they are taken out, beside words drawn by chance.

    python tests/bench/bench_why.py [--bundle FOLDER] [--tickets 100] [--languages en,de,fr,es]

Prints Markdown. The tickets are our own test tickets, which no model learnt from. `lost` is the
probability of the answer that is lost, `turned` the share of answers that become others. *Each
word by itself* looks at every word, whatever it costs. *As told* are the words of a note, which
are fewer where fewer matter; as many are then drawn by chance.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np

import classifiers
from classifiers.build.tickets import own_tickets
from connector import occlusion
from connector.model import Aspect, Reading
from connector.ports import Classifier

DRAWS = 5
"""Random words are drawn so often for each answer, and the mean is taken."""
SEED = 20


@dataclass
class Counting:
    """A classifier that counts the texts that it reads."""

    inner: Classifier
    texts: int = 0

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        self.texts += len(texts)
        return self.inner.predict(texts)


@dataclass
class Cost:
    texts: int
    milliseconds: float
    words: int


Tally = dict[tuple[str, Aspect, int], list[tuple[float, bool]]]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", help="a bundle's folder; without it the shipped one")
    parser.add_argument("--tickets", type=int, default=100)
    parser.add_argument("--languages", default="en")
    told = parser.parse_args()
    engine = classifiers.kind.load(told.bundle, 1)
    classifier = engine.classifier({})
    languages = told.languages.split(",")
    rows = [one for one in own_tickets() if one.split == "test" and one.language in languages]
    texts = [one.text for one in random.Random(SEED).sample(rows, min(told.tickets, len(rows)))]
    tally: Tally = defaultdict(list)
    costs: dict[str, list[Cost]] = defaultdict(list)
    for number, text in enumerate(texts):
        _measure(classifier, text, tally, costs, random.Random(SEED + number))
    print(f"{engine.bundle}, {len(texts)} tickets in {told.languages}\n")
    _show(tally)
    _show_costs(costs)


def _measure(
    classifier: Classifier,
    text: str,
    tally: Tally,
    costs: dict[str, list[Cost]],
    draw: random.Random,
) -> None:
    [whole] = classifier.predict([text])
    labels = {one.aspect: one.label for one in whole.predictions if one.label is not None}
    words = occlusion.Words.of(text)
    every = list(words.places)
    found: dict[str, Mapping[Aspect, Sequence[str]]] = {}
    for name, few in (("as told", occlusion.FEW), ("each word by itself", len(every))):
        counting = Counting(classifier)
        started, kept = process_time(), occlusion.FEW
        occlusion.FEW = few
        found[name] = occlusion.words(counting, text, labels)
        occlusion.FEW = kept
        spent = 1000 * (process_time() - started)
        costs[name].append(Cost(texts=counting.texts, milliseconds=spent, words=len(every)))
    for aspect, label in labels.items():
        for count in (1, occlusion.SHOWN):
            for name, told in found.items():
                row = _without(classifier, words, told[aspect][:count], (aspect, label, whole))
                tally[name, aspect, count].append(row)
            as_many = min(len(found["as told"][aspect][:count]), len(every))
            drawn = [
                _without(classifier, words, draw.sample(every, as_many), (aspect, label, whole))
                for _ in range(DRAWS)
            ]
            tally["drawn by chance", aspect, count] += drawn


def _without(
    classifier: Classifier,
    words: occlusion.Words,
    gone: Sequence[str],
    answer: tuple[Aspect, str, Reading],
) -> tuple[float, bool]:
    """Give the probability that is lost with some words, and whether the answer is another then."""
    aspect, label, whole = answer
    [reading] = classifier.predict([words.without(gone)])
    before, after = _ranking(whole, aspect), _ranking(reading, aspect)
    best = max(after, key=lambda one: after[one]) if after else ""
    return before[label] - after.get(label, 0.0), best != label


def _ranking(reading: Reading, aspect: Aspect) -> Mapping[str, float]:
    return next(dict(one.ranking) for one in reading.predictions if one.aspect is aspect)


def _show(tally: Tally) -> None:
    print("| taken out | aspect | answers | words | lost | turned |\n|---|---|---|---|---|---|")
    for (name, aspect, count), rows in sorted(tally.items(), key=lambda one: one[0][1:]):
        lost, turned = np.mean(rows, axis=0)
        answers = len(rows) // (DRAWS if name == "drawn by chance" else 1)
        print(f"| {name} | {aspect} | {answers} | {count} | {lost:.3f} | {turned:.0%} |")


def _show_costs(costs: Mapping[str, Sequence[Cost]]) -> None:
    print("\n| | texts read, median and 95 % | CPU milliseconds |\n|---|---|---|")
    for name, rows in costs.items():
        texts = np.percentile([row.texts for row in rows], (50, 95))
        spent = np.percentile([row.milliseconds for row in rows], (50, 95))
        print(f"| {name} | {texts[0]:.0f}, {texts[1]:.0f} | {spent[0]:.0f}, {spent[1]:.0f} |")
    words = np.percentile([row.words for row in costs["as told"]], (50, 95))
    print(f"\ndifferent words: {words[0]:.0f}, {words[1]:.0f}")


if __name__ == "__main__":
    main()
