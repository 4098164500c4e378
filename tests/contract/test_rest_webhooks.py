"""Webhook recipes of many desks, told by options alone: worked examples and forgeries."""

import json
from typing import Any

import pytest
from people import HandClock
from rest_people import RestPeople
from sandbox_person import Receiver

from adapters.rest.sandbox import MODERN, PLAIN, RestSandbox
from connector.errors import Forged, Unreadable
from connector.model import Secret, TicketId

KEY = Secret("our-own-test-secret-01")
BODY = '{"ticket_id":"4711","note":"Gr\u00fc\u00dfe \u2013 \u6e29\u5ea6"}'.encode()
ISO, UNIX = "2026-01-02T03:04:05Z", "1767323045"
COMMON = {"ticket": "/ticket_id", "delivery_header": "X-Delivery"}

RECIPES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "base64 over time and body": (
        {
            "header": "X-Sig",
            "encoding": "base64",
            "signed": "{timestamp}{body}",
            "timestamp_header": "X-Time",
        },
        {"x-sig": "l4qKyeBMgVYTSpKcYk7GYOuxibEOE+RsfFofTwe1YqI=", "x-time": ISO},
    ),
    "sha1 with its name": (
        {"header": "X-Hub-Signature", "prefix": "sha1=", "algorithm": "sha1"},
        {"x-hub-signature": "sha1=acbad694b3f84634e4b776944ecb265dc114f31c"},
    ),
    "sha256 with its name": (
        {"header": "X-Hub-Signature", "prefix": "sha256="},
        {
            "x-hub-signature": "sha256="
            "0cd966e688e1c1a48b814ab2b88b392c3bc4d6ec78c216b1adc959b9d3fa1449"
        },
    ),
    "hex over body and time": (
        {"header": "X-Sig", "signed": "{body}{timestamp}", "timestamp_header": "X-Time"},
        {
            "x-sig": "1383ae08c1162b2f16988dce2e40ecec32afa8779f184c85520dff230390a102",
            "x-time": UNIX,
        },
    ),
}
each_recipe = pytest.mark.parametrize("name", RECIPES)


def receiver(desk: RestPeople, webhook: dict[str, Any], secret: Secret = KEY) -> Any:
    desk.secret = secret
    return desk.connect(webhook={**COMMON, **webhook})


@each_recipe
def test_the_worked_example_is_accepted(rest: RestPeople, name: str) -> None:
    """Computed elsewhere; the recipes are those of Zendesk, Zammad, Jira and GLPI."""
    webhook, headers = RECIPES[name]
    with receiver(rest, webhook) as adapter:
        delivery = adapter.parse_webhook(BODY, {**headers, "x-delivery": "d-1"})
    assert (delivery.id, delivery.tickets) == ("d-1", (TicketId("4711"),))
    if "x-time" in headers:
        assert delivery.sent_at.isoformat() == "2026-01-02T03:04:05+00:00"


@each_recipe
def test_what_only_looks_like_it_is_forged(rest: RestPeople, name: str) -> None:
    webhook, headers = RECIPES[name]
    signed = next(key for key in headers if key != "x-time")
    told = headers[signed]
    with receiver(rest, webhook) as adapter:
        wrong = [told[:-2], f"{told} ", told.partition("=")[2] or "x", told.swapcase(), ""]
        forged = [{**headers, signed: each} for each in wrong]
        if "x-time" in headers:
            forged += [{**headers, "x-time": each} for each in ("1767323046", "", "\udcff")]
        for each in [*forged, {}]:
            with pytest.raises(Forged):
                adapter.parse_webhook(BODY, each)
        with pytest.raises(Forged):
            adapter.parse_webhook(json.dumps(json.loads(BODY)).encode(), headers)


def test_a_signed_time_that_is_none_is_forged(rest: RestPeople) -> None:
    webhook, _ = RECIPES["hex over body and time"]
    with receiver(rest, webhook) as adapter:
        options = adapter._options.webhook
        from adapters.rest.webhook import signature  # noqa: PLC0415 signs what nobody should

        headers = {"x-sig": signature(options, KEY, "noon", BODY), "x-time": "noon"}
        with pytest.raises(Forged, match="X-Time holds no time"):
            adapter.parse_webhook(BODY, headers)


def test_without_a_secret_or_a_recipe_every_call_is_forged(rest: RestPeople) -> None:
    from adapters import rest as platform  # noqa: PLC0415 the fixture has its name
    from connector.ports import Surroundings  # noqa: PLC0415 as above

    for webhook, told in ((rest.desk()["webhook"], "no webhook secret"), (None, "no webhook is")):
        options = platform.RestDesk.model_validate({**rest.desk(), "webhook": webhook})
        world = Surroundings(secret=lambda _: rest.sandbox.key, clock=rest.clock)
        with platform.connect(options, world) as adapter, pytest.raises(Forged, match=told):
            adapter.parse_webhook(BODY, {})


def test_both_secrets_are_good_while_one_is_changed(rest: RestPeople) -> None:
    webhook, headers = RECIPES["sha256 with its name"]
    rest.secret = KEY
    both = rest.connect(
        webhook={**COMMON, **webhook}, previous_webhook_secret="secret:sandbox.rest-key"
    )
    with both as adapter:
        assert adapter.parse_webhook(BODY, headers).tickets == ("4711",)
        assert adapter._hooks[1] == rest.sandbox.key


@pytest.mark.parametrize(
    "body",
    [
        b'{"item":{"no":5},"event":"e"}',
        b'{"item":{"no":5},"event":"e","at":"noon"}',
        b'{"item":{"no":null},"event":"e","at":1767323045}',
        b'{"item":{"no":"../me"},"event":"e","at":1767323045}',
        b'{"item":{"no":true},"event":"e","at":1767323045}',
        b'{"item":{"no":5,"no":6},"event":"e","at":1767323045}',
    ],
)
def test_a_call_without_ticket_or_time_is_held(plain_rest: RestPeople, body: bytes) -> None:
    headers = plain_rest.sign(body, plain_rest.secret)
    with pytest.raises(Unreadable):
        plain_rest.adapter.parse_webhook(body, headers)


def test_a_call_without_its_delivery_is_named_by_time_and_body(rest: RestPeople) -> None:
    webhook, headers = RECIPES["hex over body and time"]
    with receiver(rest, webhook) as adapter:
        first = adapter.parse_webhook(BODY, headers)
        assert adapter.parse_webhook(BODY, headers).id == first.id
        assert len(first.id) == 64


@pytest.mark.parametrize("dialect", [MODERN, PLAIN])
def test_the_practice_desk_calls_as_its_own_options_say(clock: HandClock, dialect: str) -> None:
    with RestSandbox(now=clock.now, dialect=dialect) as sandbox, Receiver((202, {})) as heard:
        people = RestPeople(sandbox, clock)
        people.post("webhook", {"url": heard.url})
        ticket = people.post("tickets", {"subject": "s", "description": "d", "hook": True})["id"]
        assert heard.enough.wait(10)
        delivery = people.adapter.parse_webhook(*heard.got[0])
        assert (delivery.id, delivery.tickets) == ("1", (ticket,))
        assert abs((delivery.sent_at - clock.now()).total_seconds()) < 2
        people.close()
