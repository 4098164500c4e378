import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.strictjson import DEEPEST, read
from connector.errors import Unreadable


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"id": NaN}', "NaN"),
        (b'{"id": -Infinity}', "NaN"),
        (b'{"id": 1, "id": 2}', "twice"),
        (b'{"a": {"id": 1, "\\u0069d": 2}}', "twice"),
        (b'{"id": "1\\u0000"}', "NUL"),
        (b'{"i\\u0000d": 1}', "NUL"),
        (b'{"id": "\\ud800"}', "surrogate"),
        (b'[["\\udc00\\ud800"]]', "surrogate"),
        (b'{"id": 1' + b"0" * 40 + b"}", "too long"),
        (b"9" * 5000, "too long"),
        (b"1e999", "too large"),
        (b"1." + b"0" * 40, "too long"),
        (nested(DEEPEST + 1), "levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "levels"),
        (nested(100_000), "levels"),
        (b'{"id": "1\0"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ('{"id": 1}'.encode("utf-16"), "not JSON"),
        ('{"id": 1}'.encode("utf-32-le"), "not JSON"),
        (b'{"id": "\xed\xa0\x80"}', "not JSON"),
        (b'{"id": "\xc0\xaf"}', "not JSON"),
        (b'{"id": "\xff"}', "not JSON"),
        (b"{'id': 1}", "not JSON"),
        (b'{"id": 1,}', "not JSON"),
        (b'{"id": 1} {}', "not JSON"),
        (b'{"id": 01}', "not JSON"),
        (b'{"id": "\n"}', "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_can_be_understood_in_two_ways_is_not_read(body, why) -> None:
    with pytest.raises(Unreadable, match=why):
        read(body)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"id": "4711"}', {"id": "4711"}),
        (b' {"a": [1, -2.5, 1e3, true, null]} ', {"a": [1, -2.5, 1000.0, True, None]}),
        ('{"Grüße": "温度 \\ud83d\\ude00"}'.encode(), {"Grüße": "温度 😀"}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        (b"18446744073709551615", 18446744073709551615),
    ],
)
def test_what_is_plain_is_read(body, found) -> None:
    assert read(body) == found


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert json.dumps(read(nested(DEEPEST))).encode() == nested(DEEPEST)


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(body) -> None:
    with suppress(Unreadable):
        read(body)
