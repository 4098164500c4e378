"""The whole line on a Request Tracker 5: filed there, found by poll or scrip, written back.

It runs on the practice desk always, and on a real server where there is one: the server that
TRIAGED_TEST_RT_URL and its companions name, else Debian's, started here if it is installed.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
import rt5
from pages import ROOT, blocks
from rt_people import PREFIX, REAL, TAGS_FIELD, RealClock, RtPeople, RtSandboxPeople, real_people
from world import Daemon, Json, Site

from adapters.rt.sandbox import RtSandbox
from connector.model import TicketId

HOW_TO = ROOT / "docs" / "how-to" / "connect-request-tracker.md"
VPN = "The VPN does not connect since this morning, nobody here can work."
FIELDS = {
    "category": "Category",
    "priority": "priority",
    "sentiment": "Sentiment",
    "assignee": "Suggested assignee",
}
PRIORITIES = {"low": "10", "normal": "50", "high": "100", "urgent": "200"}


class Rt:
    """A Request Tracker, the people on it, and what a tenant file for it needs."""

    def __init__(self, people: RtPeople, server: rt5.Rt5 | None = None) -> None:
        self.people = people
        self.server = server

    def get(self, _tenant: str) -> dict[str, Any]:
        desk = {
            "platform": "rt",
            "url": self.people.url,
            "account": self.people.account,
            "token": "secret:token",
            "tags_field": TAGS_FIELD,
        }
        aspects = {aspect: {"field": field, "mode": "auto"} for aspect, field in FIELDS.items()}
        aspects["assignee"]["mode"] = "shadow"
        return {
            "desk": desk,
            "intake": {"poll": "1s"},
            "aspects": aspects,
            "secrets": {"token": self.people.tokens["triage"].reveal()},
        }

    def hook(self) -> tuple[str, int]:
        """Give the secret with which the scrip signs, and the port that it calls; 0: any."""
        if self.server is not None:
            return self.server.hook_secret, self.server.hook_port
        return self._sandbox().webhook_secret.reveal(), 0

    def hook_to(self, daemon: Daemon) -> None:
        """Have the scrip of the how-to, or the practice desk's, call a daemon from now on."""
        if self.server is None:
            self._sandbox().scrip.url = f"{daemon.address}/hooks/acme"
        else:
            condition, action = (each.text for each in blocks(HOW_TO) if each.kind == "perl")
            self.server.add_scrip(condition, action)

    def _sandbox(self) -> RtSandbox:
        assert isinstance(self.people, RtSandboxPeople)
        return self.people.sandbox

    def file(self, number: int = 0) -> TicketId:
        return self.people.arrive(f"VPN down in room {number}", f"{VPN} Room {number}.")

    def held(self, ticket: TicketId) -> Mapping[str, str | None]:
        """Give what stands on a ticket in the fields of each aspect."""
        raw = self.people.call("root", "GET", f"ticket/{ticket}")
        custom = {row["name"]: row["values"] for row in raw["CustomFields"]}
        values = {field: next(iter(custom.get(field) or ()), None) for field in FIELDS.values()}
        return {**values, "priority": raw["Priority"]}

    def done(self, ticket: TicketId) -> list[str]:
        """List what triage did to a ticket."""
        path = f"ticket/{ticket}/history?fields=Type,Creator&per_page=100"
        rows = self.people.call("root", "GET", path)["items"]
        return [row["Type"] for row in rows if row["Creator"]["id"] == self.people.account]


@pytest.fixture(scope="module", params=["practice desk", "real server"])
def rt(request: pytest.FixtureRequest) -> Iterator[Rt]:
    with ExitStack() as stack:
        if request.param == "practice desk":
            sandbox = stack.enter_context(RtSandbox())
            yield Rt(RtSandboxPeople(sandbox, RealClock()))
        elif REAL:
            yield Rt(real_people(os.environ))
        elif absent := rt5.missing():
            pytest.skip(f"{absent}, and {PREFIX}URL names none: NOT TRIED on a real server")
        else:
            server = stack.enter_context(rt5.a_server())
            yield Rt(real_people(server.environment()), server)


@pytest.fixture
def acme(rt, site) -> Site:
    site.tenant("acme", rt)
    return site


def written(event: Json) -> dict[str, str]:
    """Give what an event says was written, as Request Tracker holds it."""
    values = {
        FIELDS[verdict["aspect"]]: verdict["value"]
        for verdict in event["verdicts"]
        if verdict["action"] == "write"
    }
    if "priority" in values:
        values["priority"] = PRIORITIES[values["priority"]]
    return values


def triaged(daemon: Daemon, ticket: TicketId) -> Json:
    return daemon.event("ticket_triaged", tenant="acme", ticket=ticket)


def test_tickets_are_found_by_poll_and_written_once(rt, acme) -> None:
    daemon = acme.daemon().ready("acme")
    filed = [rt.file(number) for number in range(4)]
    events = {ticket: triaged(daemon, ticket) for ticket in filed}
    for ticket, event in events.items():
        values = written(event)
        assert values["Category"] == "network", event
        assert {field: rt.held(ticket)[field] for field in values} == values
        assert len(rt.done(ticket)) == len(values)
        assert rt.people.public_messages(ticket) == 1
    last = rt.file(9)
    triaged(daemon, last)
    assert daemon.end() == 0
    decided = [event["ticket"] for event in daemon.told("ticket_triaged")]
    assert sorted(decided, key=int) == sorted([*filed, last], key=int), "nothing is decided twice"
    assert [len(rt.done(ticket)) for ticket in filed] == [len(written(events[t])) for t in filed]


def test_what_a_person_set_stays(rt, acme) -> None:
    ticket = rt.people.arrive("VPN down", VPN, fields={"Category": "hardware"})
    daemon = acme.daemon().ready("acme")
    rt.people.reply(ticket, "Still no VPN here, nothing has changed")
    actions = {each["aspect"]: each["action"] for each in triaged(daemon, ticket)["verdicts"]}
    assert actions["category"] == "person"
    assert rt.held(ticket)["Category"] == "hardware"


def test_the_how_tos_scrip_tells_of_a_ticket_at_once(rt, site) -> None:
    """Without it this ticket would wait an hour for the poll."""
    if rt.server is None and not isinstance(rt.people, RtSandboxPeople):
        pytest.skip("no scrip is put into a server that was not started here")
    secret, port = rt.hook()
    site.configure(web={"listen": f"127.0.0.1:{port}"})
    webhook = {"secret": "secret:acme.hook"}
    site.tenant("acme", rt, intake={"poll": "1h", "webhook": webhook})
    site.secret("acme.hook", secret)
    daemon = site.daemon().ready("acme")
    rt.hook_to(daemon)
    triaged(daemon, rt.file())  # which the poll at the start may find first
    ticket = rt.file()
    assert triaged(daemon, ticket)["source"] == "webhook"
    assert rt.held(ticket)["Category"] == "network"
