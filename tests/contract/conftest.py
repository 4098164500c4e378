"""Lets the contract's suite be imported by name (folders of tests are no packages); fixtures."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.zendesk.sandbox import ZendeskSandbox

sys.path.insert(0, str(Path(__file__).parent))
for name in ("people", "sandbox_person", "suite", "zendesk_people"):
    pytest.register_assert_rewrite(name)

from people import HandClock  # noqa: E402 found through the line above
from sandbox_person import Person  # noqa: E402
from zendesk_people import SandboxPeople  # noqa: E402


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def sandbox(clock: HandClock) -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox(now=clock.now) as desk:
        yield desk


@pytest.fixture
def person(sandbox: ZendeskSandbox) -> Iterator[Person]:
    with closing(Person(sandbox)) as someone:
        yield someone


@pytest.fixture
def sandboxed(sandbox: ZendeskSandbox, clock: HandClock) -> Iterator[SandboxPeople]:
    with closing(SandboxPeople(sandbox, clock)) as people:
        yield people
