import numpy as np
import pytest

from classifiers.calibration import Temperature
from classifiers.ensemble import Ensemble, Heads
from classifiers.heads import LinearHead, Pass, View, ranked, softmax
from connector.model import Aspect

LABELS = ("negative", "neutral", "positive")


def head(temperature: float = 1.0) -> Ensemble:
    weights = np.zeros((3, 4), np.float32)
    weights[0, 0] = weights[1, 1] = weights[2, 2] = 2.0
    linear = LinearHead(
        labels=LABELS,
        states=(0, 2),
        weights=weights,
        bias=np.zeros(3, np.float32),
        temperature=temperature,
    )
    return Ensemble(
        aspect=Aspect.SENTIMENT,
        labels=LABELS,
        members=(Heads(head=linear, encoder="shared"),),
        shares=(1.0,),
        calibration=Temperature(value=1.0),
        abstain_below=0.5,
    )


def view(first: tuple[float, float], third: tuple[float, float]) -> View:
    states = np.array([first, (9.0, 9.0), third], np.float32)
    return View(vector=np.array([1.0, 0.0], np.float32), passes={"shared": Pass(states=states)})


def test_the_likeliest_label_is_given_with_its_probability() -> None:
    given = head().predict(view((2.0, 0.0), (0.0, 0.0)))
    assert given.label == "negative"
    assert given.confidence == pytest.approx(np.e**4 / (np.e**4 + 2), abs=1e-5)
    assert given.aspect is Aspect.SENTIMENT
    assert "negative" in given.reason


def test_only_the_states_that_were_learnt_from_are_looked_at() -> None:
    given = head().predict(view((0.0, 0.0), (3.0, 0.0)))
    assert given.label == "positive"


def test_the_ranking_names_every_label_once_and_adds_up_to_one() -> None:
    given = head().predict(view((1.0, 0.5), (0.2, 0.0)))
    assert [label for label, _ in given.ranking] == ["negative", "neutral", "positive"]
    assert sum(share for _, share in given.ranking) == pytest.approx(1.0)
    assert given.ranking[0][1] == given.confidence


def test_an_unsure_head_abstains_but_tells_its_best_guess() -> None:
    given = head().predict(view((0.1, 0.0), (0.0, 0.0)))
    assert given.label is None
    assert given.ranking[0][0] == "negative"
    assert given.confidence < 0.5
    assert given.reason.startswith("Not sure enough")


def test_a_higher_temperature_makes_it_less_sure_and_changes_no_order() -> None:
    cold, warm = (head(t).predict(view((2.0, 1.0), (0.5, 0.0))) for t in (0.5, 4.0))
    assert cold.confidence > warm.confidence
    assert [label for label, _ in cold.ranking] == [label for label, _ in warm.ranking]


def test_large_scores_do_not_overflow() -> None:
    assert softmax(np.array([1e4, -1e4, 0.0], np.float32)).tolist() == [1.0, 0.0, 0.0]


def test_equal_shares_keep_the_order_of_the_labels() -> None:
    shares = np.full(3, 1 / 3, np.float32)
    assert [label for label, _ in ranked(LABELS, shares)] == list(LABELS)
