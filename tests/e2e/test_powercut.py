"""The short form of `powercut.py`: what was acknowledged is there after any cut of the power."""

import pytest
from powercut import compiler, cut, record
from powercut_disk import Disk, read

WEBHOOKS = 360

pytestmark = pytest.mark.skipif(compiler() is None, reason="the recorder needs a C compiler")


def test_a_power_cut_damages_nothing_and_loses_nothing_acknowledged(tmp_path) -> None:
    trace = record(tmp_path, webhooks=WEBHOOKS)
    damage = cut(tmp_path, trace, cuts=300)
    assert (damage.corrupt, damage.lost) == (0, 0)
    assert (damage.cuts, damage.webhooks) == (300, WEBHOOKS)
    assert damage.checkpoints > 0
    # The record misses nothing: carried out to its end, it gives the file that the daemon left.
    disk = Disk()
    for step in read(trace):
        disk.take(step)
    [(name, content)] = disk.cut(None, luck="kept").items()
    assert content == (tmp_path / "state" / name).read_bytes()


def test_the_same_cuts_lose_acknowledged_webhooks_where_commits_are_not_synced(tmp_path) -> None:
    trace = record(tmp_path, webhooks=WEBHOOKS // 6, synchronous="NORMAL")
    assert cut(tmp_path, trace, cuts=60).lost > 0
