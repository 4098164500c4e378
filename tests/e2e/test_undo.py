"""`triaged undo` as an administrator uses it, beside a running daemon and without one."""

import json

import pytest
from world import FIELDS, until

CATEGORY = FIELDS["category"]


def test_a_bad_night_is_taken_back_beside_the_daemon(inside, tenanted, desk) -> None:
    running = tenanted.daemon().ready("acme")
    texts = ("The VPN does not connect.", "My laptop is broken.", "I cannot reach the Wi-Fi.")
    tickets = [desk.arrive(text, text) for text in texts]
    for ticket in tickets:
        running.event("ticket_triaged", ticket=ticket)
    shown = [desk.ticket(ticket) for ticket in tickets]
    changed, *others = tickets
    desk.post(f"tickets/{changed}", {"fields": {CATEGORY: "software"}})

    ended = inside("undo", "acme", "--dry-run", "--json", site=tenanted)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["dry_run"], told["failed"]) == (0, True, 0)
    assert [desk.ticket(ticket)["writes"] for ticket in others] == [
        each["writes"] for each in shown[1:]
    ]

    ended = inside("undo", "acme", "--since", "1h", "--aspect", "category", site=tenanted)
    assert "Take back up to 3 values on 3 tickets of acme? [y/N]" in ended.stderr
    assert ended.returncode == 130

    ended = inside("undo", "--tenant", "acme", "--since", "1h", "--yes", "--json", site=tenanted)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["failed"]) == (0, 0)
    assert {
        (value["ticket"], value["ending"]) for value in told["values"] if value["field"] == CATEGORY
    } == {(changed, "skipped"), *((ticket, "restored") for ticket in others)}
    for ticket in others:
        running.event("ticket_undone", ticket=ticket)
        assert desk.ticket(ticket)["fields"].get(CATEGORY) is None
    assert desk.ticket(changed)["fields"][CATEGORY] == "software"

    # Not even new words bring it back.
    desk.post(f"tickets/{others[0]}", {"reply": "Still no laptop, it is broken."})
    until("the reply triaged", lambda: len(running.told("ticket_triaged")) > len(tickets))
    assert desk.ticket(others[0])["fields"].get(CATEGORY) is None

    assert running.end() == 0
    ended = inside("undo", "acme", "--yes", site=tenanted)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "name one tenant"),
        (("acme", "--tenant", "beta"), 2, "name one tenant"),
        (("beta",), 78, "there is no tenant 'beta'; name one of acme"),
        (("acme", "--since", "yesterday"), 2, "'yesterday' is no time; write 2026-05-04"),
        (("acme", "--aspect", "mood"), 2, "'mood' is not one of"),
    ],
)
def test_what_cannot_be_meant_is_told(inside, tenanted, arguments, code, told) -> None:
    ended = inside("undo", *arguments, site=tenanted)
    assert (ended.returncode, told in ended.stderr) == (code, True)


def test_where_nothing_was_written_there_is_nothing_to_undo(inside, tenanted) -> None:
    ended = inside("undo", "acme", site=tenanted)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "nothing was done" in ended.stdout
