"""The short form of `kill9.py`: a daemon that may be killed at any moment keeps its promise."""

import pytest
from kill9 import play

KILLS = 20


@pytest.mark.timeout(180)
def test_no_kill_loses_changes_or_repeats_anything(tmp_path) -> None:
    sums = play(tmp_path, kills=KILLS)
    assert (sums.lost, sums.wrong, sums.repeated) == (0, 0, 0)
    assert sums.kills == KILLS
    assert min(sums.in_calls, sums.acknowledged, sums.polled) > 0
    assert sums.puts >= sums.acknowledged + sums.polled
