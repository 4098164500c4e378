"""Bundles on paper: a model kind whose folders say in JSON what they answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from connector.errors import BadBundle
from connector.model import Aspect, Prediction, Reading
from connector.ports import (
    NO_NAMES,
    BundleFacts,
    GoldenAnswer,
    GoldenTicket,
    Labels,
    Measured,
    ModelKind,
    Names,
)

SHEET = "sheet.json"
PADDING = "weights.bin"

Answers = Mapping[str, tuple[str | None, float]]
"""The category and confidence that each text gets."""

ANSWERS: Answers = {"the tunnel is down": ("network", 0.9), "no toner": ("printing", 0.8)}


def write(
    folder: Path,
    version: str = "1",
    answers: Answers = ANSWERS,
    golden: Answers | None = None,
    name: str = "ours",
) -> Path:
    """Write a bundle; its golden tickets are what it answers, unless told otherwise."""
    folder.mkdir(parents=True)
    sheet = {
        "name": name,
        "version": version,
        "answers": answers,
        "golden": answers if golden is None else golden,
    }
    padding = b"w" * 5000
    sheet["padding"] = hashlib.sha256(padding).hexdigest()
    (folder / PADDING).write_bytes(padding)
    (folder / SHEET).write_text(json.dumps(sheet), encoding="utf-8")
    (folder / "stray.txt").write_text("belongs to no bundle", encoding="utf-8")
    return folder


def damage(folder: Path) -> None:
    """Let the disk lose the end of a file."""
    (folder / PADDING).write_bytes(b"w" * 4999)


def describe(folder: str | None) -> BundleFacts:
    """Read and verify a sheet."""
    try:
        content = (Path(str(folder)) / SHEET).read_bytes()
        padding = (Path(str(folder)) / PADDING).read_bytes()
        sheet = json.loads(content)
    except (OSError, ValueError) as error:
        raise BadBundle(f"{folder} cannot be read: {error}") from error
    if hashlib.sha256(padding).hexdigest() != sheet["padding"]:
        raise BadBundle(f"{folder} is damaged")
    labels = tuple(dict.fromkeys(label for label, _ in sheet["answers"].values() if label))
    return BundleFacts(
        name=sheet["name"],
        version=sheet["version"],
        created=date(2026, 1, 2),
        seal=hashlib.sha256(content).hexdigest(),
        files=(SHEET, PADDING),
        labels={Aspect.CATEGORY: labels},
        measured={Aspect.CATEGORY: Measured(macro_f1=0.75)},
        golden=tuple(
            GoldenTicket(
                text=text,
                answers={Aspect.CATEGORY: GoldenAnswer(label=label, confidence=confidence)},
            )
            for text, (label, confidence) in sheet["golden"].items()
        ),
    )


class PaperEngine:
    """Answers what the sheet says, and with nothing to any other text."""

    def __init__(self, folder: str | None) -> None:
        facts = describe(folder)
        self.bundle = facts.title
        self._labels = facts.labels
        self._answers: Answers = json.loads((Path(str(folder)) / SHEET).read_bytes())["answers"]

    def labels(self, aspect: Aspect) -> Sequence[str]:
        """List the labels of the sheet."""
        return self._labels.get(aspect, ())

    def classifier(self, labels: Labels, names: Names = NO_NAMES) -> "PaperEngine":
        """Give itself, whatever the labels."""
        del labels, names
        return self

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        """Look each text up."""
        return [self._read(*self._answers.get(text, (None, 0.0))) for text in texts]

    def _read(self, label: str | None, confidence: float) -> Reading:
        answer = Prediction(aspect=Aspect.CATEGORY, label=label, confidence=confidence)
        return Reading(predictions=(answer,))


kind = ModelKind(name="paper", load=lambda folder, _: PaperEngine(folder), describe=describe)
