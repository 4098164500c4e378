"""The short form of `soak.py`: the books balance although the desk fails now and then."""

import pytest
from soak import soak


@pytest.mark.timeout(180)
def test_the_books_balance_over_a_failing_desk(tmp_path) -> None:
    sums = soak(tmp_path, tickets=160, every=80)
    assert sums.faults > 0
    assert sums.balanced, sums
    assert sums.files_end <= sums.files_quarter + 2
