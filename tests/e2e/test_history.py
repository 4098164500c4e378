"""A desk's history pulled beside a running daemon, through the real adapter and its HTTP."""

import json

from world import FIELDS, Desk, Site

VPN = "Since this morning nobody in the office reaches the VPN, the connection drops at once."


def test_what_people_left_is_pulled_and_what_triaged_set_is_not(
    tenanted: Site, desk: Desk, inside
) -> None:
    daemon = tenanted.daemon().ready("acme")
    ours, corrected = (desk.arrive(f"VPN down in {city}", VPN) for city in ("Lyon", "Cologne"))
    for ticket in (ours, corrected):
        event = daemon.event("ticket_triaged", tenant="acme", ticket=ticket)
        assert desk.ticket(event["ticket"])["fields"][FIELDS["category"]] == "network"
    solved = {"status": "solved"}
    desk.post(f"tickets/{ours}", solved)
    desk.post(f"tickets/{corrected}", {**solved, "fields": {FIELDS["category"]: "hardware"}})
    by_hand = desk.arrive(
        "Toner", "The toner is empty", fields={FIELDS["category"]: "hardware"}, **solved
    )
    output = tenanted.folder / "acme.jsonl"
    ended = inside("history", "pull", "acme", "--output", str(output), "--json", site=tenanted)
    assert (ended.returncode, ended.stderr.strip()) == (0, "")
    told = json.loads(ended.stdout)
    assert told["tickets"] == 3
    assert told["left_out_as_ours"]["category"] == 1
    rows = {row["id"]: row for row in map(json.loads, output.read_text().splitlines())}
    labels = {ticket: row["category"] for ticket, row in rows.items()}
    assert labels == {ours: "", corrected: "hardware", by_hand: "hardware"}
    assert VPN in rows[ours]["description"]
    assert daemon.metric("triaged_received_total") >= 2, "the daemon was not disturbed"


def test_the_table_says_what_there_is_and_how_to_learn_from_it(
    tenanted: Site, desk: Desk, inside
) -> None:
    desk.arrive("Toner", "empty", fields={FIELDS["category"]: "hardware"}, status="solved")
    output = tenanted.folder / "acme.jsonl"
    ended = inside("history", "pull", "acme", "--output", str(output), site=tenanted)
    assert ended.returncode == 0
    assert "1 resolved tickets" in ended.stdout
    assert "hardware (1)" in ended.stdout
    assert f"triaged train {output} --output ours --time created_at --label" in ended.stdout
    again = inside("history", "pull", "acme", "--output", str(output), site=tenanted)
    assert again.returncode == 1
    assert "never overwritten" in again.stderr
    wrong = inside("history", "pull", "acne", "--output", "x", site=tenanted)
    assert (wrong.returncode, wrong.stdout) == (78, "")
    assert "name one of acme" in wrong.stderr
