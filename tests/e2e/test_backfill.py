"""What was open before triaged came is triaged: beside a daemon, before one, and never twice."""

import json

import pytest
from world import FIELDS, Desk, Site, until

from adapters.rest.sandbox import RestSandbox
from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox

VPN = "Since this morning nobody in the office reaches the VPN, the connection drops at once."


def told(ended) -> dict[str, int]:
    assert (ended.returncode, ended.stderr.strip()) == (0, ""), ended.stderr
    found = json.loads(ended.stdout)
    names = ("found", "taken_in", "decided_before", "waiting_already")
    return {name: found[name] for name in names}


def sums(found: int, taken_in: int = 0, decided: int = 0, waiting: int = 0) -> dict[str, int]:
    return {
        "found": found,
        "taken_in": taken_in,
        "decided_before": decided,
        "waiting_already": waiting,
    }


def test_open_tickets_of_the_past_are_triaged_beside_a_running_daemon(
    tenanted: Site, desk: Desk, inside
) -> None:
    desk.set(export_delay=0)
    old = [desk.arrive(f"VPN down in {city}", VPN) for city in ("Lyon", "Cologne", "Turin")]
    solved = desk.arrive("VPN down in Graz", VPN, status="solved")
    desk.sandbox.state.export_delay = 10_000_000  # polls show nothing: only the backfill may
    daemon = tenanted.daemon().ready("acme")
    desk.sandbox.state.export_delay = 0
    backfill = ("backfill", "acme", "--since", "1d", "--json")
    until("the desk tells of them", lambda: told(inside(*backfill, site=tenanted))["found"] == 3)
    for ticket in old:
        daemon.event("ticket_triaged", tenant="acme", ticket=ticket)
        assert desk.ticket(ticket)["fields"][FIELDS["category"]] == "network"
    assert desk.writes([*old, solved]) == [1, 1, 1, 0]
    assert told(inside(*backfill, site=tenanted)) == sums(3, decided=3)
    assert not list(tenanted.state.glob("backfill-*.json"))


def test_without_a_daemon_they_wait_for_one(tenanted: Site, desk: Desk, inside) -> None:
    old = [desk.arrive(f"VPN down in {city}", VPN) for city in ("Lyon", "Cologne")]
    backfill = ("backfill", "acme", "--since", "1d")
    assert told(inside(*backfill, "--dry-run", "--json", site=tenanted)) == sums(2, taken_in=2)
    assert not list(tenanted.state.glob("*.db")) if tenanted.state.exists() else True
    first = inside(*backfill, site=tenanted)
    assert first.returncode == 0
    assert "acme: 2 open tickets since" in first.stdout
    assert "2 taken in, 0 were triaged before, 0 wait already" in first.stdout
    assert "at most 1000 an hour" in first.stdout
    assert told(inside(*backfill, "--json", site=tenanted)) == sums(2, waiting=2)
    daemon = tenanted.daemon().ready("acme")
    for ticket in old:
        assert daemon.event("ticket_triaged", ticket=ticket)["source"] in {"backfill", "poll"}
    assert desk.writes(old) == [1, 1]


@pytest.mark.parametrize("sandbox", [ServiceNowSandbox, RtSandbox, RestSandbox])
def test_every_platform_tells_what_was_left_open(sandbox, site: Site, resources, inside) -> None:
    desk = resources.enter_context(Desk(sandbox()))
    for number in range(5):
        desk.arrive(f"VPN {number}", VPN, status="solved" if number == 0 else "open")
    site.tenant("acme", desk)
    ended = inside("backfill", "acme", "--since", "1d", "--dry-run", "--json", site=site)
    assert told(ended) == sums(4, taken_in=4)
    assert not site.state.exists()


def test_a_time_that_is_none_is_refused(tenanted: Site, inside) -> None:
    wrong = inside("backfill", "acme", "--since", "yesterday", site=tenanted)
    assert wrong.returncode == 2
    assert "write 2026-05-04" in wrong.stderr
