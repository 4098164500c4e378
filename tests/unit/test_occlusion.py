"""The words that an answer rests on, against models of which it is known."""

import math
from collections.abc import Mapping, Sequence

import pytest

from connector.model import Aspect, Prediction, Reading
from connector.occlusion import SHOWN, words

MOOD = {Aspect.SENTIMENT: "negative"}
CATEGORY = {Aspect.CATEGORY: "network"}


class Additive:
    """A model whose log-odds of one label per aspect are a sum over the words that it knows."""

    def __init__(self, weights: Mapping[Aspect, tuple[str, Mapping[str, float]]]) -> None:
        self._weights = weights
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        self.asked += texts
        return [self._read(set(text.casefold().replace(".", " ").split())) for text in texts]

    def _read(self, said: set[str]) -> Reading:
        return Reading(
            predictions=tuple(
                Prediction(
                    aspect=aspect,
                    label=label,
                    confidence=share,
                    ranking=((label, share), ("else", 1 - share)),
                )
                for aspect, (label, known) in self._weights.items()
                for share in [1 / (1 + math.exp(-sum(known.get(word, 0.0) for word in said)))]
            )
        )


def filler(count: int) -> str:
    return " ".join(f"filler{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count))


@pytest.fixture
def model() -> Additive:
    return Additive(
        {
            Aspect.CATEGORY: ("network", {"vpn": 2.0, "tunnel": 1.0, "printer": -1.5}),
            Aspect.SENTIMENT: ("negative", {"terrible": 3.0, "vpn": 0.01}),
        }
    )


@pytest.mark.parametrize("count", [3, 200])
def test_words_that_matter_are_found_the_weightiest_first(model: Additive, count: int) -> None:
    text = f"The tunnel {filler(count)} printer and vpn. VPN is terrible {filler(count)}"
    told = words(model, text, CATEGORY | MOOD)
    assert told == {Aspect.CATEGORY: ["vpn", "tunnel"], Aspect.SENTIMENT: ["terrible"]}


def test_all_occurrences_of_a_word_go_together(model: Additive) -> None:
    words(model, "VPN here, vpn there", CATEGORY)
    assert "VPN here, vpn there" in model.asked
    assert not any(text.casefold().count("vpn") == 1 for text in model.asked)


def test_a_long_text_costs_few_readings(model: Additive) -> None:
    words(model, filler(200), CATEGORY | MOOD)
    assert len(model.asked) <= 1 + 2 * math.sqrt(2 * 2 * 200) + 8
    model.asked.clear()
    words(model, filler(10), CATEGORY)
    assert len(model.asked) == 11, "a short one is asked about word by word"


def test_what_hardly_matters_is_not_named(model: Additive) -> None:
    assert words(model, "vpn it is", MOOD) == {Aspect.SENTIMENT: []}


def test_no_more_words_are_named_than_are_read() -> None:
    many = {f"word{chr(97 + n)}": 1.0 + n / 10 for n in range(8)}
    told = words(Additive({Aspect.CATEGORY: ("network", many)}), " ".join(many), CATEGORY)
    assert told[Aspect.CATEGORY] == sorted(many, reverse=True)[:SHOWN]


@pytest.mark.parametrize("text", ["", "   ", "4711 :-) 12"])
def test_a_text_without_words_rests_on_none(model: Additive, text: str) -> None:
    assert words(model, text, CATEGORY) == {Aspect.CATEGORY: ()}
    assert model.asked == []


def test_nothing_is_asked_for_no_answer(model: Additive) -> None:
    assert words(model, "vpn is down", {}) == {}
    assert model.asked == []


def test_a_label_that_the_model_does_not_rank_rests_on_nothing(model: Additive) -> None:
    assert words(model, "vpn is down", {Aspect.CATEGORY: "unknown"}) == {Aspect.CATEGORY: []}
