import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from classifiers.dial import promised, promises, steps, wilson_low

LABELS = ("network", "printing")


def test_the_bound_is_wilsons() -> None:
    # 45 of 50, one-sided 95 %: computed by hand from the formula.
    assert wilson_low(np.array([45.0]), np.array([50.0]))[0] == pytest.approx(0.8086, abs=5e-4)


def test_all_right_promises_more_the_more_there_are() -> None:
    def best(count: int) -> float:
        return promised(steps(np.full(count, 0.9), np.ones(count, bool)), 0.9)

    assert best(51) < 0.95 <= best(52)
    assert best(10) < best(20) < best(1000) < 1.0


def test_a_promise_starts_where_the_wrong_answers_end() -> None:
    sure = np.concatenate([np.full(100, 0.99), np.full(100, 0.6)])
    right = np.concatenate([np.ones(100, bool), np.arange(100) % 2 == 0])
    fitted = steps(sure, right)
    assert promised(fitted, 0.99) > 0.95
    assert 0.6 < promised(fitted, 0.6) < 0.8
    assert promised(fitted, 0.59) == 0.0
    # Nothing was held out in between: what holds from .6 on holds there, and no more.
    assert promised(fitted, 0.8) == promised(fitted, 0.6)


def test_answers_that_are_equally_sure_are_promised_alike() -> None:
    sure = np.full(60, np.float32(0.97))
    fitted = steps(sure, np.arange(60) > 2)
    assert len(fitted) == 1
    assert promised(fitted, float(np.float32(0.97))) == fitted[0][1]


def test_each_label_has_its_own_promise_and_one_never_given_has_none() -> None:
    shares = np.tile(np.array([[0.9, 0.1]], np.float32), (80, 1))
    fitted = promises(shares, np.zeros(80, np.intp), LABELS)
    assert promised(fitted["network"], 0.9) > 0.95
    assert fitted["printing"] == ()
    assert promised(fitted["printing"], 1.0) == 0.0


@given(some.lists(some.tuples(some.floats(0, 1), some.booleans()), max_size=60))
def test_more_confidence_never_promises_less(answers: list[tuple[float, bool]]) -> None:
    sure = np.array([confidence for confidence, _ in answers])
    fitted = steps(sure, np.array([right for _, right in answers], bool))
    asked = [promised(fitted, confidence) for confidence in np.linspace(0, 1, 21)]
    assert asked == sorted(asked)
    assert all(list(line) == sorted(line) for line in zip(*fitted, strict=True))


def test_a_promise_is_kept_in_nine_of_ten_histories() -> None:
    """The threshold is chosen on the very answers that bound it: that must not cost the bound."""
    draw, asked, broken, made = np.random.default_rng(7), 0.9, 0, 0
    everyone = draw.beta(6, 1, 100_000)
    for _ in range(300):
        chance = draw.choice(everyone, 400)
        fitted = steps(chance, draw.random(400) < chance)
        least = next((least for least, bound in fitted if bound >= asked), None)
        if least is not None:
            made += 1
            broken += everyone[everyone >= least].mean() < asked
    assert made > 250
    assert broken / made < 0.1
