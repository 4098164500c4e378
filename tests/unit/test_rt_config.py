"""The options of a Request Tracker desk: what is refused, and what is said to do."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.rt import RequestTrackerDesk

GOOD: dict[str, Any] = {
    "platform": "rt",
    "url": "https://rt.acme.example",
    "account": "triage",
    "token": "secret:acme.rt-token",
}


def problem(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        RequestTrackerDesk(**{**GOOD, **changes})
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://rt.acme.example", "https://rt.acme.example"),
        ("https://RT.acme.example/", "https://rt.acme.example"),
        ("https://acme.example/rt/", "https://acme.example/rt"),
        ("https://acme.example:8443/support/rt", "https://acme.example:8443/support/rt"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost/rt", "http://localhost/rt"),
    ],
)
def test_an_address_may_have_a_path(written: str, read: str) -> None:
    assert RequestTrackerDesk(**{**GOOD, "url": written}).url == read


@pytest.mark.parametrize(
    "url",
    [
        "rt.acme.example",
        "https://",
        "https://user:word@rt.acme.example",
        "https://rt.acme.example/REST/2.0",
        "https://rt.acme.example/?a=1",
        "https://rt.acme.example/#a",
        "https://rt.acme.example/a b",
        "https://rt.acme.example:99999",
        "ftp://rt.acme.example",
    ],
)
def test_anything_but_the_address_of_the_start_page_is_refused(url: str) -> None:
    assert "write the address at which people open Request Tracker" in problem(url=url)


def test_a_credential_is_not_sent_in_clear() -> None:
    assert "write https" in problem(url="http://rt.acme.example")


def test_there_is_one_credential_and_it_is_a_name() -> None:
    assert "either `token` or `password`" in problem(token=None)
    assert "either `token` or `password`" in problem(password="secret:acme.rt-password")
    assert "keep the value in the keyring" in problem(token="1-14-abc")
    assert RequestTrackerDesk(**{**GOOD, "token": None, "password": "secret:word"}).password


def test_keys_that_are_not_known_are_refused() -> None:
    assert "tag_field" in problem(tag_field="Tags")
    assert "account" in problem(account="")


def test_each_priority_has_a_number_of_its_own() -> None:
    assert "a number of its own" in problem(priorities={"low": 1, "normal": 1})
    assert "priorities" in problem(priorities={})
    assert RequestTrackerDesk(**GOOD).priorities == {
        "low": 10,
        "normal": 50,
        "high": 100,
        "urgent": 200,
    }
