"""How a desk in trouble is called, in virtual time; `tests/bench/bench_retry.py` takes longer."""

import pytest
from stormy_desk import weather

from connector.errors import Retry

BEGIN, LENGTH = 30.0, 600.0


def test_no_call_falls_into_the_window_that_a_429_forbade(tmp_path, desk) -> None:
    def limited(at: float) -> Retry | None:
        inside = BEGIN <= at < BEGIN + LENGTH
        return Retry("429", after=BEGIN + LENGTH - at) if inside else None

    outcome = weather(tmp_path / "state", desk, limited, tickets=60, every=2)
    [first] = [at for at in outcome.calls if BEGIN <= at < BEGIN + LENGTH]
    assert first < BEGIN + 3
    assert outcome.effects == 60


@pytest.mark.parametrize("length", [10.0, 60.0])
def test_a_desk_that_is_down_half_of_the_time_is_called_little_more(tmp_path, desk, length) -> None:
    def half(at: float) -> Retry | None:
        return Retry("503") if int(at / length) % 2 else None

    outcome = weather(tmp_path / "state", desk, half, tickets=120, every=0.01)
    assert outcome.effects == 120
    assert outcome.calls_per_effect <= 1.6
