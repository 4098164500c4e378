"""The short form of `kill9.py`: a daemon that may be killed at any moment keeps its promise."""

import pytest
from kill9 import play
from postgresql import programs

KILLS = 20


@pytest.mark.timeout(180)
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_kill_loses_changes_or_repeats_anything(store, tmp_path) -> None:
    if store == "postgresql" and programs() is None:
        pytest.skip("no PostgreSQL server's programs are installed (Debian: postgresql)")
    sums = play(tmp_path, kills=KILLS, store=store)
    assert (sums.lost, sums.wrong, sums.repeated) == (0, 0, 0)
    assert sums.kills == KILLS
    assert min(sums.in_calls, sums.acknowledged, sums.polled) > 0
    assert sums.puts >= sums.acknowledged + sums.polled
