from collections.abc import Sequence
from threading import Event
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from adapters.memory import FIELDS, MemoryAdapter
from connector.decide import Rule
from connector.desk import Desk
from connector.errors import Conflict, Rejected, Retry, Unauthorized
from connector.metrics import Metrics
from connector.model import (
    TAGS,
    Action,
    Agent,
    Aspect,
    FieldUpdate,
    Group,
    Identity,
    Mode,
    Staff,
    Status,
    TenantId,
    Ticket,
    TicketId,
)
from connector.pipeline import Ending, triage
from connector.poll import Poller
from connector.roster import Roster
from connector.store import Outcome, Store
from connector.worker import MOST_ATTEMPTS, Bell, Worker

ACME = TenantId("acme")
BY_ID = {field.id: field for field in FIELDS}


def rule(aspect: Aspect, field: str, mode: Mode = Mode.AUTO) -> Rule:
    return Rule(aspect=aspect, field=BY_ID[field], mode=mode, values=MappingProxyType({}))


RULES = (rule(Aspect.CATEGORY, "category"), rule(Aspect.PRIORITY, "priority", Mode.SUGGEST))


@pytest.fixture
def adapter(clock) -> MemoryAdapter:
    return MemoryAdapter(clock)


@pytest.fixture
def desk(adapter, classifier) -> Desk:
    return Desk(
        tenant=ACME,
        adapter=adapter,
        classifier=classifier,
        bundle="words@1",
        identity=Identity(account="memory", name="Triage"),
        rules=RULES,
        staff=Staff(),
    )


class Daemon:
    """The daemon's parts, turned by hand."""

    def __init__(self, store: Store, desk: Desk, clock) -> None:
        self.roster = Roster([ACME], clock)
        self.roster.admit(desk)
        self.worker = Worker(
            store=store, roster=self.roster, clock=clock, bell=Bell(), metrics=Metrics()
        )
        self.poller = Poller(
            store=store,
            roster=self.roster,
            metrics=Metrics(),
            stopping=Event(),
            wake=lambda: None,
        )

    def round(self) -> None:
        self.poller.look(ACME)
        while self.worker.turn():
            pass


@pytest.fixture
def daemon(store, desk, clock) -> Daemon:
    daemon = Daemon(store, desk, clock)
    daemon.poller.look(ACME)
    return daemon


def run(store: Store, desk: Desk, *tickets: TicketId) -> Sequence[Ending]:
    store.inbox.receive(ACME, tickets, delivery=f"{tickets} {len(desk.classifier.asked)}")
    endings = list(triage(desk, store, store.inbox.claim(32, tenants=[ACME])))
    for ending in endings:
        store.inbox.done(ending.job)
    return endings


def test_a_ticket_comes_in_and_its_fields_come_back(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "urgent: no network", tags=["vip"])
    daemon.round()
    after = adapter.read(ticket)
    assert after.fields["category"] == "network"
    assert after.fields["priority"] is None
    assert after.tags == {"vip", "triaged_priority_high"}
    [entry] = store.ledger.of(ACME, ticket)
    assert entry.outcome is Outcome.WRITTEN
    assert [verdict.action for verdict in entry.verdicts] == [Action.WRITE, Action.SUGGEST]


def test_our_own_write_is_not_classified_again(daemon, adapter, classifier) -> None:
    ticket = adapter.arrive("network down", "no network")
    for _ in range(4):
        daemon.round()
    assert len(classifier.asked) == 1
    assert adapter.writes(ticket) == 1


def test_an_agents_change_is_not_classified_again(daemon, adapter, classifier) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, fields={"products": ("laptop",)})
    daemon.round()
    assert len(classifier.asked) == 1


def test_a_new_message_of_the_requester_is_classified(daemon, adapter, classifier) -> None:
    ticket = adapter.arrive("something", "is wrong")
    daemon.round()
    assert adapter.read(ticket).fields["category"] is None
    adapter.reply(ticket, "it is the hardware")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "hardware"
    assert len(classifier.asked) == 2


