from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from classifiers.bundle import SHIPPED
from classifiers.encoder import Encoder, Window
from connector.errors import BadBundle

WINDOW = Window(tokens=256, tail=64)
MODEL = (SHIPPED / "model.onnx").read_bytes()
TOKENIZER = (SHIPPED / "tokenizer.json").read_bytes()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(model=MODEL, tokenizer=TOKENIZER, window=WINDOW, threads=2)


TEXTS = [
    "The printer on the third floor jams.",
    "VPN",
    "Bitte legen Sie ein Konto für die neue Kollegin an.",
    "word " * 900,
]


def test_results_are_in_the_order_of_the_texts(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS * 3)
    for place, text in enumerate(TEXTS * 3):
        (alone,) = encoder.encode([text])
        assert alone is not None
        np.testing.assert_array_equal(together[place], alone)


def test_the_longest_text_is_begun_first_and_results_keep_their_order() -> None:
    encoder = Encoder(model=MODEL, tokenizer=TOKENIZER, window=WINDOW, threads=1)
    begun: list[str] = []

    def work(text: str) -> str:
        begun.append(text)
        return text.upper()

    assert encoder.each(work, ["bb", "a", "dddd", "ccc"]) == ["BB", "A", "DDDD", "CCC"]
    assert begun == ["dddd", "ccc", "bb", "a"]
    assert encoder.each(work, []) == []


def test_states_are_finite_and_one_per_layer_and_embedding(encoder: Encoder) -> None:
    for states in encoder.encode(TEXTS):
        assert states is not None
        assert states.shape == (7, 384)
        assert np.isfinite(states).all()


def test_several_callers_get_their_own_answers(encoder: Encoder) -> None:
    expected = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as callers:
        for given in callers.map(encoder.encode, [TEXTS] * 8):
            for one, other in zip(given, expected, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x00", "\u200b", "????!!!", "12345 678", "😀"])
def test_a_text_without_anything_to_read_gives_nothing(encoder: Encoder, text: str) -> None:
    assert encoder.encode([text]) == [None]


@pytest.mark.parametrize(
    "text",
    ["a\x00b printer", "\ud800 printer \udfff", "printer 😀 broken", "é" * 10**6, "a b " * 250_000],
)
def test_no_text_raises(encoder: Encoder, text: str) -> None:
    assert len(encoder.encode([text])) == 1
    assert len(encoder.tokens(text)) <= WINDOW.tokens


def test_a_long_text_keeps_its_beginning_and_its_end(encoder: Encoder) -> None:
    words = ["one", "two", "three", "four", "five"] * 80
    whole, kept = encoder.tokens(" ".join(words)), WINDOW
    short = encoder.tokens(" ".join(words[: kept.head]))
    assert len(whole) == kept.tokens
    assert whole[: kept.head + 1] == short[: kept.head + 1]
    assert (
        whole[-kept.tail - 1 :] == encoder.tokens(" ".join(words[-kept.tail :]))[-kept.tail - 1 :]
    )


def test_a_text_that_fits_is_not_cut() -> None:
    assert WINDOW.cut(range(256)) == list(range(256))
    assert len(WINDOW.cut(range(257))) == 256
    assert WINDOW.trim("short") == "short"


def test_the_middle_of_a_megabyte_is_never_tokenized() -> None:
    assert len(WINDOW.trim("x" * 10**6)) < 10_000


def test_a_tail_of_nothing_is_a_plain_cut() -> None:
    assert Window(tokens=10, tail=0).cut(range(20)) == [*range(9), 19]


def test_a_model_that_is_none_is_refused() -> None:
    with pytest.raises(BadBundle, match="onnxruntime"):
        Encoder(model=b"garbage", tokenizer=TOKENIZER, window=WINDOW, threads=1)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[]"])
def test_a_tokenizer_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(BadBundle, match="tokenizer"):
        Encoder(model=MODEL, tokenizer=content, window=WINDOW, threads=1)
