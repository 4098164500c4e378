"""The short form of `nemesis.py`: each trouble once, and nothing is lost or done twice."""

import pytest
from nemesis import play
from postgresql import programs
from powercut import compiler

MOST = 35.0
"""Seconds in which another daemon has done what a dead one had in hand."""


@pytest.mark.timeout(400)
@pytest.mark.skipif(programs() is None, reason="no PostgreSQL server's programs are installed")
@pytest.mark.skipif(compiler() is None, reason="no C compiler is installed")
def test_daemons_that_share_a_database_lose_and_repeat_nothing(tmp_path) -> None:
    sums = play(tmp_path, minutes=0)
    assert (sums.lost, sums.wrong, sums.repeated) == (0, 0, 0)
    assert min(sums.kills, sums.stops, sums.server_stops, sums.cuts, sums.wrong_clocks) > 0
    assert min(sums.acknowledged, sums.polled) > 0
    assert 0 < sums.resumed <= MOST
