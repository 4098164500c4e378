from types import SimpleNamespace
from typing import Self

import pytest

from connector.errors import Retry, SecretMissing, Unauthorized
from connector.model import Secret, TenantId
from connector.ports import Surroundings
from connector.roster import Doing, Roster
from connector.settings import TenantSettings
from connector.tenancy import Changes, Tenancy

ACME, BETA = TenantId("acme"), TenantId("beta")


def settings(name: str, mode: str = "shadow") -> TenantSettings:
    aspects = {"category": {"field": "category", "mode": mode}}
    return TenantSettings(tenant=name, desk=None, aspects=aspects)


class Line:
    """An adapter that knows only whether it is open, and its secret."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.is_open = False

    def __enter__(self) -> Self:
        self.is_open = True
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.is_open = False


class World:
    """A tenancy whose adapters and secrets can be seen and changed."""

    def __init__(self, clock) -> None:
        self.secrets = {"acme": Secret("a"), "beta": Secret("b"), "gamma": Secret("c")}
        self.made: list[Line] = []
        self.roster = Roster((), clock)
        surroundings = Surroundings(secret=self._secret, clock=clock)
        self.tenancy = Tenancy(self.roster, self._make, surroundings)

    def _secret(self, name: str) -> Secret:
        if name not in self.secrets:
            raise SecretMissing(name)
        return self.secrets[name]

    def _make(self, tenant: TenantSettings, surroundings: Surroundings) -> Line:
        self.made.append(Line(surroundings.secret(tenant.tenant)))
        return self.made[-1]

    def connect(self, *tenants: TenantId) -> None:
        for tenant in tenants:
            adapter = self.tenancy.adapters[tenant]
            # No whole desk: a roster asks no more of one than its tenant and adapter.
            self.roster.admit(SimpleNamespace(tenant=tenant, adapter=adapter))  # type: ignore[arg-type]


@pytest.fixture
def world(clock) -> World:
    made = World(clock)
    changes = made.tenancy.serve([settings("acme"), settings("beta")])
    assert changes == Changes(added=(ACME, BETA))
    made.connect(ACME, BETA)
    return made


def test_what_is_the_same_is_left_alone(world) -> None:
    before = dict(world.tenancy.adapters)
    assert world.tenancy.serve([settings("beta"), settings("acme")]) == Changes()
    assert world.tenancy.adapters == before
    assert set(world.roster.connected()) == {ACME, BETA}


def test_a_changed_tenant_is_connected_anew_with_another_adapter(world) -> None:
    old = world.tenancy.adapters[ACME]
    changes = world.tenancy.serve([settings("acme", "auto"), settings("beta")])
    assert changes == Changes(changed=(ACME,))
    assert (old.is_open, world.tenancy.adapters[ACME].is_open) == (False, True)
    assert (world.roster.connected(), world.roster.wants_connection(ACME)) == ([BETA], True)


def test_a_secret_with_another_value_changes_its_tenant(world) -> None:
    world.secrets["beta"] = Secret("new")
    assert world.tenancy.serve([settings("acme"), settings("beta")]) == Changes(changed=(BETA,))
    assert world.tenancy.adapters[BETA].secret == Secret("new")


def test_a_removed_tenant_is_worked_for_no_more_and_may_come_back(world) -> None:
    assert world.tenancy.serve([settings("beta")]) == Changes(removed=(ACME,))
    assert list(world.tenancy.adapters) == [BETA]
    assert (world.roster.connected(), world.roster.desk(ACME)) == ([BETA], None)
    assert not world.roster.wants_connection(ACME)
    assert world.tenancy.serve([settings("acme"), settings("beta")]) == Changes(added=(ACME,))
    assert world.roster.wants_connection(ACME)


def test_a_tenant_that_waits_for_a_person_is_tried_again(world) -> None:
    world.roster.failed(ACME, Doing.VISIT, Unauthorized("401"))
    assert world.tenancy.serve([settings("acme"), settings("beta")]) == Changes(again=(ACME,))
    assert world.roster.stopped() == {}
    assert world.roster.wants_connection(ACME)


def test_a_missing_secret_changes_nothing_and_leaves_nothing_open(world) -> None:
    del world.secrets["beta"]
    before, made = dict(world.tenancy.adapters), len(world.made)
    with pytest.raises(SecretMissing):
        world.tenancy.serve([settings("gamma"), settings("beta")])
    assert world.tenancy.adapters == before
    assert all(adapter.is_open for adapter in before.values())
    assert [line.is_open for line in world.made[made:]] == [False]
    assert set(world.roster.connected()) == {ACME, BETA}


def test_who_works_for_a_changed_tenant_ends_alone_and_its_failure_counts_no_more(world) -> None:
    with world.roster.turn(lambda _: ACME) as desk:
        world.tenancy.serve([settings("acme", "auto"), settings("beta")])
        world.connect(ACME)
        with world.roster.turn(lambda free: free[0]) as other:
            assert other.tenant == BETA
        assert world.roster.failed(ACME, Doing.TICKETS, Unauthorized("401"), desk) == 0
    assert world.roster.stopped() == {}
    assert world.roster.desk(ACME).adapter is world.tenancy.adapters[ACME]


def test_what_is_told_of_a_removed_tenant_changes_nothing(world) -> None:
    with world.roster.turn(lambda _: ACME) as desk:
        world.tenancy.serve([settings("beta")])
        assert world.roster.failed(ACME, Doing.TICKETS, Retry("down"), desk) == 0
        world.roster.worked(ACME, Doing.TICKETS)
    assert (world.roster.connected(), world.roster.stopped()) == ([BETA], {})


def test_an_occupant_that_was_replaced_is_told_so(world) -> None:
    old = world.tenancy.occupant(ACME)
    with world.tenancy.held(old) as is_current:
        assert is_current
    world.tenancy.serve([settings("acme", "auto"), settings("beta")])
    with world.tenancy.held(old) as is_current:
        assert not is_current


def test_at_the_end_every_adapter_is_closed(world) -> None:
    world.tenancy.close()
    assert not any(line.is_open for line in world.made)
