"""The ServiceNow adapter keeps the contract: against the sandbox, and on request a real instance.

With TRIAGED_TEST_SERVICENOW_URL, _ACCOUNT, _PASSWORD, _REQUESTER and _REQUESTER_PASSWORD set, the
inherited suite runs on that instance instead of the sandbox. Use a developer instance: incidents
are filed, changed and cancelled there. It needs an integration user with the role itil who serves
in a group, an end user, the text fields `u_suggested_assignee` and `u_triage_tags` on incident, and
a list `u_products` with two choices. Two tests of page borders are skipped there.
"""

import base64
import os
from collections.abc import Iterator, Sequence

import pytest
from notes_suite import AgentsNotes
from people import Desk
from servicenow_people import NAMES, REAL, RealClock, ServiceNowPeople
from suite import AdapterContract
from tags_suite import KeepsNoTags, KeepsTags

from connector.model import Secret


def credential(desk: ServiceNowPeople) -> Sequence[Secret]:
    header = base64.b64encode(f"{desk.account}:{desk.password.reveal()}".encode()).decode()
    return [desk.secret, desk.password, Secret(header)]


def real(**options: str | None) -> ServiceNowPeople:
    url, account, password, requester, their_password = (os.environ[name] for name in NAMES)
    agent, person = (account, Secret(password)), (requester, Secret(their_password))
    return ServiceNowPeople(url, agent, person, RealClock(), **options)


class TestServiceNow(AdapterContract, KeepsTags, AgentsNotes):
    @pytest.fixture
    def desk(self, request: pytest.FixtureRequest) -> Iterator[Desk]:
        if not REAL:
            yield request.getfixturevalue("instance")
            return
        people = real()
        yield people
        people.close()

    def secrets(self, desk: ServiceNowPeople) -> Sequence[Secret]:
        return credential(desk)


class TestServiceNowWithoutTags(AdapterContract, KeepsNoTags):
    @pytest.fixture
    def desk(self, request: pytest.FixtureRequest) -> Iterator[Desk]:
        people = real(tags_field=None) if REAL else request.getfixturevalue("tagless_instance")
        yield people
        if REAL:
            people.close()

    def secrets(self, desk: ServiceNowPeople) -> Sequence[Secret]:
        return credential(desk)
