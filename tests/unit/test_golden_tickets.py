import gc
import weakref
from pathlib import Path

import pytest
from likes_of_shipped import TEXTS, alike, answered

import classifiers
from classifiers.bundle import SHIPPED, open_bundle
from classifiers.facts import describe
from connector import golden
from connector.errors import BadBundle, Diverging
from connector.model import Aspect


def test_a_bundle_tells_its_golden_tickets_labels_and_figures(tmp_path: Path) -> None:
    facts = describe(str(alike(tmp_path / "made")))
    assert facts.title == "ours@1"
    assert [ticket.text for ticket in facts.golden] == list(TEXTS)
    [first, *_] = facts.golden
    told = answered()[0]["answers"][Aspect.CATEGORY]
    answer = first.answers[Aspect.CATEGORY]
    assert (answer.label, answer.confidence) == (told["label"], told["confidence"])
    shipped = open_bundle(SHIPPED).manifest
    assert facts.labels == {aspect: part.labels for aspect, part in shipped.aspects.items()}
    tested = shipped.metrics["priority"]["test"]
    assert facts.measured[Aspect.PRIORITY].macro_f1 == tested["macro_f1"]
    assert set(facts.files) == {*shipped.files, "golden.json", "manifest.json"}


def test_the_shipped_one_answers_as_it_did_a_moment_ago(tmp_path: Path) -> None:
    folder = str(alike(tmp_path / "made"))
    golden.replay(classifiers.kind.load(folder, 1), describe(folder))


def test_a_golden_ticket_that_is_answered_otherwise_is_named(tmp_path: Path) -> None:
    wrong = [{**ticket, "answers": {**ticket["answers"]}} for ticket in answered()]
    wrong[1]["answers"][Aspect.CATEGORY] = {"label": "printing", "confidence": 0.5}
    folder = str(alike(tmp_path / "made", golden=wrong))
    with pytest.raises(Diverging, match="Please order two new laptops"):
        golden.replay(classifiers.kind.load(folder, 1), describe(folder))


@pytest.mark.parametrize(
    "tickets",
    [
        {"text": "no list"},
        [{"text": "no answers"}],
        [{"text": "?", "answers": {"mood": {"label": None, "confidence": 0}}}],
        [{"text": "?", "answers": {"category": {"label": "a", "confidence": 7}}}],
    ],
)
def test_golden_tickets_of_another_shape_are_refused(tmp_path: Path, tickets: object) -> None:
    folder = alike(tmp_path / "made", golden=tickets)
    with pytest.raises(BadBundle, match=r"golden\.json holds no golden tickets: tickets"):
        describe(str(folder))


def test_bundles_with_the_same_encoder_share_it_and_let_go_of_it(tmp_path: Path) -> None:
    folders = [str(alike(tmp_path / version, version)) for version in "12"]
    one, other = (classifiers.kind.load(folder, 1) for folder in folders)
    name = open_bundle(SHIPPED).manifest.main
    assert one.bundle != other.bundle
    assert one._encoders[name] is other._encoders[name]
    assert classifiers.kind.load(None, 1)._encoders[name] is one._encoders[name]
    shared = weakref.ref(one._encoders[name])
    del one
    assert other.classifier({}).predict(TEXTS)
    del other
    gc.collect()
    assert shared() is None


def test_another_window_or_number_of_threads_is_another_encoder(tmp_path: Path) -> None:
    name = open_bundle(SHIPPED).manifest.main
    encoders = open_bundle(SHIPPED).manifest.model_dump(mode="json")["encoders"]
    encoders[name]["tokens"] = 64
    short = str(alike(tmp_path / "made", encoders=encoders))
    loaded = [
        classifiers.kind.load(None, 1),
        classifiers.kind.load(None, 2),
        classifiers.kind.load(short, 1),
    ]
    assert len({id(engine._encoders[name]) for engine in loaded}) == 3
