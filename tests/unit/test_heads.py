import numpy as np
import pytest

from classifiers.blend import Blend, mixed
from classifiers.heads import LinearHead, View, ranked, softmax
from classifiers.zeroshot import Calibration, Space, describe
from connector.model import Aspect

LABELS = ("negative", "neutral", "positive")


def head(temperature: float = 1.0, abstain_below: float = 0.5) -> LinearHead:
    weights = np.zeros((3, 4), np.float32)
    weights[0, 0] = weights[1, 1] = weights[2, 2] = 2.0
    return LinearHead(
        aspect=Aspect.SENTIMENT,
        labels=LABELS,
        states=(0, 2),
        weights=weights,
        bias=np.zeros(3, np.float32),
        temperature=temperature,
        abstain_below=abstain_below,
    )


def view(first: tuple[float, float], third: tuple[float, float]) -> View:
    states = np.array([first, (9.0, 9.0), third], np.float32)
    return View(states=states, vector=np.array([1.0, 0.0], np.float32))


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


def test_a_mixture_of_two_answers_adds_up_to_one() -> None:
    learnt = np.array([[0.7, 0.2, 0.1]], np.float32)
    described = np.array([[0.1, 0.3, 0.1]], np.float32)
    assert mixed(learnt, described, 0.7).sum() == pytest.approx(1.0)


def test_a_text_that_resembles_nothing_is_not_answered_by_the_head_alone() -> None:
    learnt = np.array([0.98, 0.01, 0.01], np.float32)
    nothing = np.zeros(3, np.float32)
    assert mixed(learnt, nothing, 1.0) == pytest.approx(1 / 3, abs=1e-5)


def test_a_blend_explains_itself_by_the_closest_description() -> None:
    vectors = {"cross": [1.0, 0.0], "plain": [0.0, 1.0], "glad": [-1.0, 0.0]}
    likeness = describe(
        Aspect.SENTIMENT,
        {"negative": ["cross"], "neutral": ["plain"], "positive": ["glad"]},
        embed=lambda texts: [np.array(vectors[text], np.float32) for text in texts],
        space=Space(mean=np.zeros(2, np.float32)),
        calibration=Calibration(sharpness=20.0, nothing=0.1),
        abstain_below=0.5,
    )
    blend = Blend(head=head(), likeness=likeness, temperature=1.0)
    given = blend.predict(view((2.0, 0.0), (0.0, 0.0)))
    assert blend.aspect is Aspect.SENTIMENT
    assert given.label == "negative"
    assert "cross" in given.reason
