"""A requester is forgotten: in every table, in the log of changes, in the copy; others stay."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from world import Daemon, Desk, Site

from connector.model import TenantId
from connector.store import Place, look_at_books, look_at_tickets
from connector.store.erasure import tables

ANA, BELA = "Ana Example", "Bela Example"


def traces(site: Site, ticket: str) -> list[bytes]:
    """Give what stands for a ticket in the database's files: its wording's hash and its vector."""
    with closing(sqlite3.connect(site.state / "triaged.db")) as database:
        query = "SELECT content_hash, vector FROM ledger WHERE ticket = ?"
        [(content_hash, vector)] = database.execute(query, [ticket]).fetchall()
    return [content_hash.encode(), vector]


def files(site: Site) -> Iterator[bytes]:
    for path in site.state.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def filed(desk: Desk, daemon: Daemon, requester: str, count: int = 2) -> list[str]:
    """Let tickets of a requester arrive and be triaged."""
    tickets = [
        desk.arrive(f"VPN down in room {number}", f"{requester}: no VPN", requester=requester)
        for number in range(count)
    ]
    for ticket in tickets:
        daemon.event("ticket_triaged", ticket=ticket)
    return tickets


def person(desk: Desk, tickets: Sequence[str]) -> str:
    """Have tickets be one person's, whom the practice desk made anew for each; give who it is."""
    state = desk.sandbox.state
    with state.lock:
        rows = [state.tickets[int(ticket)] for ticket in tickets]
        for row in rows:
            row["requester_id"] = rows[0]["requester_id"]
    return str(rows[0]["requester_id"])


@pytest.mark.parametrize("is_running", [True, False])
def test_nothing_of_a_requester_is_left_and_the_others_stay(
    tenanted, desk, inside, is_running
) -> None:
    daemon = tenanted.daemon().ready("acme")
    ana, bela = filed(desk, daemon, ANA), filed(desk, daemon, BELA)
    wanted = [trace for ticket in ana for trace in traces(tenanted, ticket)]
    kept = [trace for ticket in bela for trace in traces(tenanted, ticket)]
    place = Place(tenanted.state)
    if not is_running:
        assert daemon.end() == 0
    her = person(desk, ana)
    dry = json.loads(inside("forget", "acme", her, "--dry-run", "--json", site=tenanted).stdout)
    assert sorted(dry["tickets"]) == sorted(ana)
    assert set(look_at_tickets(place, TenantId("acme"))) == {*ana, *bela}
    ended = inside("forget", "acme", her, "--yes", site=tenanted)
    assert ended.returncode == 0, ended.stderr
    assert "2 of 4 known tickets forgotten" in ended.stdout
    assert "  ledger: 2" in ended.stdout
    assert "your own backups" in ended.stdout
    held = list(files(tenanted))
    assert not [trace for trace in wanted if any(trace in each for each in held)]
    assert all(any(trace in each for each in held) for trace in kept)
    assert set(look_at_tickets(place, TenantId("acme"))) == set(bela)
    assert [balance.missing for balance in look_at_books(place)] == [0]
    if is_running:
        daemon.event("tickets_forgotten", tickets=2)


def test_what_the_desk_no_longer_has_is_forgotten_when_asked_for(tenanted, desk, inside) -> None:
    daemon = tenanted.daemon().ready("acme")
    [gone, stays] = filed(desk, daemon, ANA)
    desk.post(f"tickets/{gone}", {"status": "deleted"})
    told = inside("forget", "acme", "999999", site=tenanted)
    assert "0 of 2 known tickets forgotten" in told.stdout
    assert "1 known tickets are no longer on the desk; --gone" in told.stdout
    assert inside("forget", "acme", "--gone", "--yes", site=tenanted).returncode == 0
    assert look_at_tickets(Place(tenanted.state), TenantId("acme")) == [stays]


def test_a_ticket_is_forgotten_by_its_number_without_asking_the_desk(
    tenanted, desk, inside
) -> None:
    daemon = tenanted.daemon().ready("acme")
    [first, second] = filed(desk, daemon, ANA)
    assert daemon.end() == 0
    desk.close_down()
    ended = inside("forget", "acme", "--ticket", first, "--yes", site=tenanted)
    desk.come_up()
    assert ended.returncode == 0, ended.stderr
    assert look_at_tickets(Place(tenanted.state), TenantId("acme")) == [second]


def test_a_question_comes_before_anything_is_deleted(tenanted, desk, inside) -> None:
    daemon = tenanted.daemon().ready("acme")
    tickets = filed(desk, daemon, ANA)
    assert inside("forget", "acme", "--ticket", tickets[0], site=tenanted, given="n\n").returncode
    assert inside("forget", "acme", site=tenanted).returncode == 2
    assert inside("forget", "nobody", "1", site=tenanted).returncode == 78
    assert set(look_at_tickets(Place(tenanted.state), TenantId("acme"))) == set(tickets)


def test_every_table_that_names_tickets_is_reached() -> None:
    named = {table.name for table in tables()}
    assert {"inbox", "ledger", "cases", "feedback"} <= named
