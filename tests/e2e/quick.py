"""A model that starts at once and whose right answers anybody can tell, installed as a plug-in.

A proof needs many starts of the daemon, not a language model: the category is the one whose name
stands in the text. The sentiment is drawn by lot at each process's start, so that a daemon that
decided anew after a crash, instead of keeping to its plan, would be caught writing something else.
"""

import os
import random
import signal
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from connector.model import Aspect, Prediction, Reading
from connector.ports import NO_NAMES, BundleFacts, Labels, Measured, ModelKind, Names

CATEGORIES = ("hardware", "software", "network", "security", "account")
POISON = "a word that kills whoever reads it"
SENTIMENTS = ("negative", "neutral", "positive")


class QuickClassifier:
    """Answers by looking for a word."""

    def __init__(self) -> None:
        self._sentiment = random.choice(SENTIMENTS)

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        """Read each text."""
        return [self._read(text.casefold()) for text in texts]

    def _read(self, text: str) -> Reading:
        if POISON in text:
            os.kill(os.getpid(), signal.SIGKILL)
        found = next((name for name in CATEGORIES if name in text), None)
        answers = {Aspect.CATEGORY: found, Aspect.SENTIMENT: self._sentiment}
        sure = tuple(
            Prediction(
                aspect=aspect,
                label=label,
                confidence=0.99 if label else 0.0,
                ranking=((label, 0.99),) if label else (),
            )
            for aspect, label in answers.items()
        )
        return Reading(predictions=sure, language="en")


class QuickEngine:
    """Gives every tenant the same classifier."""

    bundle = "quick@1"

    def labels(self, aspect: Aspect) -> Sequence[str]:
        """List what can be answered."""
        return {Aspect.CATEGORY: CATEGORIES, Aspect.SENTIMENT: SENTIMENTS}.get(aspect, ())

    def classifier(self, labels: Labels, names: Names = NO_NAMES) -> QuickClassifier:
        """Give the classifier, whatever the labels."""
        del labels, names
        return QuickClassifier()


def describe(folder: str | None) -> BundleFacts:
    """Tell the same of any folder."""
    del folder
    return BundleFacts(
        name="quick",
        version="1",
        created=date(2026, 1, 2),
        seal="",
        files=(),
        labels={Aspect.CATEGORY: CATEGORIES, Aspect.SENTIMENT: SENTIMENTS},
        measured={Aspect.CATEGORY: Measured(), Aspect.SENTIMENT: Measured()},
    )


kind = ModelKind(name="a_quick", load=lambda _folder, _threads: QuickEngine(), describe=describe)


def installed(folder: Path) -> Mapping[str, str]:
    """Install this model for processes started with the environment that is given back."""
    info = folder / "triaged_quick-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: triaged-quick\nVersion: 1\n")
    # The first kind by name is the one that serves.
    (info / "entry_points.txt").write_text("[triaged.classifiers]\na_quick = quick:kind\n")
    return {"PYTHONPATH": f"{folder}:{Path(__file__).parent}"}


ASPECTS = {
    "category": {"field": "360001", "mode": "auto"},
    "sentiment": {"field": "360002", "mode": "auto"},
}
"""The aspects that the model answers, as a tenant file for the practice desk maps them."""
