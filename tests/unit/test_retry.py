"""The retry policy: what follows which error, how long, and until when."""

import random

import pytest
from by_hand import ACME, HandDaemon
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigError, Conflict, Gone, Rejected, Retry, Unauthorized
from connector.retry import (
    AFTER_A_CALL,
    AFTER_A_WRITE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LONGEST_TRY,
    MOST_ATTEMPTS,
    Then,
    backoff,
    gives_up,
    pause,
    then,
)


class SomeRefusal(Rejected):
    """A refusal of a narrower kind."""


@pytest.mark.parametrize(
    ("error", "after_a_call", "after_a_write"),
    [
        (Retry(), Then.PAUSE_TENANT, Then.PAUSE_TENANT),
        (Unauthorized(), Then.STOP_TENANT, Then.STOP_TENANT),
        (ConfigError("x"), Then.STOP_TENANT, Then.STOP_TENANT),
        (Rejected(), Then.PAUSE_TENANT, Then.SET_ASIDE),
        (SomeRefusal(), Then.PAUSE_TENANT, Then.SET_ASIDE),
        (Conflict(), Then.RETRY_TICKET, Then.RETRY_TICKET),
        (Gone(), Then.CLOSE_TICKET, Then.CLOSE_TICKET),
        (ValueError(), Then.RETRY_TICKET, Then.RETRY_TICKET),
    ],
)
def test_an_error_says_what_happens_next(error, after_a_call, after_a_write) -> None:
    assert then(error, AFTER_A_CALL) is after_a_call
    assert then(error, AFTER_A_WRITE) is after_a_write


@pytest.mark.parametrize(
    "error",
    [Retry("503"), Unauthorized("401"), Rejected("422"), Conflict("409"), Gone("404"), KeyError()],
)
def test_the_daemon_does_after_a_write_what_the_table_says(
    daemon: HandDaemon, adapter, store, error, monkeypatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(adapter, "write", refuse)
    adapter.arrive("network down", "no network since eight")
    daemon.round()
    [overview] = store.overview()
    [state] = overview.states
    paused = daemon.roster.desk(ACME) is None
    stopped = bool(daemon.roster.stopped())
    assert {
        (True, False, False): Then.PAUSE_TENANT,
        (True, True, False): Then.STOP_TENANT,
        (False, False, False): Then.RETRY_TICKET,
        (False, False, True): Then.SET_ASIDE if state == "dead" else Then.CLOSE_TICKET,
    }[paused, stopped, state in {"dead", "done"}] is then(error, AFTER_A_WRITE)


@given(st.integers(min_value=0, max_value=10**6), st.floats(min_value=0, max_value=1))
def test_a_pause_is_drawn_from_nothing_to_a_doubling_bound(failures: int, share: float) -> None:
    waited = backoff(failures, lambda low, high: low + share * (high - low))
    bound = backoff(failures, lambda _, high: high)
    assert 0 <= waited <= bound <= LONGEST_PAUSE
    assert bound >= FIRST_PAUSE
    assert backoff(failures + 1, lambda _, high: high) >= bound


def test_the_bound_doubles_from_two_seconds_to_a_quarter_of_an_hour() -> None:
    bounds = [backoff(failures, lambda _, high: high) for failures in range(1, 12)]
    assert bounds == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


@given(st.integers(1, 50), st.floats(min_value=1, max_value=10**6), st.randoms())
def test_a_desk_is_never_asked_sooner_than_it_said(
    failures: int, after: float, jitter: random.Random
) -> None:
    assert pause(failures, Retry(after=after), jitter.uniform) == after


@pytest.mark.parametrize(
    ("failures", "age", "ends"),
    [
        (1, 0, False),
        (MOST_ATTEMPTS - 1, 0, False),
        (MOST_ATTEMPTS, 0, True),
        (2, LONGEST_TRY - 1, False),
        (2, LONGEST_TRY, True),
        (1, 10 * LONGEST_TRY, False),
    ],
)
def test_a_ticket_is_given_up_after_twelve_tries_or_a_day(failures, age, ends) -> None:
    assert gives_up(failures, age) is ends
