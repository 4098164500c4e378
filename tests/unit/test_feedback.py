from dataclasses import replace
from datetime import timedelta

import pytest
from by_hand import ACME, TWO_GROUPS, HandDaemon, changed, rule

from connector.decide import Step
from connector.holdout import is_held_out
from connector.model import Action, Aspect, Mode, Status, TenantId, TicketId
from connector.store import Answer, Fate
from connector.store.schema import feedback as table

LATER = timedelta(days=8).total_seconds()


def fate(store, ticket: TicketId, aspect: Aspect = Aspect.CATEGORY) -> Answer | None:
    return next((one for one in store.feedback.of(ACME, [ticket]) if one.aspect is aspect), None)


def daemon_with(store, desk, clock, **more: object) -> HandDaemon:
    daemon = HandDaemon(store, changed(desk, **more), clock)
    daemon.poller.look(ACME)
    return daemon


def test_a_value_that_a_person_changes_is_a_correction(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    daemon.round()
    assert fate(store, ticket).state is Fate.KEPT
    adapter.change(ticket, fields={"category": "software"})
    daemon.round()
    found = fate(store, ticket)
    assert (found.state, found.label, found.value, found.truth) == (
        Fate.CORRECTED,
        "network",
        "network",
        "software",
    )
    assert (found.action, found.bundle, found.judged_at) == (Action.WRITE, "words@1", None)


def test_a_value_that_stands_at_the_end_is_kept_and_judged(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, status=Status.RESOLVED)
    daemon.round()
    assert fate(store, ticket).state is Fate.KEPT
    [trial] = [one for one in store.feedback.trials(ACME) if one.aspect is Aspect.CATEGORY]
    assert (trial.label, trial.is_right) == ("network", True)


def test_a_correction_is_judged_at_the_end_too_and_not_before(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, fields={"category": "software"})
    daemon.round()
    assert store.feedback.trials(ACME) == ()
    adapter.change(ticket, status=Status.RESOLVED)
    daemon.round()
    [trial] = [one for one in store.feedback.trials(ACME) if one.aspect is Aspect.CATEGORY]
    assert not trial.is_right


def test_what_stood_for_long_is_judged_without_a_look(daemon, adapter, store, clock) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    daemon.round()
    clock.pass_time(LATER)
    assert store.feedback.mature(clock.now().timestamp() - LATER - 60) == 0
    assert store.feedback.mature(clock.now().timestamp() - LATER + 60) == 1
    judged = fate(store, ticket)
    assert judged.judged_at == clock.now().timestamp()
    adapter.change(ticket, fields={"category": "software"})
    daemon.round()
    again = fate(store, ticket)
    assert (again.state, again.judged_at) == (Fate.CORRECTED, judged.judged_at)


def test_what_a_person_changed_back_is_never_set_again(daemon, adapter, store) -> None:
    ticket = adapter.arrive("hardware", "is broken")
    daemon.round()
    for value in ("software", "hardware"):  # the person's own, though it is what we had said
        adapter.change(ticket, fields={"category": value})
        daemon.round()
    assert fate(store, ticket).state is Fate.KEPT
    adapter.reply(ticket, "it is the network")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "hardware"
    verdict = store.ledger.of(ACME, ticket)[-1].verdicts[0]
    assert (verdict.action, verdict.reason) == (
        Action.PERSON,
        "a person corrected this ticket; it stays",
    )


def test_a_suggestion_is_judged_by_what_the_person_put_into_the_field(
    daemon, adapter, store
) -> None:
    right = adapter.arrive("network", "urgent")
    wrong = adapter.arrive("network", "not so fast")
    daemon.round()
    assert fate(store, right, Aspect.PRIORITY) is None
    daemon.round()
    assert fate(store, right, Aspect.PRIORITY).state is Fate.OPEN
    for ticket in (right, wrong):
        adapter.change(ticket, fields={"priority": "high"}, status=Status.RESOLVED)
    daemon.round()
    assert fate(store, right, Aspect.PRIORITY).state is Fate.KEPT
    found = fate(store, wrong, Aspect.PRIORITY)
    assert (found.state, found.truth) == (Fate.CORRECTED, "high")


def test_a_suggestion_that_is_taken_away_was_wrong(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network", "urgent")
    daemon.round()
    adapter.change(ticket, tags=[])
    daemon.round()
    found = fate(store, ticket, Aspect.PRIORITY)
    assert (found.state, found.truth) == (Fate.CORRECTED, "")


def test_a_suggestion_that_nobody_answered_says_nothing(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network", "urgent")
    daemon.round()
    adapter.change(ticket, status=Status.RESOLVED)
    daemon.round()
    assert not [one for one in store.feedback.trials(ACME) if one.aspect is Aspect.PRIORITY]


def test_a_desks_own_default_is_nobodys_choice(store, desk, adapter, clock) -> None:
    quiet = replace(rule(Aspect.CATEGORY, "category", Mode.SHADOW), treat_as_empty={"account"})
    daemon = daemon_with(store, desk, clock, rules=(quiet,))
    ticket = adapter.arrive("network down", "no network", fields={"category": "account"})
    daemon.round()
    adapter.change(ticket, status=Status.RESOLVED)
    daemon.round()
    assert fate(store, ticket).state is Fate.OPEN


@pytest.mark.parametrize("chosen", ["network", "hardware"])
def test_shadow_is_judged_by_what_people_chose_by_themselves(
    store, desk, adapter, clock, chosen
) -> None:
    daemon = daemon_with(
        store, desk, clock, rules=(rule(Aspect.CATEGORY, "category", Mode.SHADOW),)
    )
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, fields={"category": chosen}, status=Status.RESOLVED)
    daemon.round()
    [trial] = store.feedback.trials(ACME)
    assert (trial.action, trial.is_right) == (Action.RECORD, chosen == "network")
    # Nobody overruled us: we had said nothing.
    assert fate(store, ticket).corrected_at is None


def test_a_suggested_name_is_judged_by_who_had_the_ticket(store, desk, adapter, clock) -> None:
    daemon = daemon_with(
        store, desk, clock, staff=TWO_GROUPS, rules=(rule(Aspect.ASSIGNEE, "suggested"),)
    )
    for _ in range(12):
        solved = adapter.arrive("network", "network")
        adapter.change(solved, status=Status.RESOLVED, fields={"group": "g1", "assignee": "a1"})
    ticket = adapter.arrive("network", "is down")
    daemon.round()
    adapter.change(ticket, fields={"assignee": "a2"})
    daemon.round()
    assert fate(store, ticket, Aspect.ASSIGNEE).state is Fate.OPEN
    adapter.change(ticket, status=Status.RESOLVED)
    daemon.round()
    found = fate(store, ticket, Aspect.ASSIGNEE)
    assert (found.state, found.label, found.truth) == (Fate.CORRECTED, "a1", "a2")


def test_a_ticket_that_is_held_out_is_predicted_and_left_untouched(
    store, desk, adapter, clock
) -> None:
    daemon = daemon_with(store, desk, clock, holdout=0.5)
    tickets = [adapter.arrive("network down", "urgent: no network") for _ in range(40)]
    daemon.round()
    left = [ticket for ticket in tickets if not adapter.writes(ticket)]
    assert left == [ticket for ticket in tickets if is_held_out(ACME, ticket, 0.5)]
    assert 8 <= len(left) <= 32
    [entry] = store.ledger.of(ACME, left[0])
    assert [verdict.action for verdict in entry.verdicts] == [Action.HOLDOUT, Action.HOLDOUT]
    adapter.change(left[0], fields={"category": "hardware"}, status=Status.RESOLVED)
    daemon.round()
    [trial] = store.feedback.trials(ACME)
    assert (trial.action, trial.is_right) == (Action.HOLDOUT, False)
    adapter.reply(left[1], "it is the hardware")
    daemon.round()
    assert adapter.writes(left[1]) == 0


def test_the_share_that_is_held_out_is_the_share_that_was_asked_for() -> None:
    tickets = [TicketId(str(number)) for number in range(20_000)]
    held = {one for one in tickets if is_held_out(ACME, one, 0.05)}
    assert 880 <= len(held) <= 1120  # four standard deviations
    assert held < {one for one in tickets if is_held_out(ACME, one, 0.1)}
    others = {one for one in tickets if is_held_out(TenantId("beta"), one, 0.05)}
    assert len(held & others) <= 100  # not the same tickets again
    assert not any(is_held_out(ACME, one, 0.0) for one in tickets[:100])


def test_a_class_may_go_less_far_than_its_aspect(store, desk, adapter, clock) -> None:
    steps = {"network": Step(mode=Mode.SUGGEST, precision=0.0)}
    rules = (replace(rule(Aspect.CATEGORY, "category"), steps=steps),)
    daemon = daemon_with(store, desk, clock, rules=rules)
    one, other = adapter.arrive("network", "is down"), adapter.arrive("hardware", "is broken")
    daemon.round()
    assert adapter.read(one).tags == {"triaged_category_network"}
    assert adapter.read(other).fields["category"] == "hardware"


def test_feedback_holds_no_ticket_text() -> None:
    assert {column.name for column in table.columns} == {"tenant", *Answer.__slots__}


def test_the_way_of_a_ticket_is_counted(daemon, adapter, store, clock) -> None:
    ticket = adapter.arrive("network down", "no network")
    filed = clock.now().timestamp()
    daemon.round()
    clock.pass_time(600)
    for agent in ("a1", "a2", "a2", "a1"):
        adapter.change(ticket, fields={"assignee": agent})
        daemon.round()
    for status in (Status.RESOLVED, Status.OPEN, Status.RESOLVED):
        adapter.change(ticket, status=status)
        daemon.round()
    [way] = store.cases.ways(ACME)
    assert (way.ticket, way.filed_at, way.assigned_at) == (ticket, filed, filed + 600)
    assert (way.reassigned, way.reopened) == (2, 1)
