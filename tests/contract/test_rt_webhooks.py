"""Signed calls of the scrip: the recipe, and everything that only looks like it."""

import json
import re
from typing import Any

import pytest
import requests
from pages import ROOT, blocks
from people import SUBJECT, TEXT, HandClock
from rt_people import HOOK_KEY, RtSandboxPeople, signature
from sandbox_person import Receiver

from adapters import rt
from adapters.rt.adapter import RequestTrackerAdapter
from connector.errors import Forged, Unreadable
from connector.model import Secret
from connector.ports import Surroundings

TIME = "2026-01-02T03:04:05Z"
VECTOR_KEY = b"our-own-test-secret-01"
VECTOR_BODY = b'{"ticket":4711,"time":"2026-01-02T03:04:05Z","transaction":815}'
VECTOR = "sha256=ad315d42f765c8bf0ce403024d468941bdb8e851676b3f5ac2adec1c491b6ed6"
HOW_TO = ROOT / "docs" / "how-to" / "connect-request-tracker.md"


def adapter(clock: HandClock, *keys: str) -> Any:
    names = dict(zip(("webhook_secret", "previous_webhook_secret"), keys, strict=False))
    options = rt.RequestTrackerDesk(
        platform="rt",
        url="https://rt.acme.example",
        account="triage",
        token="secret:token",
        **{name: f"secret:{key}" for name, key in names.items()},
    )
    return rt.connect(options, Surroundings(secret=Secret, clock=clock))


def test_the_how_tos_scrip_signs_what_is_verified_here() -> None:
    """The recipe's parts by name; the whole runs on a real server in tests/e2e/test_real_rt.py."""
    _, action = (each.text for each in blocks(HOW_TO) if each.kind == "perl")
    assert 'X-Triaged-Signature\' => "sha256=$seal"' in action
    assert re.search(r"hmac_sha256_hex\( \$body, RT->Config->Get\('TriagedSecret'\) \)", action)
    assert '\'{"ticket":%d,"time":"%s","transaction":%d}\'' in action
    assert "timeout => 3" in action


def test_the_worked_example_is_accepted(clock: HandClock) -> None:
    """Computed by another program: `openssl dgst -sha256 -hmac KEY`."""
    with adapter(clock, VECTOR_KEY.decode()) as desk:
        assert desk.parse_webhook(VECTOR_BODY, {"x-triaged-signature": VECTOR}).tickets == ("4711",)


@pytest.mark.parametrize(
    "body",
    [
        {"ticket": 4711, "time": TIME, "transaction": 1},
        {"ticket": "4711", "time": "2026-01-02T05:04:05+02:00"},
    ],
)
def test_a_call_names_its_ticket_and_its_time(clock: HandClock, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    with adapter(clock, "key") as desk:
        delivery = desk.parse_webhook(raw, {"x-triaged-signature": signature(raw, b"key")})
    assert delivery.tickets == ("4711",)
    assert delivery.sent_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert delivery.id == signature(raw, b"key")


@pytest.mark.parametrize(
    "body",
    [
        {"ticket": 4711},
        {"ticket": 4711, "time": "yesterday"},
        {"ticket": 4711, "time": None},
        {"ticket": True, "time": TIME},
        {"ticket": "47 11", "time": TIME},
        {"ticket": "\uff14", "time": TIME},
        {"ticket": -1, "time": TIME},
        {"ticket": [4711], "time": TIME},
        {"time": TIME},
    ],
)
def test_a_signed_body_without_ticket_or_time_is_unreadable(
    clock: HandClock, body: dict[str, Any]
) -> None:
    """Without a signed time a recorded call could be repeated for ever."""
    raw = json.dumps(body).encode()
    with adapter(clock, "key") as desk, pytest.raises(Unreadable):
        desk.parse_webhook(raw, {"x-triaged-signature": signature(raw, b"key")})


def test_a_signature_must_be_whole(clock: HandClock) -> None:
    raw = json.dumps({"ticket": 1, "time": TIME}).encode()
    good = signature(raw, b"key")
    with adapter(clock, "key") as desk:
        for given in (good.removeprefix("sha256="), good.upper(), good[:-1], f"{good} ", ""):
            with pytest.raises(Forged):
                desk.parse_webhook(raw, {"x-triaged-signature": given})


def test_without_a_configured_secret_every_call_is_forged(clock: HandClock) -> None:
    raw = json.dumps({"ticket": 1, "time": TIME}).encode()
    with adapter(clock) as desk, pytest.raises(Forged, match="no webhook secret"):
        desk.parse_webhook(raw, {"x-triaged-signature": signature(raw, b"")})


def test_the_secret_before_is_good_while_it_is_named(clock: HandClock) -> None:
    raw = json.dumps({"ticket": 1, "time": TIME}).encode()
    with adapter(clock, "new", "old") as desk:
        for key in (b"new", b"old"):
            assert desk.parse_webhook(raw, {"x-triaged-signature": signature(raw, key)}).tickets
        with pytest.raises(Forged):
            desk.parse_webhook(raw, {"x-triaged-signature": signature(raw, b"older")})


class TestTheSandboxesScrip:
    @pytest.fixture
    def receiver(self, rt_sandboxed: RtSandboxPeople) -> RequestTrackerAdapter:
        hook = {"hook": rt_sandboxed.sandbox.webhook_secret}
        desk: RequestTrackerAdapter = rt_sandboxed.connect(hook)
        return desk

    def test_it_calls_for_what_is_filed_and_answered(
        self, rt_sandboxed: RtSandboxPeople, receiver: RequestTrackerAdapter
    ) -> None:
        with Receiver((202, {}), (202, {})) as heard:
            rt_sandboxed.sandbox.scrip.url = heard.url
            ticket = rt_sandboxed.arrive(SUBJECT, TEXT)
            rt_sandboxed.reply(ticket, "and more")
            assert heard.enough.wait(10)
        deliveries = [receiver.parse_webhook(*call) for call in heard.got]
        assert [each.tickets for each in deliveries] == [(ticket,), (ticket,)]
        assert len({each.id for each in deliveries}) == 2

    def test_it_does_not_call_again(self, rt_sandboxed: RtSandboxPeople) -> None:
        sandbox = rt_sandboxed.sandbox
        with Receiver((503, {"Retry-After": "1"})) as heard:
            sandbox.scrip.url = heard.url
            rt_sandboxed.arrive(SUBJECT, TEXT)
            assert heard.enough.wait(10)
            sandbox.scrip.close()
        rows = requests.get(f"{sandbox.url}/sandbox/webhook/deliveries", timeout=10).json()
        assert [(row["status"], row["attempts"]) for row in rows] == [(503, 1)]
        assert HOOK_KEY.reveal() not in str(heard.got)
