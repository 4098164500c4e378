"""The options of a ServiceNow desk, and what connecting refuses."""

import subprocess
import sys
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from adapters.servicenow import ServiceNowDesk, platform
from adapters.servicenow.adapter import ServiceNowAdapter
from connector.errors import ConfigError
from connector.model import Secret
from connector.ports import Surroundings

BARE: dict[str, Any] = {
    "platform": "servicenow",
    "url": "https://acme.service-now.com",
    "account": "triage",
}
GOOD: dict[str, Any] = {**BARE, "password": "secret:acme.servicenow-password"}


class StillClock:
    def now(self) -> Any: ...

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


WORLD = Surroundings(secret=Secret, clock=StillClock())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://Acme.Service-Now.com/", ""),
        ("http://127.0.0.1:8000", ""),
        ("acme.service-now.com", "write the instance's address"),
        ("https://acme.service-now.com/api/now", "write the instance's address"),
        ("https://me:word@acme.service-now.com", "write the instance's address"),
        ("http://acme.service-now.com", "write https"),
    ],
)
def test_a_desk_is_named_by_its_origin(url: str, told: str) -> None:
    if told:
        with pytest.raises(ValidationError, match=told):
            ServiceNowDesk(**{**GOOD, "url": url})
    else:
        assert ServiceNowDesk(**{**GOOD, "url": url}).url == url.lower().rstrip("/")


@pytest.mark.parametrize(
    ("credential", "found"),
    [
        ({}, "found none"),
        ({"password": "secret:p", "api_key": "secret:k"}, "found password, api_key"),
        ({"password": "secret:p", "certificate": "/etc/c.pem"}, "found password, certificate"),
        ({"client_secret": "secret:c"}, "found none"),
        ({"client_id": "c"}, "client_id and client_secret go together"),
        ({"api_key": "secret:k", "client_secret": "secret:c"}, "go together"),
    ],
)
def test_exactly_one_way_to_sign_in_is_given(credential: dict[str, Any], found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        ServiceNowDesk(**BARE, **credential)


@pytest.mark.parametrize(
    "credential",
    [
        {"password": "secret:p"},
        {"client_id": "c", "client_secret": "secret:c"},
        {"api_key": "secret:k"},
        {"certificate": "/etc/triaged/client.pem"},
    ],
)
def test_each_way_alone_is_good(credential: dict[str, Any]) -> None:
    assert ServiceNowDesk(**BARE, **credential).account == "triage"


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "the password itself"},
        {"webhook_secret": "the secret itself"},
        {"account": "triage^active=false"},
        {"account": ""},
        {"table": "incident?x=1"},
        {"tags_field": "u_tags^x"},
        {"requester_field": "a.b.c"},
        {"priority_lookup": {"1": [1]}},
        {"rule_updates": -1},
        {"overlap": 0},
        {"webhook_check": "none"},
        {"passwort": "x"},
        {"platform": "zendesk"},
    ],
)
def test_what_does_not_belong_there_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServiceNowDesk(**{**GOOD, **wrong})


@pytest.mark.parametrize(
    ("table", "requester", "resolved", "derived"),
    [
        ("incident", "caller_id", ("6", "7"), True),
        ("sc_req_item", "request.requested_for", ("3", "4", "7"), False),
        ("sn_customerservice_case", "contact", ("3", "6"), False),
        ("u_our_own", "opened_by", ("3", "4", "7"), False),
    ],
)
def test_each_table_has_its_habits(
    table: str, requester: str, resolved: tuple[str, ...], *, derived: bool
) -> None:
    habits = ServiceNowDesk(**GOOD, table=table).habits
    assert (habits.requester, habits.resolved) == (requester, resolved)
    assert bool(habits.lookup) is derived


def test_the_options_count_more_than_habits() -> None:
    told = {"requester_field": "u_asker", "resolved_states": ["9"], "deleted_states": []}
    habits = ServiceNowDesk(**GOOD, **told, priority_lookup={}).habits
    assert (habits.requester, habits.resolved) == ("u_asker", ("9",))
    assert (habits.deleted, dict(habits.lookup)) == ((), {})


def test_connecting_reads_the_secrets_and_sends_nothing() -> None:
    asked: list[str] = []

    def secret(name: str) -> Secret:
        asked.append(name)
        return Secret("value")

    options = ServiceNowDesk(**GOOD, webhook_secret="secret:hook")
    with platform.connect(options, Surroundings(secret=secret, clock=StillClock())):
        assert sorted(asked) == ["acme.servicenow-password", "hook"]


def test_a_certificate_that_cannot_be_read_is_named(tmp_path) -> None:
    options = ServiceNowDesk(**BARE, certificate=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"desk\.certificate: .*none\.pem cannot be read"):
        platform.connect(options, WORLD)


def test_a_certificate_is_shown_and_no_password_sent(tmp_path, monkeypatch) -> None:
    """Not even one that requests would find in the user's .netrc for that host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine acme.service-now.com login me password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    pem = tmp_path / "client.pem"
    pem.write_text("certificate and key")
    with platform.connect(ServiceNowDesk(**BARE, certificate=pem), WORLD) as adapter:
        assert isinstance(adapter, ServiceNowAdapter)
        session = adapter._client._session
        assert session.cert == str(pem)
        prepared = session.prepare_request(requests.Request("GET", GOOD["url"]))
        assert "Authorization" not in prepared.headers


def test_naming_the_platform_loads_no_network_library_and_no_sandbox() -> None:
    names = ("requests", "adapters.servicenow.adapter", "adapters.servicenow.sandbox")
    program = f"import sys, adapters.servicenow; print([m for m in {names!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
