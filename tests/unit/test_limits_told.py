"""What a desk tells of its limits, in every spelling, and the budget that follows from it."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from conftest import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from adapters.allowance import FREE, LONGEST_WAIT, RESERVE, Allowance
from adapters.limits import (
    LONGEST_PAUSE,
    UNTOLD_PAUSE,
    Limit,
    retry_after,
    told_date,
    told_limit,
    told_pause,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOON = NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        ("7.", 7.0),
        (".5", 0.5),
        ("+7", 7.0),
        (" 7 ", 7.0),
        ("-1", 0.0),
        ("-0.5", 0.0),
        ("99999999", LONGEST_PAUSE),
        ("9" * 350, LONGEST_PAUSE),
        ("-" + "9" * 350, 0.0),
        ("7, 120", 120.0),
        ("120, soon", 120.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60.0),
        ("Fri Jan  2 03:05:05 2026", 60.0),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60.0),
        ("Fri, 02 Jan 2026 04:05:05 +0100", 60.0),
        ("Fri, 02 Jan 2026 03:03:05 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", LONGEST_PAUSE),
        ("2026-01-02T03:05:05Z", 60.0),
        ("2026-01-02T03:05:05", 60.0),
        ("2026-01-02Tsoon", None),
        ("", None),
        ("soon", None),
        ("soon, later", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("٧", None),
        ("0x10", None),
        ("Fri, 99 Foo 2026", None),
        ("Fri, 02 Jan 2026 03:05:05 +99999999999", None),
    ],
)
def test_retry_after_is_read_in_every_spelling(told: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": told}, NOW) == seconds


def test_retry_after_may_be_missing() -> None:
    assert retry_after({}, NOW) is None


@given(st.text() | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str))
def test_no_retry_after_is_a_crash_or_out_of_bounds(told: str) -> None:
    seconds = retry_after({"Retry-After": told}, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_PAUSE


@given(
    st.integers(min_value=0, max_value=int(LONGEST_PAUSE)),
    st.sampled_from(
        [
            str,
            lambda seconds: f"{seconds}.0",
            lambda seconds: format_datetime(NOW + timedelta(seconds=seconds), usegmt=True),
            lambda seconds: f"{NOW + timedelta(seconds=seconds):%A, %d-%b-%y %H:%M:%S} GMT",
            lambda seconds: f"{NOW + timedelta(seconds=seconds):%a %b %e %H:%M:%S %Y}",
            lambda seconds: f"{NOW + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}",
        ]
    ),
)
def test_every_spelling_of_a_time_means_the_same(seconds: int, spell) -> None:
    assert retry_after({"Retry-After": spell(seconds)}, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({"x-rate-limit": "700", "x-rate-limit-remaining": "699"}, (699, 700, UNTOLD_PAUSE)),
        (
            {"ratelimit-limit": "700", "ratelimit-remaining": "3", "ratelimit-reset": "41"},
            (3, 700, 41),
        ),
        (
            {"x-ratelimit-remaining": "3", "x-ratelimit-reset": f"{SOON.timestamp():.0f}"},
            (3, 0, 60),
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "2026-01-02T03:05:05Z"}, (3, 0, 60)),
        (
            {"x-ratelimit-limit": "100", "x-ratelimit-reset": f"{SOON.timestamp():.0f}"},
            (None, 100, 60),
        ),
        ({"ratelimit-remaining": "-2", "ratelimit-reset": "-5"}, (0, 0, 0)),
    ],
)
def test_what_is_left_is_read_from_each_platforms_headers(headers, limit) -> None:
    told = told_limit(headers, NOW)
    assert told is not None
    assert (told.remaining, told.limit, told.reset) == limit


@pytest.mark.parametrize("told", ["", "many", "nan"])
def test_a_limit_that_cannot_be_read_is_none(told: str) -> None:
    assert told_limit({"ratelimit-remaining": told}, NOW) is None


def test_a_refusal_without_retry_after_means_the_reset() -> None:
    used_up = {"ratelimit-remaining": "0", "ratelimit-reset": "41"}
    assert told_pause(used_up, NOW) == 41
    assert told_pause({**used_up, "Retry-After": "9"}, NOW) == 9
    assert told_pause({**used_up, "ratelimit-remaining": "5"}, NOW) is None


def test_a_refusal_that_tells_only_the_reset_means_that() -> None:
    told = {"x-ratelimit-limit": "100", "x-ratelimit-reset": f"{SOON.timestamp():.0f}"}
    assert told_pause(told, NOW) == 60


@pytest.mark.parametrize("told", [{"x-ratelimit-limit": "100"}, {"x-ratelimit-reset": "60"}, {}])
def test_half_a_limit_is_none(told: dict[str, str]) -> None:
    assert told_limit(told, NOW) is None


def test_without_a_word_of_the_desk_nothing_is_held_back(clock: FakeClock) -> None:
    allowance = Allowance(clock)
    assert {(allowance.closed(), allowance.take()) for _ in range(1000)} == {(0, 0)}


def test_a_share_of_the_limit_is_left_to_others_and_the_rest_is_spread(clock: FakeClock) -> None:
    allowance = Allowance(clock)
    allowance.note(Limit(remaining=100, limit=100, reset=60))
    waits: list[float] = []
    while not allowance.closed():
        waits.append(allowance.take())
        clock.pass_time(waits[-1] + 0.001)
    assert len(waits) == 100 * (1 - RESERVE)
    assert not any(waits[: round(100 * (1 - RESERVE - FREE))])
    assert all(0 < wait <= LONGEST_WAIT for wait in waits[-round(100 * (FREE - RESERVE)) + 1 :])


def test_an_empty_budget_is_full_again_at_its_reset(clock: FakeClock) -> None:
    allowance = Allowance(clock)
    allowance.note(Limit(remaining=0, limit=100, reset=41))
    assert allowance.closed() == 41
    clock.pass_time(41)
    assert (allowance.closed(), allowance.take()) == (0, 0)


def told(clock: FakeClock, reset: float) -> Limit:
    return Limit(remaining=None, limit=100, reset=reset - clock.monotonic())


def test_a_desk_that_tells_no_rest_has_its_calls_counted_here(clock: FakeClock) -> None:
    """ServiceNow names the limit of the hour and when it ends, and nothing else."""
    allowance = Allowance(clock)
    end = clock.monotonic() + 3600
    allowance.take()
    calls = 1
    while not allowance.closed():
        allowance.note(told(clock, end + calls % 2))
        calls += 1
        clock.pass_time(allowance.take())
    assert calls == 100 * (1 - RESERVE)
    clock.pass_time(allowance.closed())
    assert allowance.closed() == 0
    allowance.note(told(clock, end + 3600))
    assert (allowance.closed(), allowance.take()) == (0, 0)


@given(st.lists(st.floats(min_value=0, max_value=3600), min_size=1, max_size=8))
def test_the_longest_pause_that_was_told_holds(pauses: list[float]) -> None:
    clock = FakeClock()
    allowance = Allowance(clock)
    for pause in pauses:
        allowance.pause(pause)
    assert math.isclose(allowance.closed(), max(pauses), abs_tol=1e-4)


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        ("Fri, 02 Jan 2026 03:04:05 GMT", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("Friday, 02-Jan-26 03:04:05 GMT", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_time_of_an_answer_is_read(told: str, moment: datetime | None) -> None:
    assert told_date({"Date": told} if told else {}) == moment
