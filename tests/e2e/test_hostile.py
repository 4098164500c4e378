"""The short form of `hostile.py`."""

from hostile import SHORT, Attack


def test_nothing_hostile_is_accepted_or_brings_the_daemon_down(site, desk) -> None:
    site.tenant("acme", desk)
    found = Attack(site.daemon().ready("acme"), desk).run(SHORT)
    assert not found.wrong(), found
    assert found.statuses.keys() <= {0, 202, 400, 401, 404, 405, 408, 413, 414, 415, 431, 505}
