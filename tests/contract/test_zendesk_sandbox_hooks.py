"""The sandbox's webhooks: signed, delivered in the background, tried again as the desk does."""

import json

from sandbox_person import Person, Receiver, settled

from adapters.zendesk.webhook import read_delivery
from connector.model import Secret


def test_arrivals_are_signed_and_delivered_in_the_background(person: Person) -> None:
    with Receiver() as receiver:
        secret = Secret(person.post("/sandbox/webhook", {"url": receiver.url})["secret"])
        quiet = {"subject": "a", "description": "b", "hook": False}
        person.post("/sandbox/tickets", quiet)
        ticket_id = person.post("/sandbox/tickets", {**quiet, "hook": True})["id"]
        assert receiver.enough.wait(10)
        (row,) = settled(person, 202)
    ((body, headers),) = receiver.got
    delivery = read_delivery(body, headers, [secret])
    assert delivery.tickets == (ticket_id,)
    assert row == {"id": delivery.id, "ticket": ticket_id, "status": 202, "attempts": 1}


def test_an_event_subscription_sends_the_event_body(person: Person) -> None:
    with Receiver() as receiver:
        hook = {"endpoint": receiver.url, "subscriptions": ["zen:event-type:ticket.created"]}
        made = person.post("/api/v2/webhooks", {"webhook": hook})["webhook"]
        told = person.get(f"/api/v2/webhooks/{made['id']}/signing_secret")["signing_secret"]
        body = {"subject": "a", "description": "b", "hook": True}
        ticket_id = person.post("/sandbox/tickets", body)["id"]
        assert receiver.enough.wait(10)
    ((raw, headers),) = receiver.got
    assert json.loads(raw)["subject"] == f"zen:ticket:{ticket_id}"
    assert read_delivery(raw, headers, [Secret(told["secret"])]).tickets == (ticket_id,)
    assert told["algorithm"] == "SHA256"


def test_a_busy_receiver_is_tried_again_under_the_same_id_with_a_new_signature(
    person: Person,
) -> None:
    busy = (503, {"Retry-After": "0"})
    with Receiver(busy, (409, {}), (202, {})) as receiver:
        person.post("/sandbox/webhook", {"url": receiver.url})
        person.post("/sandbox/tickets", {"subject": "a", "description": "b", "hook": True})
        assert receiver.enough.wait(10)
        (row,) = settled(person, 202)
    assert row["attempts"] == 3
    assert {headers["x-zendesk-webhook-invocation-id"] for _, headers in receiver.got} == {
        row["id"]
    }


def test_a_receiver_that_wants_a_long_pause_is_given_up(person: Person) -> None:
    with Receiver((503, {"Retry-After": "120"})) as receiver:
        person.post("/sandbox/webhook", {"url": receiver.url})
        person.post("/sandbox/tickets", {"subject": "a", "description": "b", "hook": True})
        assert receiver.enough.wait(10)
        (row,) = settled(person, 503)
    assert row["attempts"] == 1


def test_a_webhook_is_tested_with_the_public_secret_before_it_exists(person: Person) -> None:
    with Receiver((201, {})) as receiver:
        told = {"request": {"endpoint": receiver.url, "payload": '{"ticket_id":"1"}'}}
        answer = person.post("/api/v2/webhooks/test", told)
    ((body, headers),) = receiver.got
    public = Secret("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==")
    assert read_delivery(body, headers, [public]).tickets == ("1",)
    assert answer["response"]["status"] == 201
