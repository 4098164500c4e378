"""The contract suite's desks and people; pytest is told to explain its shared modules' asserts."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.rest.sandbox import PLAIN, RestSandbox
from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox
from adapters.zendesk.sandbox import ZendeskSandbox

for name in (
    "lesser_suite",
    "line",
    "past_suite",
    "notes_suite",
    "race",
    "people",
    "rest_people",
    "rt_people",
    "sandbox_person",
    "servicenow_people",
    "suite",
    "tags_suite",
    "zendesk_people",
):
    pytest.register_assert_rewrite(name)

from people import HandClock  # noqa: E402 - registered first
from rest_people import RestPeople  # noqa: E402
from rt_people import REAL, RtPeople, RtSandboxPeople, real_people  # noqa: E402
from sandbox_person import Person  # noqa: E402
from servicenow_people import SandboxPeople as InstancePeople  # noqa: E402
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


@pytest.fixture
def rt_sandbox(clock: HandClock) -> Iterator[RtSandbox]:
    with RtSandbox(now=clock.now) as desk:
        yield desk


@pytest.fixture
def rest_sandbox(clock: HandClock) -> Iterator[RestSandbox]:
    with RestSandbox(now=clock.now) as desk:
        yield desk


@pytest.fixture
def rest(rest_sandbox: RestSandbox, clock: HandClock) -> Iterator[RestPeople]:
    with closing(RestPeople(rest_sandbox, clock)) as people:
        yield people


@pytest.fixture
def plain_rest(clock: HandClock) -> Iterator[RestPeople]:
    with (
        RestSandbox(now=clock.now, dialect=PLAIN) as desk,
        closing(RestPeople(desk, clock)) as people,
    ):
        yield people


@pytest.fixture
def servicenow(clock: HandClock) -> Iterator[ServiceNowSandbox]:
    with ServiceNowSandbox(now=clock.now) as desk:
        yield desk


@pytest.fixture
def rt_sandboxed(rt_sandbox: RtSandbox, clock: HandClock) -> Iterator[RtSandboxPeople]:
    with closing(RtSandboxPeople(rt_sandbox, clock)) as people:
        yield people


@pytest.fixture
def instance(servicenow: ServiceNowSandbox, clock: HandClock) -> Iterator[InstancePeople]:
    with closing(InstancePeople(servicenow, clock)) as people:
        yield people


@pytest.fixture
def rt_desk(request: pytest.FixtureRequest) -> Iterator[RtPeople]:
    """Give the people of the server that the environment names, else those of a sandbox."""
    if REAL:
        with closing(real_people()) as people:
            yield people
    else:
        yield request.getfixturevalue("rt_sandboxed")


@pytest.fixture
def tagless_instance(servicenow: ServiceNowSandbox, clock: HandClock) -> Iterator[InstancePeople]:
    with closing(InstancePeople(servicenow, clock, tags_field=None)) as people:
        yield people
