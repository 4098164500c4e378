"""A daemon whose database is damaged: it ends, is started anew, and nothing is lost or repeated."""

import json

from world import until

from connector.store import rescue

TEXT = ("VPN is down", "No connection to the VPN since eight o'clock, nobody can work.")


def test_what_came_after_the_copy_is_read_again_and_not_written_again(tenanted, desk) -> None:
    daemon = tenanted.daemon().ready("acme")
    before = desk.arrive(*TEXT)
    daemon.event("ticket_triaged", ticket=before)
    rescue.back_up(tenanted.state)
    after = desk.arrive(*TEXT)
    daemon.event("ticket_triaged", ticket=after)
    # The disk fails under the running daemon: its next look meets it, and it ends by itself.
    file = tenanted.state / rescue.FILE
    for each in (file, file.with_name(f"{rescue.FILE}-wal")):
        each.write_bytes(b"\xff" * each.stat().st_size)
    desk.arrive(*TEXT)
    assert daemon.left() == 1
    assert "Traceback" not in daemon.text()
    assert "the daemon ends to be started anew" in daemon.text()

    second = tenanted.daemon().ready("acme")
    [restored] = second.told("store_restored")
    assert restored["level"] == "error"
    fresh = desk.arrive(*TEXT)
    second.event("ticket_triaged", ticket=fresh)
    until("the books are balanced", lambda: balanced(tenanted))
    assert desk.writes([before, after, fresh]) == [1, 1, 1]


def balanced(site) -> bool:
    [acme] = json.loads(site.triaged("status", "--json").stdout)
    is_open = sum(acme["states"].get(state, 0) for state in ("ready", "retry", "leased", "planned"))
    return not is_open


def test_a_damaged_database_without_a_copy_is_refused_with_the_remedy(tenanted) -> None:
    tenanted.state.mkdir()
    (tenanted.state / rescue.FILE).write_bytes(b"no database at all " * 400)
    ended = tenanted.triaged("run")
    assert ended.returncode == 1
    assert "there is no copy at" in ended.stderr
    assert "Back up and restore" in ended.stderr
