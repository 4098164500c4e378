"""`triaged queue` as an administrator uses it, beside a running daemon and without one."""

import json

from world import UPDATE

from adapters.zendesk.sandbox import Fault


def test_set_aside_work_is_listed_tried_again_and_dropped(inside, tenanted, desk) -> None:
    running = tenanted.daemon().ready("acme")
    desk.break_next(Fault(match=UPDATE, status=422), Fault(match=UPDATE, status=422))
    tickets = [desk.arrive("VPN down", f"The VPN does not connect at desk {n}.") for n in (1, 2)]
    for ticket in tickets:
        running.event("ticket_set_aside", ticket=ticket)

    ended = inside("queue", "list", "--json", site=tenanted)
    assert (ended.returncode, ended.stderr) == (0, "")
    rows = {row["ticket"]: row for row in json.loads(ended.stdout)}
    assert {row["state"] for row in rows.values()} == {"dead"}
    shown = inside("queue", "show", str(rows[tickets[0]]["id"]), site=tenanted)
    assert "422" in shown.stdout

    ended = inside("queue", "retry", "--ticket", tickets[0], site=tenanted)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "1 tried again" in ended.stdout
    running.event("ticket_triaged", ticket=tickets[0])
    assert desk.writes(tickets) == [1, 0]

    assert running.end() == 0
    ended = inside("queue", "drop", "--yes", "--json", site=tenanted)
    assert [row["ticket"] for row in json.loads(ended.stdout)] == [tickets[1]]
    assert json.loads(inside("queue", "list", "--json", site=tenanted).stdout) == []
    audit = inside("queue", "audit", "--json", site=tenanted)
    [books] = json.loads(audit.stdout)
    assert (audit.returncode, books["missing"], books["accounts"]["dropped"]) == (0, 0, 1)
    assert inside("queue", "show", "999", site=tenanted).returncode == 1
