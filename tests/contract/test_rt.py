"""The Request Tracker adapter keeps the contract: against the sandbox, and on request a real one.

With TRIAGED_TEST_RT_URL and its companions set, the inherited suite runs on that server instead of
the sandbox; `python tests/e2e/rt5.py FOLDER` starts Debian's and prints them all. Use a server for
tests: tickets are filed, changed and deleted there. Its queue needs the custom fields of
`tests/e2e/rt5_seed.pl`, and somebody who is AdminCc of that queue alone.
"""

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from notes_suite import AgentsNotes
from people import HandClock
from rt_people import REAL, RtPeople, RtSandboxPeople, real_people
from suite import AdapterContract
from tags_suite import KeepsNoTags, KeepsTags

from adapters.rt.sandbox import RtSandbox
from connector.model import Secret


def credential(desk: RtPeople) -> Sequence[Secret]:
    coded = base64.b64encode(desk.tokens["triage"].reveal().encode()).decode()
    return [desk.secret, *desk.tokens.values(), Secret(coded)]


class TestRt(AdapterContract, KeepsTags, AgentsNotes):
    @pytest.fixture
    def desk(self, rt_desk: RtPeople) -> RtPeople:
        return rt_desk

    def secrets(self, desk: RtPeople) -> Sequence[Secret]:
        return credential(desk)


class TestRtWithoutTags(AdapterContract, KeepsNoTags):
    @pytest.fixture
    def desk(self, rt_sandbox: RtSandbox, clock: HandClock) -> Iterator[RtPeople]:
        sandboxed = RtSandboxPeople(rt_sandbox, clock, tags_field=None)
        with closing(real_people(tags_field=None) if REAL else sandboxed) as people:
            yield people

    def secrets(self, desk: RtPeople) -> Sequence[Secret]:
        return credential(desk)
