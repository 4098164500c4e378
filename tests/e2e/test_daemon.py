"""The line as a whole: tickets come in, fields come back, once, whatever ends the daemon."""

import signal
from collections.abc import Sequence
from functools import partial
from threading import Event

import pytest
from world import (
    EXPORT,
    FIELDS,
    UPDATE,
    Daemon,
    Desk,
    Running,
    Site,
    decided,
    standing,
    until,
)

from adapters.zendesk.sandbox.exchange import Refusal, Reply
from connector.store import Place, TenantOverview, look

LANGUAGES = {
    "en": ("VPN down", "The VPN does not connect since this morning, nobody here can work."),
    "fr": ("VPN en panne", "Le VPN ne se connecte plus depuis ce matin, personne ne travaille."),
    "de": ("VPN gestört", "Das VPN verbindet sich seit heute Morgen nicht, niemand kann arbeiten."),
    "es": ("VPN caída", "La VPN no se conecta desde esta mañana y nadie puede trabajar."),
}
"""One matter in four languages, clear enough for any model that deserves the name."""

READ, READ_ONE = "GET /api/v2/tickets/show_many", "GET /api/v2/tickets/1"
"""The calls that read a batch, and a single ticket just before it is written."""

BURST = 24


def file_many(desk: Desk, count: int = BURST) -> Sequence[str]:
    """Let many alike but distinct tickets arrive at once."""
    return [
        desk.arrive(f"VPN down in office {number}", f"{LANGUAGES['en'][1]} Room {number}.")
        for number in range(count)
    ]


def all_written_once(site: Site, desk: Desk, tickets: Sequence[str]) -> None:
    """Hold that every ticket gets exactly one write, also after our writes came back by poll."""
    until("every ticket is written", lambda: all(desk.writes(tickets)))
    polls = desk.calls(EXPORT)
    until("two more polls", lambda: desk.calls(EXPORT) >= polls + 2)
    until("nothing is open", lambda: set(overview(site).states) == {"done"})
    assert desk.writes(tickets) == [1] * len(tickets)


def overview(site: Site) -> TenantOverview:
    [only] = look(Place(site.state))
    return only


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_ticket_by_webhook_gets_its_fields_in_any_language(running: Running, language) -> None:
    subject, description = LANGUAGES[language]
    ticket = running.hooked.arrive(subject, description, hook=True)
    event = running.daemon.event("ticket_triaged", tenant="hooked", ticket=ticket)
    assert (event["source"], event["language"]) == ("webhook", language)
    fields = standing(running.hooked, event)
    assert fields == decided(event)
    assert fields[FIELDS["category"]] == "network"
    assert running.hooked.writes([ticket]) == [1]
    assert running.hooked.ticket(ticket)["public_messages"] == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_ticket_by_poll_gets_its_fields_in_any_language(running: Running, language) -> None:
    ticket = running.polled.arrive(*LANGUAGES[language])
    event = running.daemon.event("ticket_triaged", tenant="polled", ticket=ticket)
    assert (event["source"], event["language"]) == ("poll", language)
    fields = standing(running.polled, event)
    assert fields == decided(event)
    assert fields[FIELDS["category"]] == "network"
    assert running.polled.writes([ticket]) == [1]


def test_an_assignee_is_suggested_from_resolved_tickets(running: Running) -> None:
    ticket = running.polled.arrive(
        "Printer on the second floor", "The printer jams on every page and the toner is empty."
    )
    event = running.daemon.event("ticket_triaged", tenant="polled", ticket=ticket)
    assert "(Workplace)" in str(standing(running.polled, event)[FIELDS["assignee"]])


def test_our_own_write_returns_in_the_next_poll_and_is_not_classified(tenanted, desk) -> None:
    daemon = tenanted.daemon().ready("acme")
    ticket = desk.arrive(*LANGUAGES["en"])
    daemon.event("ticket_triaged", ticket=ticket)
    until("our write came back", lambda: daemon.metric("triaged_received_total") == 2)
    until("it was looked at", lambda: daemon.metric("triaged_tickets_total") == 2)
    polls = desk.calls(EXPORT)
    until("two more polls", lambda: desk.calls(EXPORT) >= polls + 2)
    assert daemon.metric("triaged_received_total", source="poll") == 2
    assert daemon.metric("triaged_ticket_seconds_count") == 1
    assert daemon.metric("triaged_verdicts_total", aspect="category") == 1
    assert len(daemon.told("ticket_triaged")) == 1
    assert desk.writes([ticket]) == [1]


