"""What training weighs, batches and chooses, without a checkpoint."""

import numpy as np
import pytest

pytestmark = pytest.mark.train
pytest.importorskip("torch")
pytest.importorskip("sklearn")

from classifiers.training.choose import Tried, simplest  # noqa: E402
from classifiers.training.rungs import HeadsRung, Lesson, LinearRung  # noqa: E402
from classifiers.training.tune import batches, class_weights  # noqa: E402


def test_rare_classes_weigh_more_but_not_all_of_it() -> None:
    weights = class_weights(np.array([0] * 90 + [1] * 10, np.intp), 3)
    assert weights[1] / weights[0] == pytest.approx(3)
    assert weights[2] == 0
    assert (weights[0] * 90 + weights[1] * 10) / 100 == pytest.approx(1)


def test_every_row_is_in_one_batch_and_lengths_lie_together() -> None:
    draw = np.random.default_rng(1)
    tokens = [[1] * length for length in draw.integers(2, 100, 200)]
    cut = list(batches(tokens, 16, draw))
    assert sorted(np.concatenate(cut)) == list(range(200))
    spread = [max(len(tokens[p]) for p in one) - min(len(tokens[p]) for p in one) for one in cut]
    assert np.mean(spread) < 30


def test_the_simplest_that_is_not_surely_worse_is_taken() -> None:
    def tried(rung: object, *scores: float) -> Tried:
        return Tried(rungs=(rung,), temperatures=(), logits=(), scores=scores)

    simple = tried(LinearRung(), 0.60, 0.90, 0.70)
    better = tried(HeadsRung(), 0.64, 0.93, 0.75)  # on every fold, though folds differ by more
    chance = tried(HeadsRung(), 0.70, 0.80, 0.76)
    assert simplest([simple, better]) is better
    assert simplest([simple, chance]) is simple


def test_a_number_of_the_encoder_that_never_moves_is_no_feature() -> None:
    draw = np.random.default_rng(1)
    gold = np.arange(120) % 3
    states = (np.eye(3)[gold] + draw.normal(0, 0.1, (120, 3))).astype(np.float32)
    still = np.full((120, 1), 0.5, np.float32) + draw.normal(0, 1e-7, (120, 1)).astype(np.float32)
    asked = Lesson(texts=(), states=np.hstack([states, still]))
    learnt = HeadsRung().learn(asked, gold, 3, 1)
    assert not learnt.weights[:, 3].any()
    assert (learnt.logits(asked).argmax(axis=1) == gold).all()
