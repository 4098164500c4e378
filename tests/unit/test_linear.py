import json

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as some

from classifiers.linear import LONGEST, LinearText, Vocabulary, character_grams, trim, word_grams
from connector.errors import BadBundle


def test_words_are_counted_alone_and_in_pairs() -> None:
    assert list(word_grams("The VPN is a pain")) == [
        *("the", "vpn", "is", "pain"),
        *("the vpn", "vpn is", "is pain"),
    ]


def test_a_short_word_is_counted_whole_once() -> None:
    assert list(character_grams("a")) == [" a", "a ", " a "]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"words": {}}',
        b'{"words": {"a": 0}, "characters": {"b": 2}}',
        b'{"words": {"a": 0}, "characters": {"b": 0}}',
        b'{"words": {"a": true}, "characters": {"b": 0}}',
        b'{"words": {"a": -1}, "characters": {"b": 0}}',
    ],
)
def test_a_vocabulary_without_a_place_for_each_is_refused(content: bytes) -> None:
    with pytest.raises(BadBundle):
        Vocabulary.parse(content)


def test_a_vocabulary_survives_being_written() -> None:
    one = Vocabulary(words={"vpn": 0}, characters={" v": 1, "vé": 2})
    other = Vocabulary.parse(one.render())
    assert (other.words, other.characters) == (one.words, one.characters)
    assert json.loads(one.render())["characters"]["vé"] == 2


def test_a_long_text_keeps_both_ends() -> None:
    text = "a" * LONGEST + "b"
    assert len(trim(text)) == LONGEST + 1
    assert trim(text).endswith("ab")
    assert trim("short") == "short"


WORDS = some.lists(
    some.sampled_from(
        ["VPN", "Straße", "down", "a", "é", "can't", "x1_2", "\n", "  ", "\x1c", "İ"]
    ),
    max_size=20,
)


@pytest.mark.train
def test_it_is_what_scikit_learn_would_say() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear = pytest.importorskip("sklearn.linear_model")
    pipeline = pytest.importorskip("sklearn.pipeline")
    texts = ["VPN down again", "the printer in Straße 5 is down", "can't print", "vpn é x1_2 a"] * 3
    words = text.TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    pieces = text.TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5))
    union = pipeline.make_union(words, pieces)
    model = linear.LogisticRegression(C=10.0).fit(
        union.fit_transform(texts), ["net", "print", "print", "mail"] * 3
    )
    start = len(words.vocabulary_)
    vocabulary = Vocabulary(
        words={gram: int(place) for gram, place in words.vocabulary_.items()},
        characters={gram: start + int(place) for gram, place in pieces.vocabulary_.items()},
    )
    ours = LinearText(
        vocabulary=Vocabulary.parse(vocabulary.render()),
        idf=np.concatenate([words.idf_, pieces.idf_]).astype(np.float32),
        weights=model.coef_.T.astype(np.float32),
        bias=model.intercept_.astype(np.float32),
        temperature=1.0,
    )

    @drawn(WORDS)
    def agrees(drawn_words: list[str]) -> None:
        asked = " ".join(drawn_words)
        expected = model.predict_proba(union.transform([asked]))[0]
        np.testing.assert_allclose(ours.probabilities(asked), expected, atol=1e-5)

    agrees()
