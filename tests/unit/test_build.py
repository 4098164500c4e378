import csv
import gzip
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import classifiers
from classifiers.bundle import SHIPPED, open_bundle
from connector.model import Aspect

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("sklearn")

import numpy as np  # noqa: E402

from classifiers.build import default as recipe  # noqa: E402
from classifiers.build import tickets, train, words  # noqa: E402
from classifiers.build.claims import claims  # noqa: E402
from classifiers.build.likeness import fit_calibration, transfer  # noqa: E402
from classifiers.build.measure import Answered, Read  # noqa: E402
from classifiers.build.scores import macro_f1, report  # noqa: E402
from classifiers.build.train import temperature_for  # noqa: E402
from classifiers.build.words import names  # noqa: E402

TICKETS = 70
CREATED = date(2026, 1, 2)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(5)
    config = transformers.DistilBertConfig(
        vocab_size=30522, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=256
    )
    transformers.DistilBertModel(config).save_pretrained(folder)
    shutil.copy(SHIPPED / "tokenizer.json", folder)
    return folder


@pytest.fixture
def few_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    every = tickets.own_tickets()
    few = every[:: max(1, len(every) // TICKETS)]
    monkeypatch.setattr(recipe, "own_tickets", lambda: few)
    monkeypatch.setattr(train, "STRENGTHS", (0.01,))
    monkeypatch.setattr(words, "MOST_WORDS", 200)
    monkeypatch.setattr(words, "MOST_PIECES", 300)


@pytest.fixture
def senti4sd(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv.gz"
    moods = ("negative", "neutral", "positive")
    with gzip.open(path, "wt", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["id", "split", "body", "sentiment"])
        for number in range(30):
            split = "test" if number % 5 == 0 else "train"
            writer.writerow([f"s{number}", split, f"post number {number} here", moods[number % 3]])
    return path


@pytest.mark.usefixtures("few_tickets")
@pytest.mark.timeout(400)  # two whole builds: a minute alone, several on a busy machine
def test_any_distilbert_becomes_a_bundle_and_the_same_inputs_the_same_bytes(
    checkpoint: Path, senti4sd: Path, tmp_path: Path
) -> None:
    steps: list[str] = []
    made = []
    for name in ("one", "other"):
        order = recipe.Order(
            weights=checkpoint, output=tmp_path / name, created=CREATED, senti4sd=senti4sd
        )
        made.append(recipe.build(order, steps.append))
    one, other = (open_bundle(folder) for folder in made)
    assert dict(one.files) == dict(other.files)
    assert one.manifest == other.manifest
    assert [source.rows for source in one.manifest.data] == [len(recipe.own_tickets()), 24]
    assert "learning sentiment" in steps
    engine = classifiers.kind.load(str(made[0]), 1)
    (reading,) = engine.classifier({}).predict(["The printer is on fire."])
    assert {given.aspect for given in reading.predictions} == {
        Aspect.CATEGORY,
        Aspect.PRIORITY,
        Aspect.SENTIMENT,
    }


def test_the_seed_labels_are_described_in_every_language() -> None:
    raw = tickets.read_yaml(tickets.DATA / "labels.yaml")
    for by_language in raw.values():
        assert tuple(by_language) == tickets.LANGUAGES
    labels = tickets.seed_labels()
    assert {row.labels[Aspect.CATEGORY] for row in tickets.own_tickets()} == set(labels)


def test_a_fingerprint_changes_with_text_label_and_order() -> None:
    one, other = tickets.own_tickets()[:2]
    prints = {tickets.fingerprint(rows) for rows in ([one, other], [other, one], [one])}
    assert len(prints) == 3


def test_a_translation_is_in_the_cluster_of_what_it_translates() -> None:
    every = {one.id: one for one in tickets.own_tickets()}
    told = tickets.read_yaml(tickets.DATA / "tickets-de.yaml")
    translated = {row["id"]: row["translates"] for row in told if "translates" in row}
    assert len(translated) > 50
    for one, other in translated.items():
        assert every[one].cluster == every[other].cluster
        assert every[one].split == every[other].split
        assert every[one].labels == every[other].labels


def test_names_are_found_where_tickets_are_signed_and_people_addressed() -> None:
    text = "Screen\n\nDear Ottilie, the monitor of Hank flickers.\n\nBerta Roe\nDesk 4"
    assert names([text, "my desk"]) >= {"ottilie", "berta", "roe"}
    assert names([text, "my desk"]).isdisjoint({"monitor", "screen", "desk"})


def test_no_name_of_a_signature_is_in_the_shipped_vocabulary() -> None:
    learnt = [one.text for one in tickets.own_tickets() if one.split != "test"]
    grams = json.loads((SHIPPED / "vocabulary.json").read_bytes())["words"]
    assert names(learnt).isdisjoint(word for gram in grams for word in gram.split())


def test_macro_f1_counts_a_class_that_is_never_given_as_nothing() -> None:
    assert macro_f1(["a", "a", "b"], ["a", "a", "a"], ["a", "b"]) == pytest.approx(0.4)


def test_a_report_tells_coverage_and_precision_at_the_bar() -> None:
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.45, 0.4]])
    told = report(["a", "b", "b"], shares, ["a", "b"], languages=["en", "fr", "fr"], least=0.5)
    assert told["answered"] == {"least": 0.5, "coverage": 0.6667, "precision": 0.5}
    assert told["languages"]["fr"]["n"] == 2


