"""ServiceNow tenants beside a Zendesk one in one daemon: by webhook, by poll, and suggested."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from world import Daemon, Desk, Json, Site, furnish, standing, until

from adapters.servicenow.sandbox import Fault, ServiceNowSandbox

CHANGES = "GET /api/now/v2/table/incident"
UPDATE = "PATCH /api/now/v2/table/incident/"
FIELDS = {
    "category": "category",
    "priority": "priority",
    "sentiment": "u_sentiment",
    "assignee": "u_suggested_assignee",
}
VPN = ("VPN down", "The VPN does not connect since this morning, nobody here can work.")
PRIORITIES = {"urgent": "1", "high": "2", "normal": "3", "low": "4", None: "5"}


def written(event: Json) -> Mapping[str, object]:
    """Give what a `ticket_triaged` event says was written, in the desk's own values."""
    found = {each["aspect"]: each for each in event["verdicts"]}
    values = {
        aspect: found[aspect]["value"] if found[aspect]["action"] == "write" else None
        for aspect in FIELDS
    }
    values["priority"] = PRIORITIES[values["priority"]]
    return {FIELDS[aspect]: value for aspect, value in values.items()}


def held(desk: Desk, ticket: str) -> Mapping[str, object]:
    fields = desk.ticket(ticket)["fields"]
    return {field: fields[field] for field in FIELDS.values()}


class Both(NamedTuple):
    """A daemon with two tenants of ServiceNow, by webhook and by poll, and one of Zendesk."""

    daemon: Daemon
    hooked: Desk
    polled: Desk
    other: Desk


@pytest.fixture
def instance(resources) -> Desk:
    return resources.enter_context(Desk(ServiceNowSandbox()))


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Iterator[Both]:
    with ExitStack() as stack:
        hooked, polled = (stack.enter_context(Desk(ServiceNowSandbox())) for _ in range(2))
        other = stack.enter_context(Desk())
        furnish(polled)
        site = Site(tmp_path_factory.mktemp("both"), stack)
        secret = hooked.get("tenant")["intake"]["webhook"]["secret"].replace(":", ":hooked.")
        site.tenant("hooked", hooked, intake={"poll": "1h", "webhook": {"secret": secret}})
        site.tenant("polled", polled)
        site.tenant("other", other)
        daemon = site.daemon().ready("hooked", "polled", "other")
        hooked.hook_to(daemon, "hooked")
        yield Both(daemon=daemon, hooked=hooked, polled=polled, other=other)


def triaged(daemon: Daemon, tenant: str, ticket: str) -> Json:
    return daemon.event("ticket_triaged", tenant=tenant, ticket=ticket)


def test_a_ticket_by_webhook_gets_its_fields(both) -> None:
    ticket = both.hooked.arrive(*VPN, hook=True)
    event = triaged(both.daemon, "hooked", ticket)
    assert event["source"] == "webhook"
    assert held(both.hooked, ticket) == written(event)
    assert held(both.hooked, ticket)["category"] == "network"
    assert both.hooked.writes([ticket]) == [1]
    assert both.hooked.ticket(ticket)["public_messages"] == 1


def test_a_ticket_by_poll_gets_its_fields_and_an_assignee_from_the_past(both) -> None:
    text = "The printer jams on every page and the toner is empty."
    ticket = both.polled.arrive("Printer on the second floor", text)
    event = triaged(both.daemon, "polled", ticket)
    assert event["source"] == "poll"
    assert held(both.polled, ticket) == written(event)
    assert "(Workplace)" in str(held(both.polled, ticket)["u_suggested_assignee"])
    assert both.polled.writes([ticket]) == [1]


def test_the_zendesk_tenant_beside_it_is_triaged_too(both) -> None:
    ticket = both.other.arrive(*VPN)
    event = triaged(both.daemon, "other", ticket)
    assert standing(both.other, event)["360001"] == "network"


def test_our_own_write_returns_in_the_overlap_of_each_poll_and_is_not_classified(both) -> None:
    ticket = both.polled.arrive(*VPN)
    triaged(both.daemon, "polled", ticket)
    polls = both.polled.calls(CHANGES)
    until("many more polls", lambda: both.polled.calls(CHANGES) >= polls + 8)
    told = [each for each in both.daemon.told("ticket_triaged") if each["ticket"] == ticket]
    assert len(told) == 1
    assert both.polled.writes([ticket]) == [1]


def test_people_win_and_a_new_message_is_classified(both) -> None:
    desk, daemon = both.polled, both.daemon
    ticket = desk.arrive(*VPN, fields={"category": "hardware", "priority": "4"})
    actions = {
        each["aspect"]: each["action"] for each in triaged(daemon, "polled", ticket)["verdicts"]
    }
    assert (actions["category"], held(desk, ticket)["category"]) == ("person", "hardware")
    assert held(desk, ticket)["priority"] == "4"
    desk.post(f"tickets/{ticket}", {"reply": "Thank you so much, it works, you are wonderful!"})
    until("it is classified again", lambda: held(desk, ticket)["u_sentiment"] == "positive")
    assert held(desk, ticket)["category"] == "hardware"


def test_suggestions_are_tags_in_a_text_field(site, instance) -> None:
    aspects = {"category": {"field": "category", "mode": "suggest"}}
    site.tenant("works", instance, aspects=aspects)
    daemon = site.daemon().ready("works")
    ticket = instance.arrive(*VPN, tags=["vip"])
    triaged(daemon, "works", ticket)
    seen = instance.ticket(ticket)
    assert seen["tags"] == ["vip", "triaged_category_network"]
    assert seen["fields"]["category"] is None


def test_without_a_field_for_tags_a_suggestion_is_a_mistake_in_the_file(
    site, instance, inside
) -> None:
    desk = {
        **instance.get("tenant")["desk"],
        "password": "secret:works.sandbox.servicenow-password",
    }
    del desk["tags_field"]
    aspects = {"category": {"field": "category", "mode": "suggest"}}
    site.tenant("works", instance, aspects=aspects, desk=desk)
    ended = inside("check", "--online", site=site)
    assert ended.returncode == 78
    assert "aspects.category.mode: this desk keeps no tags" in ended.stdout + ended.stderr


def test_a_kill_between_write_and_answer_writes_nothing_twice(site, instance) -> None:
    site.tenant("works", instance)
    daemon = site.daemon().ready("works")
    ticket = instance.arrive(*VPN)

    instance.on_call(1, UPDATE, lambda: daemon.signal(signal.SIGKILL))
    daemon.left()
    assert instance.writes([ticket]) == [1]
    again = site.daemon().ready("works")
    polls = instance.calls(CHANGES)
    until("two more polls", lambda: instance.calls(CHANGES) >= polls + 4)
    triaged(again, "works", ticket)
    assert instance.writes([ticket]) == [1]


def test_a_desk_that_drops_our_query_stops_its_tenant_and_no_other(site, instance, desk) -> None:
    old = {"sys_id": "a" * 32, "sys_mod_count": "1", "sys_updated_on": "2001-01-01 00:00:00"}
    site.tenant("works", instance)
    site.tenant("acme", desk)
    daemon = site.daemon().ready("works", "acme")
    instance.break_next(Fault(match=CHANGES, status=200, body={"result": [old]}))
    event = daemon.event("tenant_paused", tenant="works")
    assert "glide.invalid_query.returns_no_rows" in event["error"]
    until("it waits for a person", lambda: daemon.metric("triaged_tenant_stopped", tenant="works"))
    ticket = desk.arrive(*VPN)
    assert standing(desk, triaged(daemon, "acme", ticket))["360001"] == "network"
