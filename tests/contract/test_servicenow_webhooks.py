"""Calls of the business rule: the recipe, and everything that only looks like it."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from people import HandClock
from servicenow_people import HOOK_KEY, SandboxPeople, signed_headers

from adapters import servicenow
from adapters.servicenow.adapter import ServiceNowAdapter
from connector.errors import Forged, Unreadable
from connector.model import Secret
from connector.ports import Surroundings

VECTOR_KEY = b"our-own-test-secret-01"
VECTOR_ID = "9d385017c611228701d22104cc95c371"
VECTOR_BODY = b'{"table":"incident","sys_id":"%s","sys_mod_count":"5"}' % VECTOR_ID.encode()
VECTOR_TIME = "1767323045"
VECTOR_SIGNATURE = "HCmcI/dEouDQlhdRc3jUeOE7HJIiRzSEcG9OLhCD3wI="
GOOD: dict[str, Any] = {"table": "incident", "sys_id": VECTOR_ID, "sys_mod_count": "5"}


class TestSignatures:
    @pytest.fixture
    def receiver(self, instance: SandboxPeople) -> Iterator[ServiceNowAdapter]:
        with instance.connect({"hook": Secret(VECTOR_KEY.decode())}) as adapter:
            yield adapter

    def test_the_worked_example_is_accepted(self, receiver: ServiceNowAdapter) -> None:
        headers = {"x-triaged-signature": VECTOR_SIGNATURE, "x-triaged-timestamp": VECTOR_TIME}
        delivery = receiver.parse_webhook(VECTOR_BODY, headers)
        assert delivery.tickets == (VECTOR_ID,)
        assert delivery.sent_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert delivery.id == f"{VECTOR_ID}.5"

    def test_the_recipe_has_a_dot(self, receiver: ServiceNowAdapter) -> None:
        moment = datetime.fromtimestamp(int(VECTOR_TIME), UTC)
        assert signed_headers(VECTOR_BODY, VECTOR_KEY, moment) == {
            "x-triaged-signature": VECTOR_SIGNATURE,
            "x-triaged-timestamp": VECTOR_TIME,
        }
        headers = signed_headers(VECTOR_BODY, VECTOR_KEY, moment, dot=b"")
        with pytest.raises(Forged):
            receiver.parse_webhook(VECTOR_BODY, headers)

    def test_another_time_is_forged(self, receiver: ServiceNowAdapter) -> None:
        headers = {"x-triaged-signature": VECTOR_SIGNATURE, "x-triaged-timestamp": "1767323046"}
        with pytest.raises(Forged):
            receiver.parse_webhook(VECTOR_BODY, headers)

    def test_a_key_is_text_even_when_it_is_base64(self, instance: SandboxPeople) -> None:
        key = base64.b64encode(VECTOR_KEY)
        moment = datetime.fromtimestamp(int(VECTOR_TIME), UTC)
        with instance.connect({"hook": Secret(key.decode())}) as adapter:
            adapter.parse_webhook(VECTOR_BODY, signed_headers(VECTOR_BODY, key, moment))
            with pytest.raises(Forged):
                adapter.parse_webhook(VECTOR_BODY, signed_headers(VECTOR_BODY, VECTOR_KEY, moment))

    @pytest.mark.parametrize(
        "timestamp", ["2026-01-02T03:04:05Z", "yesterday", "", "１７６７３２３０４５"]
    )
    def test_a_signed_time_that_is_no_unix_time_is_forged(
        self, instance: SandboxPeople, timestamp: str
    ) -> None:
        from adapters.servicenow.webhook import signature  # noqa: PLC0415 signs what nobody should

        raw = json.dumps(GOOD).encode()
        proof = signature(HOOK_KEY, timestamp, raw)
        headers = {"x-triaged-signature": proof, "x-triaged-timestamp": timestamp}
        with pytest.raises(Forged, match="no Unix time"):
            instance.adapter.parse_webhook(raw, headers)

    def test_the_name_of_a_delivery_is_signed_with_it(self, instance: SandboxPeople) -> None:
        """Whoever catches a call cannot send it again under another name."""
        raw = json.dumps(GOOD).encode()
        headers = {**instance.sign(raw, HOOK_KEY), "x-triaged-delivery": "another"}
        assert instance.adapter.parse_webhook(raw, headers).id == f"{VECTOR_ID}.5"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"table": "problem"},
            {"table": None},
            {"sys_id": "4711"},
            {"sys_id": VECTOR_ID.upper()},
            {"sys_id": [VECTOR_ID]},
            {"sys_mod_count": ""},
            {"sys_mod_count": "${count}"},
        ],
    )
    def test_bodies_that_name_no_row_of_ours_are_unreadable(
        self, instance: SandboxPeople, wrong: dict[str, Any]
    ) -> None:
        raw = json.dumps({**GOOD, **wrong}).encode()
        with pytest.raises(Unreadable):
            instance.adapter.parse_webhook(raw, instance.sign(raw, HOOK_KEY))

    def test_a_count_may_be_a_number(self, instance: SandboxPeople) -> None:
        raw = json.dumps({**GOOD, "sys_mod_count": 5}).encode()
        delivery = instance.adapter.parse_webhook(raw, instance.sign(raw, HOOK_KEY))
        assert delivery.id == f"{VECTOR_ID}.5"

    def test_the_secret_before_is_good_while_it_is_named(self, clock: HandClock) -> None:
        raw = json.dumps(GOOD).encode()
        with _receiver(clock, previous_webhook_secret="secret:old") as adapter:
            for key in (b"new", b"old"):
                headers = signed_headers(raw, key, clock.now())
                assert adapter.parse_webhook(raw, headers).tickets == (VECTOR_ID,)
            with pytest.raises(Forged):
                adapter.parse_webhook(raw, signed_headers(raw, b"older", clock.now()))

    def test_without_a_configured_secret_every_call_is_forged(self, clock: HandClock) -> None:
        raw = json.dumps(GOOD).encode()
        for check in ("signature", "secret"):
            with _receiver(clock, webhook_secret=None, webhook_check=check) as adapter:
                headers = {**signed_headers(raw, b"", clock.now()), "x-triaged-secret": ""}
                with pytest.raises(Forged, match="no webhook secret is configured"):
                    adapter.parse_webhook(raw, headers)


class TestTheSecretItself:
    """For instances whose scripts cannot sign; what is chosen is accepted, and nothing else."""

    def test_it_is_accepted_when_it_is_chosen(self, clock: HandClock) -> None:
        raw = json.dumps(GOOD).encode()
        with _receiver(clock, webhook_check="secret") as adapter:
            delivery = adapter.parse_webhook(raw, {"x-triaged-secret": "new"})
            assert (delivery.tickets, delivery.sent_at) == ((VECTOR_ID,), None)
            for headers in (
                {"x-triaged-secret": "ne"},
                {},
                signed_headers(raw, b"new", clock.now()),
            ):
                with pytest.raises(Forged):
                    adapter.parse_webhook(raw, headers)

    def test_it_opens_nothing_where_calls_are_signed(self, clock: HandClock) -> None:
        with _receiver(clock) as adapter, pytest.raises(Forged):
            adapter.parse_webhook(json.dumps(GOOD).encode(), {"x-triaged-secret": "new"})


def _receiver(clock: HandClock, **options: Any) -> Any:
    usual: dict[str, Any] = {
        "platform": "servicenow",
        "url": "https://acme.service-now.com",
        "account": "triage",
        "password": "secret:password",
        "webhook_secret": "secret:new",
    }
    world = Surroundings(secret=Secret, clock=clock)
    return servicenow.connect(servicenow.ServiceNowDesk(**{**usual, **options}), world)
