"""Desks that are away, refuse us or change under our hands, and a full disk under the daemon."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from world import EXPORT, FIELDS, UPDATE, Daemon, furnish, until

from adapters.zendesk.sandbox import Fault
from adapters.zendesk.sandbox.exchange import Refusal, Reply

TEXT = "VPN down", "The VPN does not connect since this morning, nobody here can work."


def test_a_desk_that_is_away_at_the_start_stops_nobody_else(site, new_desk) -> None:
    near, far = new_desk(), new_desk()
    site.tenant("near", near)
    site.tenant("far", far)
    far.close_down()
    daemon = site.daemon().ready("near")
    paused = daemon.event("tenant_paused", tenant="far")
    assert "down" in paused["error"]
    served = near.arrive(*TEXT)
    daemon.event("ticket_triaged", tenant="near", ticket=served)
    far.come_up()
    daemon.event("tenant_connected", tenant="far")
    waiting = far.arrive(*TEXT)
    daemon.event("ticket_triaged", tenant="far", ticket=waiting)
    assert near.writes([served]) == far.writes([waiting]) == [1]
    assert len(daemon.told("tenant_paused")) == 1


def test_what_a_person_must_mend_pauses_its_tenant_alone_and_webhooks_wait(site, new_desk) -> None:
    desk, lacking, other = new_desk(), new_desk(), new_desk()
    site.tenant("acme", desk)
    site.tenant("lacking", lacking, aspects={"category": {"field": "360009", "mode": "auto"}})
    site.tenant("other", other)
    token = site.secrets / "acme.sandbox.zendesk-token"
    right = token.read_text(encoding="utf-8")
    token.write_text("an outdated token", encoding="utf-8")
    daemon = site.daemon().ready("other")
    paused = daemon.event("tenant_paused", tenant="acme")
    assert "triaged check --online" in paused["error"]
    paused = daemon.event("tenant_paused", tenant="lacking")
    assert "aspects.category.field: the desk has no field '360009'" in paused["error"]
    desk.hook_to(daemon)
    waiting = desk.arrive(*TEXT, hook=True)
    until("it was taken in", lambda: daemon.metric("triaged_received_total", tenant="acme") == 1)
    served = other.arrive(*TEXT)
    daemon.event("ticket_triaged", tenant="other", ticket=served)
    assert daemon.get("/healthz").status_code == 200
    assert daemon.get("/readyz").status_code == 200
    assert desk.calls("GET /api/v2/users/me") == 1
    assert daemon.end() == 0
    token.write_text(right, encoding="utf-8")
    site.daemon().event("ticket_triaged", tenant="acme", ticket=waiting, source="webhook")
    assert desk.writes([waiting]) == [1]


def test_a_ticket_that_the_desk_refuses_is_set_aside_and_the_next_goes_on(running) -> None:
    desk = running.polled
    desk.break_next(Fault(match=UPDATE, status=422, body={"error": "RecordInvalid"}))
    refused = desk.arrive(*TEXT)
    running.daemon.event("ticket_set_aside", tenant="polled", ticket=refused)
    good = desk.arrive(*TEXT)
    running.daemon.event("ticket_triaged", tenant="polled", ticket=good)
    assert desk.writes([refused, good]) == [0, 1]


def test_a_person_who_comes_between_read_and_write_wins(running) -> None:
    desk, rows = running.polled, running.polled.sandbox.state.tickets
    ticket = desk.arrive(*TEXT, status="solved")

    def overtake() -> None:
        desk.sandbox.state.set_custom(rows[int(ticket)], 360001, "software")
        raise Refusal(Reply(status=409, body={"error": "UpdateConflict"}))

    desk.on_call(1, UPDATE, overtake)
    desk.post(f"tickets/{ticket}", {"status": "open"})
    running.daemon.event("ticket_triaged", tenant="polled", ticket=ticket)
    assert desk.ticket(ticket)["fields"][FIELDS["category"]] == "software"
    assert desk.writes([ticket]) == [1]


def test_a_full_disk_is_answered_503_and_loses_nothing(tenanted, desk) -> None:
    daemon = tenanted.daemon().ready("acme")
    daemon.event("ticket_triaged", ticket=desk.arrive(*TEXT))
    desk.hook_to(daemon)
    with full_disk(daemon):
        ticket = desk.arrive(*TEXT, hook=True)
        until("it is refused", lambda: desk.get("webhook/deliveries")[0]["status"] == 503)
        polls = desk.calls(EXPORT)
        until("a poll was not stored either", lambda: desk.calls(EXPORT) > polls)
        assert daemon.get("/healthz").status_code == 200
    daemon.event("ticket_triaged", ticket=ticket)
    assert desk.writes([ticket]) == [1]
    assert daemon.end() == 0
    assert "Traceback" not in daemon.text()


def test_a_disk_that_is_full_while_a_desk_is_connected_costs_no_tenant(tenanted, desk) -> None:
    furnish(desk)
    daemon = tenanted.daemon()
    limits = ExitStack()
    desk.on_call(1, EXPORT, lambda: limits.enter_context(full_disk(daemon)))
    until("its history was asked for", lambda: desk.calls(EXPORT))
    polls = desk.calls("GET /api/v2/users/me")
    with limits:
        until("it is connected anew", lambda: desk.calls("GET /api/v2/users/me") > polls)
    daemon.ready("acme").event("ticket_triaged", ticket=desk.arrive(*TEXT))


@contextmanager
def full_disk(daemon: Daemon) -> Iterator[None]:
    """Let the daemon's files grow no further."""
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
    yield
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)