def test_a_persons_value_survives_a_reclassification(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.change(ticket, fields={"category": "software"})
    adapter.reply(ticket, "hardware, I think")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "software"


def test_a_persons_change_between_read_and_write_survives(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def overtaken(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        adapter.write = write
        adapter.change(ticket, fields={"category": "software"})
        return write(seen, updates)

    adapter.write = overtaken
    daemon.round()
    after = adapter.read(ticket)
    assert after.fields["category"] == "software"
    assert "triaged_priority_normal" in after.tags


def test_a_tag_that_comes_between_read_and_write_is_kept(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network", tags=["old"])
    write = adapter.write

    def overtaken(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        adapter.write = write
        adapter.change(ticket, tags=["old", "new"])
        return write(seen, updates)

    adapter.write = overtaken
    daemon.round()
    assert adapter.read(ticket).tags == {"old", "new", "triaged_priority_normal"}


def test_a_ticket_that_never_holds_still_is_tried_later(daemon, adapter, store, clock) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def refuse(*_: object) -> Ticket:
        raise Conflict("again")

    adapter.write = refuse
    daemon.round()
    [overview] = store.overview()
    assert overview.states["ready"] == 1
    assert "changed 3 times" in overview.trouble[0].detail
    adapter.write = write
    clock.pass_time(60)
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "network"


@pytest.mark.parametrize("after_call", [False, True])
def test_a_crash_around_the_write_repeats_nothing(
    store, desk, adapter, classifier, clock, after_call
) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def die(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        if after_call:
            write(seen, updates)
        raise KeyboardInterrupt

    adapter.write = die
    with pytest.raises(KeyboardInterrupt):
        run(store, desk, ticket)
    adapter.write = write
    Daemon(store, desk, clock).round()
    assert adapter.read(ticket).fields["category"] == "network"
    assert adapter.writes(ticket) == 1
    assert len(classifier.asked) == 1
    [entry] = store.ledger.of(ACME, ticket)
    assert entry.outcome is Outcome.WRITTEN


def test_after_a_crash_and_a_new_message_our_value_is_still_known_as_ours(
    store, desk, adapter
) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def die(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        write(seen, updates)
        raise KeyboardInterrupt

    adapter.write = die
    with pytest.raises(KeyboardInterrupt):
        run(store, desk, ticket)
    adapter.write = write
    adapter.reply(ticket, "sorry")
    run(store, desk, ticket)
    first, second = store.ledger.of(ACME, ticket)
    assert first.outcome is Outcome.WRITTEN
    assert second.verdicts[0].action is Action.EQUAL
    assert store.ledger.written(ACME, ticket)["category"] == "network"


@pytest.mark.parametrize("step", ["fetch", "write"])
def test_a_ticket_that_the_desk_chokes_on_does_not_hold_up_the_others(
    daemon, adapter, clock, step
) -> None:
    bad = adapter.arrive("network down", "no network")
    good = [adapter.arrive("hardware", f"broken hardware {number}") for number in range(3)]
    plain = getattr(adapter, step)

    def choke(what: object, *rest: object) -> object:
        ids = what if step == "fetch" else [what.id]
        if bad in ids:
            raise Retry("500")
        return plain(what, *rest)

    setattr(adapter, step, choke)
    for _ in range(40):
        daemon.round()
        clock.pass_time(900)
    assert [adapter.read(ticket).fields["category"] for ticket in good] == ["hardware"] * 3
    setattr(adapter, step, plain)
    clock.pass_time(3000)
    daemon.round()
    assert adapter.read(bad).fields["category"] == "network"


def test_a_desk_that_lets_us_read_no_more_kills_no_ticket(daemon, adapter, store, clock) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.poller.look(ACME)
    fetch = adapter.fetch

    def forbid(_: object) -> object:
        raise Rejected("403")

    adapter.fetch = forbid
    for _ in range(30):
        daemon.worker.turn()
        clock.pass_time(900)
    [overview] = store.overview()
    assert overview.states == {"ready": 1}
    adapter.fetch = fetch
    clock.pass_time(3000)
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "network"


def test_a_write_that_was_refused_is_tried_again_at_the_next_event(daemon, adapter) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def forbid(*_: object) -> object:
        raise Rejected("403")

    adapter.write = forbid
    daemon.round()
    adapter.write = write
    adapter.change(ticket, fields={"products": ("laptop",)})
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "network"


def test_what_a_refused_write_has_set_all_the_same_is_known_as_ours(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def half(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        write(seen, [update for update in updates if update.field != TAGS])
        raise Rejected("tags")

    adapter.write = half
    daemon.round()
    assert store.ledger.written(ACME, ticket) == {"category": "network"}


def test_a_value_that_a_person_set_in_the_same_moment_is_theirs(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def overtaken(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        adapter.write = write
        adapter.change(ticket, fields={"category": "network"})
        return write(seen, updates)

    adapter.write = overtaken
    daemon.round()
    assert "category" not in store.ledger.written(ACME, ticket)
    adapter.reply(ticket, "hardware, I think")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "network"


def test_a_ticket_with_a_group_is_suggested_to_somebody_of_that_group(
    store, desk, adapter, clock
) -> None:
    staff = Staff(
        groups=(Group(id="g1", name="Network"), Group(id="g2", name="Workplace")),
        agents=(
            Agent(id="a1", name="Ana Ruiz", groups=("g1",)),
            Agent(id="a2", name="Ben Ode", groups=("g2",)),
        ),
    )
    suggests = Desk(
        **{name: getattr(desk, name) for name in Desk.__slots__}
        | {"staff": staff, "rules": (rule(Aspect.ASSIGNEE, "suggested"),)}
    )
    daemon = Daemon(store, suggests, clock)
    daemon.poller.look(ACME)
    for _ in range(12):
        solved = adapter.arrive("network", "network")
        adapter.change(solved, status=Status.RESOLVED, fields={"group": "g1", "assignee": "a1"})
    ticket = adapter.arrive("network", "is down")
    adapter.change(ticket, fields={"group": "g2"})
    daemon.round()
    assert adapter.read(ticket).fields["suggested"] is None


def test_a_refused_field_sets_the_ticket_aside_and_the_others_go_on(daemon, adapter, store) -> None:
    bad = adapter.arrive("network down", "no network")
    good = adapter.arrive("hardware", "broken hardware")
    write = adapter.write

    def refuse(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        if seen.id == bad:
            raise Rejected("field category")
        return write(seen, updates)

    adapter.write = refuse
    daemon.round()
    assert adapter.read(good).fields["category"] == "hardware"
    [overview] = store.overview()
    assert overview.states == {"dead": 1, "done": 1}
    assert overview.trouble[0].detail.startswith("field category. The desk refused")


def test_a_ticket_that_cannot_be_handled_costs_only_itself(
    daemon, adapter, store, classifier, clock
) -> None:
    poison = adapter.arrive("poison", "network")
    good = adapter.arrive("hardware", "broken hardware")
    predict = classifier.predict

    def choke(texts: Sequence[str]) -> Sequence[object]:
        if any("poison" in text for text in texts):
            raise ZeroDivisionError
        return predict(texts)

    classifier.predict = choke
    daemon.round()
    assert adapter.read(good).fields["category"] == "hardware"
    for _ in range(MOST_ATTEMPTS):
        clock.pass_time(900)
        daemon.round()
    [overview] = store.overview()
    assert overview.states["dead"] == 1
    assert "ready" not in overview.states
    assert overview.trouble[0].detail.startswith("ZeroDivisionError at test_pipeline.py:")
    assert adapter.writes(poison) == 0


def test_a_desk_that_is_down_pauses_and_loses_nothing(daemon, adapter, clock) -> None:
    ticket = adapter.arrive("network down", "no network")
    daemon.poller.look(ACME)
    adapter.fail_next(Retry("503", after=30))
    assert daemon.worker.turn()
    assert daemon.roster.desk(ACME) is None
    assert not daemon.worker.turn()
    clock.pass_time(30)
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "network"


def test_a_refused_credential_stops_the_tenant_until_a_person_acts(
    daemon, adapter, store, clock
) -> None:
    adapter.arrive("network down", "no network")
    daemon.poller.look(ACME)
    adapter.fail_next(Unauthorized("401"))
    daemon.worker.turn()
    clock.pass_time(10**6)
    assert daemon.roster.desk(ACME) is None
    assert "The desk refused our credential" in daemon.roster.stopped()[ACME]
    [overview] = store.overview()
    assert overview.states == {"ready": 1}


def test_a_poll_that_fails_half_way_goes_on_from_its_last_page(
    store, desk, clock, classifier
) -> None:
    adapter = MemoryAdapter(clock, page_size=2)
    start = next(iter(adapter.changed_since(None))).cursor
    store.inbox.receive_page(ACME, [], start)
    paged = Desk(**{name: getattr(desk, name) for name in Desk.__slots__} | {"adapter": adapter})
    daemon = Daemon(store, paged, clock)
    tickets = [adapter.arrive(f"network {number}", "down") for number in range(7)]
    adapter.fail_next(*[None] * 2, Retry("broken line"))
    daemon.poller.look(ACME)
    clock.pass_time(3)
    daemon.round()
    assert all(adapter.read(ticket).fields["category"] == "network" for ticket in tickets)
    assert len(classifier.asked) == 7


def test_a_cursor_that_the_desk_refuses_is_said_and_stops_nobody(daemon, adapter, store) -> None:
    adapter.fail_next(Rejected("400"))
    with capture_logs() as logs:
        daemon.poller.look(ACME)
    assert [entry["event"] for entry in logs] == ["poll_refused"]
    ticket = adapter.arrive("network down", "no network")
    store.inbox.receive(ACME, [ticket], delivery="d1")
    assert daemon.worker.turn()
    assert adapter.read(ticket).fields["category"] == "network"


def test_a_resolved_ticket_is_learnt_from_and_not_written(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    adapter.change(ticket, status=Status.RESOLVED, fields={"group": "g1", "assignee": "a1"})
    daemon.round()
    assert adapter.writes(ticket) == 0
    [case] = store.cases.resolved(ACME)
    assert (case.ticket, case.group, case.assignee) == (ticket, "g1", "a1")
    assert case.vector


def test_a_deleted_ticket_is_forgotten(daemon, adapter, store) -> None:
    ticket = adapter.arrive("network down", "no network")
    adapter.change(ticket, status=Status.RESOLVED, fields={"group": "g1"})
    daemon.round()
    adapter.delete(ticket)
    daemon.round()
    assert store.cases.resolved(ACME) == ()


def test_a_suggested_assignee_comes_from_similar_resolved_tickets(
    store, desk, adapter, clock
) -> None:
    staff = Staff(
        groups=(Group(id="g1", name="Network"), Group(id="g2", name="Workplace")),
        agents=(
            Agent(id="a1", name="Ana Ruiz", groups=("g1",)),
            Agent(id="a2", name="Ben Ode", groups=("g2",)),
        ),
    )
    suggests = Desk(
        **{name: getattr(desk, name) for name in Desk.__slots__}
        | {"staff": staff, "rules": (rule(Aspect.ASSIGNEE, "suggested"),)}
    )
    daemon = Daemon(store, suggests, clock)
    daemon.poller.look(ACME)
    for number in range(12):
        word, group, agent = [("network", "g1", "a1"), ("hardware", "g2", "a2")][number % 2]
        solved = adapter.arrive(word, word)
        adapter.change(solved, status=Status.RESOLVED, fields={"group": group, "assignee": agent})
    ticket = adapter.arrive("network", "is down")
    daemon.round()
    assert adapter.read(ticket).fields["suggested"] == "Ana Ruiz (Network)"


def test_no_ticket_text_is_in_the_database(daemon, adapter, tmp_path) -> None:
    ticket = adapter.arrive("network canary-subject", "canary-description")
    daemon.round()
    assert adapter.writes(ticket) == 1
    files = list((tmp_path / "state").iterdir())
    assert len(files) >= 2
    assert not any(b"canary" in file.read_bytes() for file in files)


def test_suggested_tags_of_others_stay(daemon, adapter) -> None:
    ticket = adapter.arrive("network", "urgent", tags=["a", "b"])
    daemon.round()
    assert {"a", "b"} < adapter.read(ticket).tags
    assert TAGS in adapter.read(ticket).fields