def a_ticket(name: str, language: str, cluster: str) -> tickets.Example:
    return tickets.Example(
        id=name,
        text=f"{name} in {language}",
        language=language,
        labels={Aspect.PRIORITY: "low"},
        split="train",
        cluster=cluster,
    )


def translated(rows: int, sure: float, *, alike: int) -> tuple[Answered, Read]:
    """Give answers to tickets and translations, of which so many get their original's label."""
    own, answers = [], []
    for place in range(rows):
        first = f"en-{place}"
        own += [a_ticket(first, "en", first), a_ticket(f"fr-{place}", "fr", first)]
        answers += [[0.95, 0.05], [sure, 1 - sure] if place < alike else [1 - sure, sure]]
    read = Read(examples=own, states=np.zeros((len(own), 1, 1), np.float32))
    learnt = np.array(answers)
    labels = ("low", "high")
    return Answered(aspect=Aspect.PRIORITY, labels=labels, learnt=learnt, test=learnt[:0]), read


def both(*parts: tuple[Answered, Read]) -> tuple[Answered, Read]:
    learnt = np.concatenate([answered.learnt for answered, _ in parts])
    examples = [one for _, read in parts for one in read.examples]
    read = Read(examples=examples, states=np.zeros((len(examples), 1, 1), np.float32))
    return replace(parts[0][0], learnt=learnt), read


def test_other_languages_answer_from_the_confidence_on_at_which_translations_agree() -> None:
    wavering, sure = translated(20, 0.65, alike=8), translated(30, 0.85, alike=29)
    found = claims(*both(wavering, sure), ("en", "fr"))
    assert found.languages == ("en", "fr")
    assert found.bars == {"fr": 0.7}
    assert found.measured["languages"]["fr"]["n"] == 30
    everywhere = claims(*sure, ("en", "fr"))
    assert everywhere.languages == ("en", "fr")
    assert everywhere.bars == {}


@pytest.mark.parametrize("told", [translated(40, 0.95, alike=20), translated(12, 0.95, alike=12)])
def test_a_language_is_not_claimed_on_other_or_too_few_answers(told) -> None:
    found = claims(*told, ("en", "fr"))
    assert found.languages == ("en",)
    assert found.bars == {}


def test_the_temperature_of_overconfident_answers_is_above_one() -> None:
    drawn = np.random.default_rng(1)
    gold = drawn.integers(0, 2, 400)
    noisy = np.where(drawn.random(400) < 0.3, 1 - gold, gold)
    logits = np.eye(2)[noisy] * 8.0
    assert temperature_for(logits, list(gold)) > 2


def test_the_calibration_of_likeness_carries_over_to_labels_kept_aside() -> None:
    drawn = np.random.default_rng(2)
    gold = drawn.integers(0, 4, 300)
    likeness = drawn.normal(0.1, 0.08, (300, 4))
    likeness[np.arange(300), gold] += 0.2
    calibration = fit_calibration(likeness, list(gold))
    assert calibration.sharpness > 5
    carried = transfer(likeness, list(gold))
    assert carried["ece"] < 0.15
    assert carried["precision"] > 0.8
