"""The short form of `pull_history.py`: bad weather and a kill lose no ticket of a history."""

import pytest
from pull_history import KINDS, play


@pytest.mark.parametrize("platform", sorted(KINDS.keys() - {"rest"}))
def test_a_pull_that_was_killed_has_every_ticket_once(platform, tmp_path) -> None:
    tickets = 60 if platform == "rest, plain" else 200
    sums = play(tmp_path, platform, tickets, kills=1)
    assert (sums.missing, sums.twice, sums.foreign, sums.wrong) == (0, 0, 0, 0)
    assert sums.rows == sums.resolved == tickets * 9 // 10
    assert sums.kills == 1
    assert sums.faults > 0
