from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as some

from classifiers.calibration import Temperature
from classifiers.ensemble import Described, Ensemble
from classifiers.heads import Vector, View
from classifiers.zeroshot import Calibration, Space, describe, near, nearest, unit
from connector.model import Aspect

CALIBRATION = Calibration(sharpness=20.0, nothing=0.1)
VECTORS = {
    "printer jams": [1.0, 0.0, 0.0],
    "screen is black": [0.8, 0.6, 0.0],
    "vpn drops": [0.0, 1.0, 0.0],
    "password expired": [0.0, 0.0, 1.0],
    "new hire": [-1.0, 0.0, 0.0],
}


def embed(texts: Sequence[str]) -> list[Vector | None]:
    return [np.array(VECTORS[text], np.float32) if text in VECTORS else None for text in texts]


def classifier(labels: Mapping[str, Sequence[str]]) -> Ensemble:
    likeness = describe(
        labels, embed=embed, space=Space(mean=np.zeros(3, np.float32)), calibration=CALIBRATION
    )
    return Ensemble(
        aspect=Aspect.CATEGORY,
        labels=tuple(labels),
        members=(Described(likeness=likeness),),
        shares=(1.0,),
        calibration=Temperature(value=1.0),
        abstain_below=0.5,
    )


def view(*vector: float) -> View:
    return View(vector=unit(np.array(vector, np.float32)))


LABELS = {
    "hardware": ["printer jams", "screen is black"],
    "network": ["vpn drops"],
    "account": ["password expired"],
}


def test_a_text_gets_the_label_that_it_resembles_and_the_reason_names_the_description() -> None:
    given = classifier(LABELS).predict(view(0.9, 0.1, 0.0))
    assert given.label == "hardware"
    assert "printer jams" in given.reason
    assert given.confidence > 0.9


def test_a_text_that_resembles_nothing_is_abstained_on() -> None:
    given = classifier(LABELS).predict(view(-1.0, -1.0, -1.0))
    assert given.label is None
    assert given.confidence < 0.1
    assert [label for label, _ in given.ranking]


def test_a_text_between_two_labels_is_abstained_on() -> None:
    given = classifier({"a": ["printer jams"], "b": ["vpn drops"]}).predict(view(1.0, 1.0, 0.0))
    assert given.label is None
    assert given.confidence < 0.5


def test_one_close_description_is_enough_however_many_others_there_are() -> None:
    others = ["password expired"] * 9
    few, many = classifier({"a": ["printer jams"]}), classifier({"a": ["printer jams", *others]})
    text = view(1.0, 0.0, 0.0)
    assert few.predict(text).label == many.predict(text).label == "a"


def test_more_labels_lower_the_confidence() -> None:
    text = view(0.7, 0.5, 0.2)
    two = classifier({"hardware": ["printer jams"], "account": ["password expired"]})
    more = classifier({"hardware": ["printer jams"], **LABELS, "network": ["vpn drops"]})
    assert more.predict(text).confidence < two.predict(text).confidence


def test_a_label_without_description_is_described_by_its_name() -> None:
    given = classifier({"vpn_drops": [], "password_expired": []}).predict(view(0.0, 1.0, 0.0))
    assert given.label == "vpn_drops"
    assert "vpn drops" in given.reason


def test_no_labels_and_unreadable_descriptions_abstain() -> None:
    assert classifier({}).predict(view(1.0, 0.0, 0.0)).label is None
    given = classifier({"a": ["?"], "b": ["!"]}).predict(view(1.0, 0.0, 0.0))
    assert given.label is None


def test_a_label_that_cannot_be_read_moves_no_other_labels_descriptions() -> None:
    given = classifier({"a": ["?", "!"], **LABELS}).predict(view(0.1, 0.9, 0.0))
    assert given.label == "network"
    assert "vpn drops" in given.reason


def test_what_all_tickets_share_is_taken_away() -> None:
    space = Space(mean=np.array([0.9, 0.0, 0.0], np.float32))
    one, other = space.place(unit(np.array([[0.9, 0.4, 0.0], [0.9, -0.4, 0.0]], np.float32)))
    assert float(one @ other) < -0.9


@drawn(some.lists(some.floats(-1, 1, width=32), min_size=1, max_size=40))
def test_probabilities_stay_under_one_and_keep_the_order_of_likeness(likeness: list[float]) -> None:
    shares = CALIBRATION.probabilities(np.array(likeness, np.float32))
    assert 0 <= shares.sum() <= 1 + 1e-5
    assert shares.argmax() == int(np.argmax(likeness)) or shares.max() == pytest.approx(
        shares[int(np.argmax(likeness))]
    )


@drawn(some.lists(some.floats(-1, 1, width=32), min_size=1, max_size=40))
def test_a_labels_likeness_lies_between_mean_and_maximum(likeness: list[float]) -> None:
    values = np.array(likeness, np.float32)
    assert values.mean() - 1e-4 <= near(values) <= values.max() + 1e-4


@drawn(some.lists(some.lists(some.floats(-1, 1, width=32), min_size=1, max_size=5), min_size=1))
def test_all_labels_at_once_are_as_each_alone(labels: list[list[float]]) -> None:
    rows = [np.array(label, np.float32) for label in labels]
    starts = np.cumsum([0, *map(len, rows[:-1])], dtype=np.intp)
    together = nearest(np.concatenate(rows), starts)
    np.testing.assert_allclose(together, [near(row) for row in rows], atol=1e-5)
