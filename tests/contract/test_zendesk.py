"""The Zendesk adapter keeps the contract: against the sandbox, and on request a real account.

With TRIAGED_TEST_ZENDESK_URL, TRIAGED_TEST_ZENDESK_ACCOUNT and TRIAGED_TEST_ZENDESK_TOKEN set, the
inherited suite runs on that account instead of the sandbox. Use a trial account: tickets are filed,
changed and deleted there. It needs an administrator's token, an agent in a group, and one active
custom field of each kind: drop-down with two options, multi-select with two options, text. The
real export withholds the newest minute, so allow a quarter of an hour: `pytest --timeout 900`.
Two tests of page borders are skipped there, since its pages cannot be made small.
"""

import base64
import os
from collections.abc import Iterator, Sequence

import pytest
from notes_suite import AgentsNotes
from people import Desk
from suite import AdapterContract
from tags_suite import KeepsTags
from zendesk_people import ACCOUNT, REAL, TOKEN, URL, RealClock, ZendeskPeople

from connector.model import Secret


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    if not REAL:
        yield request.getfixturevalue("sandboxed")
        return
    people = ZendeskPeople(
        os.environ[URL], os.environ[ACCOUNT], Secret(os.environ[TOKEN]), RealClock()
    )
    yield people
    people.close()


class TestZendesk(AdapterContract, KeepsTags, AgentsNotes):
    def secrets(self, desk: ZendeskPeople) -> Sequence[Secret]:
        credential = f"{desk.account}/token:{desk.token.reveal()}"
        header = base64.b64encode(credential.encode()).decode()
        return [desk.secret, desk.token, Secret(header)]
