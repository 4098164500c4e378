"""Desks that limit, break or stumble: each in its own way, all served by one daemon."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

import pytest
from world import EXPORT, UPDATE, Daemon, Desk, Site, until

from adapters.zendesk.sandbox import Fault

TEXT = "VPN down", "The VPN does not connect since this morning, nobody here can work."


def soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


def limited(headers: Mapping[str, str]) -> Fault:
    """Refuse the next update as Zendesk does: with a body that is no JSON."""
    return Fault(match=UPDATE, status=429, headers=headers, body="Number of allowed requests ...")


TROUBLES = {
    "seconds": lambda: limited({"Retry-After": "1"}),
    "date": lambda: limited({"Retry-After": soon()}),
    "missing": lambda: limited({}),
    "text": lambda: limited({"Retry-After": "in a while"}),
    "broken": lambda: Fault(match=UPDATE, drop=True),
    "overloaded": lambda: Fault(match=UPDATE, status=503, body="<html>busy</html>"),
    "login-page": lambda: Fault(match="GET /api/v2/tickets/show_many", status=200, body="<html>"),
    "limited-poll": lambda: Fault(match=EXPORT, status=429, headers={"Retry-After": "1"}),
    "empty-page": lambda: Fault(match=EXPORT, empty_page=True, times=2),
    "slow": lambda: Fault(match="nothing"),
    "well": lambda: Fault(match="nothing"),
}


class Troubled(NamedTuple):
    daemon: Daemon
    desks: Mapping[str, Desk]
    tickets: Mapping[str, str]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory) -> Iterator[Troubled]:
    """Give one daemon with a tenant for each kind of trouble, and a ticket at each that met it."""
    with ExitStack() as resources:
        site = Site(tmp_path_factory.mktemp("troubled"), resources)
        desks = {name: resources.enter_context(Desk()) for name in TROUBLES}
        for name, desk in desks.items():
            site.tenant(name, desk)
        daemon = site.daemon().ready(*TROUBLES)
        desks["slow"].set(latency=0.5)  # a look takes longer than the time between two
        tickets = {}
        for name, desk in desks.items():
            desk.break_next(TROUBLES[name]())
            tickets[name] = desk.arrive(*TEXT)
        yield Troubled(daemon, desks, tickets)


@pytest.mark.parametrize("name", TROUBLES)
def test_a_desk_in_trouble_is_left_alone_and_every_ticket_is_written_once(troubled, name) -> None:
    daemon, desk, ticket = troubled.daemon, troubled.desks[name], troubled.tickets[name]
    until("the ticket is written", lambda: any(desk.writes([ticket])))
    if name not in {"well", "empty-page", "slow"}:
        daemon.event("tenant_paused", tenant=name)
        daemon.event("tenant_recovered", tenant=name)
    polls = desk.calls(EXPORT)
    until("two more polls", lambda: desk.calls(EXPORT) >= polls + 2)
    assert desk.writes([ticket]) == [1]
    refused = TROUBLES[name]().match == UPDATE
    assert desk.calls(UPDATE) == 1 + refused
    assert len([each for each in daemon.told("tenant_paused") if each["tenant"] == name]) <= 1


def test_every_line_of_the_log_is_json_whatever_goes_wrong(troubled) -> None:
    for name, ticket in troubled.tickets.items():
        until("the ticket is written", lambda n=name, t=ticket: any(troubled.desks[n].writes([t])))
    lines = troubled.daemon.text().splitlines()
    assert [line for line in lines if not line.startswith("{")] == []
