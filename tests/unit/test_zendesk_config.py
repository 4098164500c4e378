"""The options of a Zendesk desk, and what connecting refuses."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.zendesk import ZendeskDesk, platform
from connector.errors import ConfigError
from connector.model import Secret
from connector.ports import Surroundings

GOOD: dict[str, Any] = {
    "platform": "zendesk",
    "url": "https://acme.zendesk.com",
    "account": "triage@acme.example",
    "token": "secret:acme.zendesk-token",
}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://acme.zendesk.com", "https://acme.zendesk.com"),
        ("https://Acme.Zendesk.com/", "https://acme.zendesk.com"),
        ("https://help.acme.example:8443", "https://help.acme.example:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_a_desk_is_named_by_its_origin(url: str, kept: str) -> None:
    assert ZendeskDesk(**{**GOOD, "url": url}).url == kept


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("acme.zendesk.com", "write the account's address"),
        ("https://acme.zendesk.com/api/v2", "write the account's address"),
        ("https://acme.zendesk.com?x=1", "write the account's address"),
        ("https://acme.zendesk.com#x", "write the account's address"),
        ("https://me:word@acme.zendesk.com", "write the account's address"),
        ("https://acme.zendesk.com@evil.example", "write the account's address"),
        ("https://acme.zendesk.com:port", "write the account's address"),
        ("https://acme", "write the account's address"),
        ("ftp://acme.zendesk.com", "write the account's address"),
        ("http://acme.zendesk.com", "write https"),
        ("http://127.0.0.1.evil.example", "write https"),
        ("http://localhost:8000", r"http://127\.0\.0\.1:PORT"),
        ("", "write the account's address"),
    ],
)
def test_any_other_address_is_refused_with_the_remedy(url: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ZendeskDesk(**{**GOOD, "url": url})


@pytest.mark.parametrize("account", ["triage", "triage@acme.example/token", "a@b@c", "a@b:c", ""])
def test_an_account_is_an_address_without_the_token_ending(account: str) -> None:
    with pytest.raises(ValidationError, match="without /token"):
        ZendeskDesk(**{**GOOD, "account": account})


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "the token itself"},
        {"webhook_secret": "the secret itself"},
        {"passwort": "x"},
        {"export_calls_per_minute": 0},
        {"platform": "servicenow"},
    ],
)
def test_what_does_not_belong_there_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ZendeskDesk(**{**GOOD, **wrong})


def test_defaults_spread_ten_calls_over_a_little_more_than_a_minute() -> None:
    options = ZendeskDesk(**GOOD)
    assert options.export_interval == 6.5
    assert options.webhook_secret is None
    assert options.token == "acme.zendesk-token"
    with pytest.raises(ValidationError):
        options.url = "https://other.example"


class StillClock:
    def now(self) -> Any: ...

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


def test_connecting_reads_the_secrets_and_sends_nothing() -> None:
    asked: list[str] = []

    def secret(name: str) -> Secret:
        asked.append(name)
        return Secret("value")

    options = ZendeskDesk(**GOOD, webhook_secret="secret:hook")
    with platform.connect(options, Surroundings(secret=secret, clock=StillClock())):
        assert sorted(asked) == ["acme.zendesk-token", "hook"]


def test_without_zenpy_connecting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "adapters.zendesk.adapter", raising=False)
    monkeypatch.delitem(sys.modules, "adapters.zendesk.client", raising=False)
    monkeypatch.setitem(sys.modules, "zenpy", None)
    world = Surroundings(secret=lambda _name: Secret("value"), clock=StillClock())
    with pytest.raises(ConfigError, match=r"pip install 'triaged\[zendesk\]'"):
        platform.connect(ZendeskDesk(**GOOD), world)


def test_naming_the_platform_loads_no_network_library_and_no_sandbox() -> None:
    program = (
        "import sys, adapters.zendesk; "
        "print([m for m in ('zenpy', 'requests', 'adapters.zendesk.sandbox') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