def test_a_persons_value_survives(running: Running) -> None:
    desk, daemon = running.polled, running.daemon
    category = FIELDS["category"]
    ticket = desk.arrive(*LANGUAGES["en"], fields={category: "hardware"})
    event = daemon.event("ticket_triaged", tenant="polled", ticket=ticket)
    actions = {verdict["aspect"]: verdict["action"] for verdict in event["verdicts"]}
    assert actions["category"] == "person"
    assert "write" in actions.values()
    assert desk.ticket(ticket)["fields"][category] == "hardware"


def test_a_value_that_a_person_changed_survives_the_requesters_next_message(running) -> None:
    desk, daemon = running.polled, running.daemon
    category = FIELDS["category"]
    ticket = desk.arrive(*LANGUAGES["en"])
    daemon.event("ticket_triaged", tenant="polled", ticket=ticket)
    desk.post(f"tickets/{ticket}", {"fields": {category: "software"}})
    desk.post(f"tickets/{ticket}", {"reply": "It is still the VPN that does not connect."})
    mine = partial(told_of, daemon, "polled", ticket)
    until("it is classified again", lambda: len(mine()) == 2)
    assert desk.ticket(ticket)["fields"][category] == "software"


def told_of(daemon: Daemon, tenant: str, ticket: str) -> Sequence[object]:
    told = daemon.told("ticket_triaged")
    return [event for event in told if (event["tenant"], event["ticket"]) == (tenant, ticket)]


def test_sigterm_in_a_burst_leaves_nothing_half_done(tenanted, desk) -> None:
    daemon = tenanted.daemon().ready("acme")

    def end() -> None:
        daemon.signal(signal.SIGTERM)
        Event().wait(0.5)  # on a busy machine the burst would be over before it is heard

    desk.on_call(6, UPDATE, end)
    tickets = file_many(desk)
    assert daemon.left() == 0
    told = {event["ticket"]: event for event in daemon.told("ticket_triaged")}
    for ticket, writes in zip(tickets, desk.writes(tickets), strict=True):
        if ticket in told:
            assert writes == 1
            assert standing(desk, told[ticket]) == decided(told[ticket])
        else:
            assert writes == 0
            assert not any(desk.ticket(ticket)["fields"].values())
    assert 0 < len(told) < BURST
    assert "leased" not in overview(tenanted).states
    tenanted.daemon()
    all_written_once(tenanted, desk, tickets)
    triaged = [event["ticket"] for event in tenanted.told("ticket_triaged")]
    assert sorted(triaged) == sorted(tickets)


def test_sigkill_at_every_step_of_a_burst_writes_every_ticket_once(tenanted, desk) -> None:
    def kill(daemon: Daemon) -> None:
        daemon.signal(signal.SIGKILL)

    def kill_and_lose_the_call(daemon: Daemon) -> None:
        kill(daemon)
        raise Refusal(Reply(dropped=True))

    steps = (
        (1, READ, kill),
        (2, READ_ONE, kill),
        (2, UPDATE, kill),
        (2, UPDATE, kill_and_lose_the_call),
    )
    tickets = file_many(desk)
    for number, call, end in steps:
        daemon = tenanted.daemon()
        desk.on_call(number, call, partial(end, daemon))
        assert daemon.left() == -signal.SIGKILL
    assert 0 < sum(desk.writes(tickets)) < BURST
    tenanted.daemon()
    all_written_once(tenanted, desk, tickets)
    assert overview(tenanted).outcomes == {"written": BURST}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_in_the_middle_of_a_poll_loses_nothing(site, desk, number) -> None:
    aspects = {"category": {"field": FIELDS["category"], "mode": "auto"}}
    site.tenant("acme", desk, aspects=aspects)
    desk.set(page_size_cap=5, latency=0.01)
    tickets = file_many(desk)
    daemon = site.daemon()
    desk.on_call(3, EXPORT, lambda: daemon.signal(number))
    daemon.left()
    known = sum(overview(site).states.values())
    assert 0 < known < BURST
    site.daemon()
    all_written_once(site, desk, tickets)


def test_sigterm_right_after_ready_ends_the_daemon_in_good_order(tenanted) -> None:
    daemon = tenanted.daemon().ready()
    daemon.signal(signal.SIGTERM)
    assert daemon.left() == 0
    assert "Traceback" not in daemon.text()
