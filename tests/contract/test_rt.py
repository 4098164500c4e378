"""The Request Tracker adapter keeps the contract: against the sandbox, and on request a real one.

With TRIAGED_TEST_RT_URL and its companions set, the inherited suite runs on that server instead of
the sandbox; `python tests/e2e/rt5.py FOLDER` starts Debian's and prints them all. Use a server for
tests: tickets are filed, changed and deleted there. Its queue needs the custom fields of
`tests/e2e/rt5_seed.pl`, and somebody who is AdminCc of that queue alone.
"""

import base64
from collections.abc import Sequence

import pytest
from rt_people import RtPeople
from suite import AdapterContract

from connector.model import Secret


@pytest.fixture
def desk(rt_desk: RtPeople) -> RtPeople:
    return rt_desk


class TestRt(AdapterContract):
    def secrets(self, desk: RtPeople) -> Sequence[Secret]:
        coded = base64.b64encode(desk.tokens["triage"].reveal().encode()).decode()
        return [desk.secret, *desk.tokens.values(), Secret(coded)]
