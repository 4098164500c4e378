from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from connector.errors import ConfigError, Retry, Unauthorized
from connector.model import TenantId
from connector.retry import BREAKER, LONGEST_PAUSE
from connector.roster import PROBE, Doing, Roster

ACME, BETA = TenantId("acme"), TenantId("beta")


@pytest.fixture
def roster(clock) -> Roster:
    made = Roster([ACME, BETA], clock)
    for tenant in (ACME, BETA):
        made.admit(SimpleNamespace(tenant=tenant))  # type: ignore[arg-type]
    return made


def free(roster: Roster) -> list[TenantId]:
    seen: list[TenantId] = []
    with roster.turn(seen.extend):
        pass
    return seen


def test_a_tenant_is_in_one_threads_hands_at_a_time(roster) -> None:
    with roster.turn(lambda _: ACME) as desk:
        assert desk.tenant == ACME
        assert free(roster) == [BETA]


def test_the_tenant_that_was_served_longest_ago_comes_first(roster) -> None:
    with roster.turn(lambda _: ACME):
        pass
    assert free(roster) == [BETA, ACME]
    with roster.turn(lambda _: BETA):
        pass
    assert free(roster) == [ACME, BETA]


def test_a_tenant_in_hand_is_free_again_after_an_error(roster) -> None:
    with pytest.raises(ZeroDivisionError), roster.turn(lambda _: ACME):
        raise ZeroDivisionError
    assert free(roster) == [BETA, ACME]


def test_a_tenant_that_is_not_connected_yet_is_not_chosen(clock) -> None:
    assert free(Roster([ACME], clock)) == []


def test_a_desk_that_names_a_time_is_left_alone_until_then(roster, clock) -> None:
    assert roster.failed(ACME, Doing.TICKETS, Retry("429", after=42)) == 42
    assert free(roster) == [BETA]
    clock.pass_time(41)
    assert free(roster) == [BETA]
    clock.pass_time(1)
    assert free(roster) == [ACME, BETA]


@pytest.mark.parametrize("after", [0.0, -60.0])
def test_a_desk_that_asks_for_no_time_is_left_alone_all_the_same(roster, after) -> None:
    pauses = [roster.failed(ACME, Doing.TICKETS, Retry("429", after=after)) for _ in range(50)]
    assert max(pauses) > 1


def test_pauses_grow_with_failures_up_to_a_bound(roster) -> None:
    pauses = [roster.failed(ACME, Doing.TICKETS, Retry("503")) for _ in range(200)]
    assert all(0 <= pause <= LONGEST_PAUSE for pause in pauses)
    assert max(pauses[:1]) <= 2
    assert max(pauses[50:]) > 60


def test_a_short_failure_does_not_shorten_a_long_pause(roster, clock) -> None:
    roster.failed(ACME, Doing.TICKETS, Retry("429", after=300))
    roster.failed(ACME, Doing.TICKETS, Retry("429", after=1))
    clock.pass_time(100)
    assert free(roster) == [BETA]


def test_a_call_that_works_does_not_end_the_pause_that_another_call_was_told(roster, clock) -> None:
    roster.failed(ACME, Doing.TICKETS, Retry("429", after=60))
    with capture_logs() as logs:
        roster.worked(ACME, Doing.TICKETS)
    assert logs == []
    clock.pass_time(60)
    with capture_logs() as logs:
        roster.worked(ACME, Doing.TICKETS)
    assert [entry["event"] for entry in logs] == ["tenant_recovered"]


def test_a_poll_that_works_does_not_vouch_for_the_tickets(roster, clock) -> None:
    roster.failed(ACME, Doing.TICKETS, Retry("500", after=1))
    clock.pass_time(1)
    with capture_logs() as logs:
        roster.worked(ACME, Doing.VISIT)
    assert (roster.shaky(), logs) == ({ACME}, [])
    roster.worked(ACME, Doing.TICKETS)
    assert roster.shaky() == set()


def test_the_first_failure_and_the_recovery_are_logged_and_nothing_between(roster, clock) -> None:
    with capture_logs() as logs:
        for _ in range(5):
            roster.failed(ACME, Doing.TICKETS, Retry("503"))
        clock.pass_time(LONGEST_PAUSE)
        roster.worked(ACME, Doing.TICKETS)
        roster.worked(ACME, Doing.TICKETS)
    assert [entry["event"] for entry in logs] == ["tenant_paused", "tenant_recovered"]


@pytest.mark.parametrize("error", [Unauthorized("401"), ConfigError("no such field")])
def test_what_a_person_must_mend_stops_the_tenant_for_good(roster, clock, error) -> None:
    roster.failed(ACME, Doing.TICKETS, error)
    clock.pass_time(10**7)
    assert free(roster) == [BETA]
    assert roster.stopped() == {ACME: str(error)}


def broken(roster: Roster, clock) -> None:
    for _ in range(BREAKER):
        roster.failed(ACME, Doing.TICKETS, Retry("503", after=1))
    clock.pass_time(LONGEST_PAUSE)


def test_a_desk_that_failed_on_and_on_gets_one_call_at_a_time(roster, clock) -> None:
    broken(roster, clock)
    assert roster.desk(ACME) is not None
    assert (roster.desk(ACME), free(roster)) == (None, [BETA])
    roster.failed(ACME, Doing.VISIT, Retry("503", after=1))
    clock.pass_time(1)
    with roster.turn(lambda _: ACME):
        assert roster.desk(ACME) is None
    roster.worked(ACME, Doing.TICKETS)
    with roster.turn(lambda _: ACME):
        assert roster.desk(ACME) is not None


def test_a_probe_that_is_never_heard_of_again_bars_the_desk_for_a_while_only(roster, clock) -> None:
    broken(roster, clock)
    assert roster.desk(ACME) is not None
    clock.pass_time(PROBE - 1)
    assert roster.desk(ACME) is None
    clock.pass_time(1)
    assert roster.desk(ACME) is not None


def test_a_desk_that_failed_now_and_then_may_be_called_by_several(roster, clock) -> None:
    roster.failed(ACME, Doing.TICKETS, Retry("503", after=1))
    clock.pass_time(1)
    with roster.turn(lambda _: ACME):
        assert roster.desk(ACME) is not None
