import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as some

from classifiers.calibration import Calibration, Isotonic, Temperature
from classifiers.ensemble import Described, Distance, Distilbert, Energy, Ensemble, averaged
from classifiers.heads import Pass, View
from classifiers.zeroshot import Calibration as Sharpness
from classifiers.zeroshot import Space, describe
from connector.model import Aspect

LABELS = ("negative", "neutral", "positive")
VECTORS = {"cross": [1.0, 0.0], "plain": [0.0, 1.0], "glad": [-1.0, 0.0]}


def tuned(*logits: float, language: str = "") -> View:
    told = Pass(
        states=np.array([[1.0, 0.0]], np.float32), outputs={"mood": np.array(logits, np.float32)}
    )
    vector = np.array([1.0, 0.0], np.float32)
    return View(vector=vector, passes={"own": told}, language=language)


MOOD = Distilbert(encoder="own", output="mood", temperature=1.0)
LIKENESS = Described(
    likeness=describe(
        {"negative": ["cross"], "neutral": ["plain"], "positive": ["glad"]},
        embed=lambda texts: [np.array(VECTORS[text], np.float32) for text in texts],
        space=Space(mean=np.zeros(2, np.float32)),
        calibration=Sharpness(sharpness=20.0, nothing=0.1),
    )
)
PLAIN = Temperature(value=1.0)


def ensemble(**changes: object) -> Ensemble:
    whole = {
        "aspect": Aspect.SENTIMENT,
        "labels": LABELS,
        "members": (MOOD,),
        "shares": (1.0,),
        "calibration": PLAIN,
        "abstain_below": 0.5,
    }
    return Ensemble(**whole | changes)  # type: ignore[arg-type]


def test_a_mixture_of_two_answers_adds_up_to_one() -> None:
    learnt = np.array([[0.7, 0.2, 0.1]], np.float32)
    described = np.array([[0.1, 0.3, 0.1]], np.float32)
    assert averaged([learnt, described], (0.5, 0.5)).sum() == pytest.approx(1.0)


def test_shares_say_how_much_each_member_counts() -> None:
    one, other = np.array([0.9, 0.1], np.float32), np.array([0.1, 0.9], np.float32)
    assert averaged([one, other], (0.75, 0.25)).tolist() == pytest.approx([0.7, 0.3])


def test_a_text_that_resembles_nothing_is_not_answered_by_the_head_alone() -> None:
    learnt = np.array([0.98, 0.01, 0.01], np.float32)
    nothing = np.zeros(3, np.float32)
    assert averaged([learnt, nothing], (0.5, 0.5)) == pytest.approx(1 / 3, abs=1e-5)


def test_an_ensemble_with_descriptions_explains_itself_by_the_closest_one() -> None:
    given = ensemble(members=(MOOD, LIKENESS), shares=(0.5, 0.5)).predict(tuned(3.0, 0.0, 0.0))
    assert given.label == "negative"
    assert "cross" in given.reason


def test_a_language_that_was_not_measured_is_abstained_on_and_an_unknown_one_is_not() -> None:
    one = ensemble(languages=("en", "fr"))
    foreign = one.predict(tuned(9.0, 0.0, 0.0, language="it"))
    assert foreign.label is None
    assert "Italian" in foreign.reason
    assert foreign.ranking[0] == ("negative", foreign.confidence)
    for language in ("en", "fr", ""):
        assert one.predict(tuned(9.0, 0.0, 0.0, language=language)).label == "negative"


def test_a_language_may_need_more_confidence_than_the_others() -> None:
    one = ensemble(languages=("en", "fr"), bars={"fr": 0.8})
    likely, likelier = tuned(1.5, 0.0, 0.0, language="fr"), tuned(2.5, 0.0, 0.0, language="fr")
    doubted = one.predict(likely)
    assert 0.5 < doubted.confidence < 0.8
    assert doubted.label is None
    assert doubted.reason.startswith("Not sure enough for a text in French; it leans to negative")
    assert one.predict(likelier).label == "negative"
    for language in ("en", ""):
        assert one.predict(tuned(1.5, 0.0, 0.0, language=language)).label == "negative"


def test_without_measured_languages_every_language_is_answered() -> None:
    assert ensemble().predict(tuned(9.0, 0.0, 0.0, language="it")).label == "negative"


def test_logits_that_hold_too_little_are_out_of_scope() -> None:
    one = ensemble(scope=Energy(member=0, threshold=4.0))
    assert one.predict(tuned(5.0, 0.0, 0.0)).label == "negative"
    far = one.predict(tuned(3.0, -9.0, -9.0))
    assert far.label is None
    assert far.confidence > 0.99
    assert "unlike anything" in far.reason


def test_a_text_far_from_every_class_is_out_of_scope() -> None:
    near = np.array([[0.8, 0.6], [0.0, -1.0]], np.float32)
    for centroids, label in ((near, "negative"), (-near, None)):
        scope = Distance(encoder="own", state=0, centroids=centroids, threshold=0.3)
        assert ensemble(scope=scope).predict(tuned(5.0, 0.0, 0.0)).label == label


SHARES = some.lists(some.floats(0.001, 1), min_size=2, max_size=12)
CALIBRATIONS = some.one_of(
    some.floats(0.2, 5).map(lambda value: Temperature(value=value)),
    some.tuples(some.floats(0, 0.6), some.floats(0.6, 1)).map(
        lambda ends: Isotonic(x=(0.0, 1.0), y=ends)
    ),
)


@drawn(SHARES, CALIBRATIONS, some.floats(0.3, 1))
def test_calibration_keeps_the_best_label_and_never_passes_one(
    raw: list[float], calibration: Calibration, whole: float
) -> None:
    shares = (np.array(raw) / sum(raw) * whole).astype(np.float32)
    given = calibration.apply(shares)
    assert np.isfinite(given).all()
    assert given.min() >= 0
    assert given.sum() <= 1 + 1e-4
    assert given[shares.argmax()] == given.max()


def test_a_temperature_keeps_what_belongs_to_none_of_the_labels() -> None:
    given = Temperature(value=2.0).apply(np.array([0.04, 0.0], np.float32))
    assert given[0] == pytest.approx(0.2 / (0.2 + 0.96**0.5), abs=1e-3)


def test_an_isotonic_line_moves_the_top_and_scales_the_rest() -> None:
    line = Isotonic(x=(0.5, 1.0), y=(0.6, 0.8))
    given = line.apply(np.array([[0.75, 0.2, 0.05]], np.float32))
    assert given[0].tolist() == pytest.approx([0.7, 0.24, 0.06])
