"""Tickets tell what their answers rest on, over the real adapters: agents see it, nobody else."""

import json

import pytest
from world import Desk, Site, until

from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox
from adapters.zendesk.sandbox import ZendeskSandbox

VPN = ("VPN down", "The VPN does not connect since this morning, nobody here can work.")
PLATFORMS = (ZendeskSandbox, ServiceNowSandbox, RtSandbox)
CHANGES = (
    "GET /api/v2/incremental",
    "GET /api/now/v2/table/incident",
    "GET /REST/2.0/transactions",
)


@pytest.fixture
def desks(resources) -> list[Desk]:
    return [resources.enter_context(Desk(sandbox())) for sandbox in PLATFORMS]


def test_agents_read_why_and_requesters_do_not_on_every_platform(
    site: Site, desks: list[Desk]
) -> None:
    names = ("acme", "globex", "initech")
    for name, desk in zip(names, desks, strict=True):
        site.tenant(name, desk, why={"note": True})
    daemon = site.daemon().ready(*names)
    before = [desk.arrive(f"{VPN[0]} in office {n}", VPN[1]) for n, desk in enumerate(desks)]
    filed = dict(zip(names, before, strict=True))
    for (name, ticket), desk, changes in zip(filed.items(), desks, CHANGES, strict=True):
        event = daemon.event("ticket_triaged", tenant=name, ticket=ticket)
        [note] = desk.ticket(ticket)["notes"]
        given = next(one for one in event["verdicts"] if one["aspect"] == "category")
        assert f"category: {given['value']} (" in note
        assert "words that mattered: vpn" in note.casefold()
        assert "triaged (default@" in note
        polls = desk.calls(changes)
        until(
            "our note came back by two polls",
            lambda d=desk, c=changes, p=polls: d.calls(c) >= p + 2,
        )
        seen = desk.ticket(ticket)
        assert (len(seen["notes"]), seen["public_messages"]) == (1, 1)
    assert not daemon.told("why_not_left")
    assert "Words that mattered" not in daemon.text()


def test_a_similar_ticket_is_linked_and_a_field_takes_it_all_as_json(
    site: Site, desk: Desk
) -> None:
    site.tenant(
        "acme", desk, why={"note": True, "field": "360003"}, aspects=_without_assignee(desk)
    )
    desk.post("staff", {"agents": [{"name": "Ann", "group": "Net", "email": "ann@example.com"}]})
    old = desk.arrive(*VPN, status="solved", group="Net", assignee="ann@example.com")
    daemon = site.daemon().ready("acme")
    daemon.event("history_learnt", tenant="acme")
    ticket = desk.arrive("VPN again", VPN[1])
    daemon.event("ticket_triaged", ticket=ticket)
    link = f"{desk.url}/agent/tickets/{old}"
    seen = desk.ticket(ticket)
    assert f"Similar resolved tickets:\n  {link}" in seen["notes"][0]
    told = json.loads(seen["fields"]["360003"])
    assert told["similar"][0]["url"] == link
    assert {answer["aspect"] for answer in told["answers"]} == {"category", "priority", "sentiment"}
    assert all(answer["words"] for answer in told["answers"] if answer["aspect"] == "category")


def _without_assignee(desk: Desk) -> dict[str, object]:
    aspects = dict(desk.get("tenant")["aspects"])
    aspects.pop("assignee", None)
    return aspects
