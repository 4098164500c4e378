"""Signed webhook calls of Zendesk: the recipe, and everything that only looks like it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from people import HandClock
from zendesk_people import HOOK_KEY, SandboxPeople, signed_headers

from adapters import zendesk
from adapters.zendesk.adapter import ZendeskAdapter
from adapters.zendesk.config import PUBLIC_TEST_SECRET
from connector.errors import ConfigError, Forged, Unreadable
from connector.model import Secret
from connector.ports import Surroundings

VECTOR_KEY = b"our-own-test-secret-01"
VECTOR_BODY = '{"ticket_id":"4711","note":"Gr\u00fc\u00dfe \u2013 \u6e29\u5ea6"}'.encode()
VECTOR_TIME = "2026-01-02T03:04:05Z"
VECTOR_SIGNATURE = "l4qKyeBMgVYTSpKcYk7GYOuxibEOE+RsfFofTwe1YqI="


class TestSignatures:
    @pytest.fixture
    def receiver(self, sandboxed: SandboxPeople) -> Iterator[ZendeskAdapter]:
        with sandboxed.connect(hook=Secret(VECTOR_KEY.decode())) as adapter:
            yield adapter

    def test_the_worked_example_is_accepted(self, receiver: ZendeskAdapter) -> None:
        headers = {
            "x-zendesk-webhook-signature": VECTOR_SIGNATURE,
            "x-zendesk-webhook-signature-timestamp": VECTOR_TIME,
        }
        delivery = receiver.parse_webhook(VECTOR_BODY, headers)
        assert delivery.tickets == ("4711",)
        assert delivery.sent_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert delivery.id == VECTOR_SIGNATURE

    def test_the_parts_in_the_other_order_are_forged(self, receiver: ZendeskAdapter) -> None:
        moment = datetime.fromisoformat(VECTOR_TIME)
        headers = signed_headers(VECTOR_BODY, VECTOR_KEY, moment, body_first=True)
        with pytest.raises(Forged):
            receiver.parse_webhook(VECTOR_BODY, headers)

    def test_a_key_is_text_even_when_it_is_base64(self, sandboxed: SandboxPeople) -> None:
        key = base64.b64encode(VECTOR_KEY)
        moment = datetime.fromisoformat(VECTOR_TIME)
        with sandboxed.connect(hook=Secret(key.decode())) as adapter:
            adapter.parse_webhook(VECTOR_BODY, signed_headers(VECTOR_BODY, key, moment))
            with pytest.raises(Forged):
                adapter.parse_webhook(VECTOR_BODY, signed_headers(VECTOR_BODY, VECTOR_KEY, moment))

    @pytest.mark.parametrize(
        "body",
        [
            {"ticket_id": "4711"},
            {"ticket_id": 4711},
            {"type": "zen:event-type:ticket.created", "detail": {"id": "4711"}, "id": "e-1"},
            {"type": "zen:event-type:ticket.comment_added", "detail": {"id": 4711}},
        ],
    )
    def test_events_and_triggers_name_their_ticket(
        self, sandboxed: SandboxPeople, body: dict[str, Any]
    ) -> None:
        raw = json.dumps(body).encode()
        delivery = sandboxed.adapter.parse_webhook(raw, sandboxed.sign(raw, HOOK_KEY))
        assert delivery.tickets == ("4711",)
        assert delivery.id == "01HINVOCATION"

    @pytest.mark.parametrize(
        "body",
        [
            {"type": "zen:event-type:user.created", "detail": {"id": "4711"}},
            {"ticket_id": "47 11"},
            {"ticket_id": True},
            {"ticket_id": {"id": 4711}},
            {"ticket_id": "{{ticket.id}}"},
        ],
    )
    def test_bodies_that_name_no_ticket_are_unreadable(
        self, sandboxed: SandboxPeople, body: dict[str, Any]
    ) -> None:
        raw = json.dumps(body).encode()
        with pytest.raises(Unreadable):
            sandboxed.adapter.parse_webhook(raw, sandboxed.sign(raw, HOOK_KEY))

    @pytest.mark.parametrize("timestamp", ["1767323045", "yesterday", ""])
    def test_a_signed_time_that_is_not_iso_is_forged(
        self, sandboxed: SandboxPeople, timestamp: str
    ) -> None:
        raw = b'{"ticket_id": 1}'
        digest = hmac.new(HOOK_KEY.reveal().encode(), timestamp.encode() + raw, hashlib.sha256)
        headers = {
            "x-zendesk-webhook-signature": base64.b64encode(digest.digest()).decode(),
            "x-zendesk-webhook-signature-timestamp": timestamp,
        }
        with pytest.raises(Forged):
            sandboxed.adapter.parse_webhook(raw, headers)

    def test_without_a_configured_secret_every_call_is_forged(self, clock: HandClock) -> None:
        options = zendesk.ZendeskDesk(
            platform="zendesk",
            url="https://acme.zendesk.com",
            account="a@b.example",
            token="secret:t",
        )
        world = Surroundings(secret=lambda _name: Secret("t"), clock=clock)
        raw = b'{"ticket_id": 1}'
        with zendesk.connect(options, world) as adapter, pytest.raises(Forged):
            adapter.parse_webhook(raw, signed_headers(raw, b"", clock.now()))

    def test_the_secret_before_is_good_while_it_is_named(self, clock: HandClock) -> None:
        options = zendesk.ZendeskDesk(
            platform="zendesk",
            url="https://acme.zendesk.com",
            account="a@b.example",
            token="secret:t",
            webhook_secret="secret:new",
            previous_webhook_secret="secret:old",
        )
        world = Surroundings(secret=Secret, clock=clock)
        raw = b'{"ticket_id": 1}'
        with zendesk.connect(options, world) as adapter:
            for key in (b"new", b"old"):
                headers = signed_headers(raw, key, clock.now())
                assert adapter.parse_webhook(raw, headers).tickets == ("1",)
            with pytest.raises(Forged):
                adapter.parse_webhook(raw, signed_headers(raw, b"older", clock.now()))

    def test_the_public_test_secret_is_refused_when_connecting(
        self, sandboxed: SandboxPeople
    ) -> None:
        assert base64.b64decode(PUBLIC_TEST_SECRET) == b"this_secret_is_for_testing_only"
        with pytest.raises(ConfigError, match="public test secret"):
            sandboxed.connect(hook=Secret(PUBLIC_TEST_SECRET))
