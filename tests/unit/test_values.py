from datetime import UTC, datetime

import pytest

from adapters.values import is_number, plain, same, time_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (None, ()),
        (" network ", "network"),
        (7, "7"),
        (True, "true"),
        (("b", "a "), ("a", "b")),
    ],
)
def test_spellings_of_one_value_are_the_same(one, other) -> None:
    assert same(one, other)
    assert plain(one) == plain(other)


@pytest.mark.parametrize(("one", "other"), [(0, None), ("a", ("a",)), ("A", "a"), (False, None)])
def test_other_values_are_not(one, other) -> None:
    assert not same(one, other)


def test_a_number_is_ascii_and_fits_into_a_database() -> None:
    assert is_number("9" * 18)
    for wrong in ("", "9" * 19, "-1", "1.0", "1 ", "\u0664\u0662", "\uff11", "1\n"):
        assert not is_number(wrong), wrong


def test_a_time_is_utc_and_within_the_calendar() -> None:
    wanted = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for told in ("2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02 03:04:05"):
        assert time_of(told) == wanted
    for wrong in ("", "soon", None, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(ValueError):  # noqa: PT011 each has words of its own
            time_of(wrong)
