"""The generic REST adapter keeps the contract, in dialects that differ in every option."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from lesser_suite import CarriesTheSecret, TellsOfNewOnesOnly
from notes_suite import Linked
from people import HandClock
from rest_people import RestPeople
from suite import AdapterContract
from tags_suite import KeepsNoTags, KeepsTags

from adapters.rest.sandbox import PLAIN, RestSandbox
from adapters.rest.sandbox.state import ACCOUNT
from connector.model import Secret


def credential(desk: RestPeople) -> Sequence[Secret]:
    pair = f"{ACCOUNT}:{desk.sandbox.key.reveal()}".encode()
    return [desk.secret, desk.sandbox.key, Secret(base64.b64encode(pair).decode())]


class TestByTimeWithETags(AdapterContract, KeepsTags, Linked):
    """Page numbers, a filter by time, ETags, a bearer key, HMAC over time and body."""

    @pytest.fixture
    def desk(self, rest: RestPeople) -> RestPeople:
        return rest

    def secrets(self, desk: RestPeople) -> Sequence[Secret]:
        return credential(desk)


class TestByNumberAlone(TellsOfNewOnesOnly, CarriesTheSecret, AdapterContract, KeepsTags):
    """Offsets, no filter and no time of change, Basic, the webhook's bare secret."""

    @pytest.fixture
    def desk(self, plain_rest: RestPeople) -> RestPeople:
        return plain_rest

    def secrets(self, desk: RestPeople) -> Sequence[Secret]:
        return credential(desk)


class TestBackwardsByRevision(AdapterContract, KeepsNoTags):
    """Newest first along the header `Link`, a revision in the body, no tags."""

    @pytest.fixture
    def desk(self, rest_sandbox: RestSandbox, clock: HandClock) -> Iterator[RestPeople]:
        changes = {
            "pages": {"by": "link", "size_parameter": "per_page"},
            "tickets.query": {"sort": "-updated_at"},
            "changes": {"by": "updated", "order": "descending"},
            "ticket.revision": "/version",
            "write.condition": "revision",
            "write.body": {"ticket": {"version": "{revision}"}},
            "tags": None,
        }
        with closing(RestPeople(rest_sandbox, clock, changes)) as people:
            people.mapped = type(people.mapped)(**{**vars(people.mapped), "tags": False})
            yield people


class TestByCursor(AdapterContract, KeepsTags):
    """A cursor from the answer, and the time in seconds, without a condition."""

    @pytest.fixture
    def desk(self, rest_sandbox: RestSandbox, clock: HandClock) -> Iterator[RestPeople]:
        changes = {
            "pages": {
                "by": "cursor",
                "parameter": "offset",
                "pointer": "/meta/cursor",
                "size_parameter": "per_page",
            },
            "changes.format": "unix",
            "write.condition": "none",
        }
        with closing(RestPeople(rest_sandbox, clock, changes)) as people:
            yield people


class TestByNextAddress(AdapterContract, KeepsTags):
    """An address of the next page in the answer."""

    @pytest.fixture
    def desk(self, rest_sandbox: RestSandbox, clock: HandClock) -> Iterator[RestPeople]:
        pages = {"by": "next", "pointer": "/meta/next", "size_parameter": "per_page"}
        with closing(RestPeople(rest_sandbox, clock, {"pages": pages})) as people:
            yield people


def test_the_two_dialects_share_no_option_that_matters(
    rest: RestPeople, plain_rest: RestPeople
) -> None:
    one, other = rest.desk(), plain_rest.desk()
    assert plain_rest.sandbox.dialect == PLAIN
    for section in ("auth", "pages", "tickets", "changes", "ticket", "messages", "webhook"):
        assert one[section] != other[section]
