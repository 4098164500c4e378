from collections.abc import Sequence

import pytest
from by_hand import ACME, HandDaemon, changed
from structlog.testing import capture_logs

from adapters.memory import MemoryAdapter
from connector.desk import Desk
from connector.errors import Conflict, Rejected, Retry, Unauthorized
from connector.model import (
    TAGS,
    Action,
    FieldUpdate,
    Ticket,
    TicketId,
)
from connector.pipeline import Ending, triage
from connector.retry import MOST_ATTEMPTS
from connector.store import Outcome, Settlement, Store


def run(store: Store, desk: Desk, *tickets: TicketId) -> Sequence[Ending]:
    store.inbox.receive(ACME, tickets, delivery=f"{tickets} {len(desk.classifier.asked)}")
    endings = list(triage(desk, store, store.inbox.claim(32, tenants=[ACME])))
    store.inbox.settle([Settlement(job=one.job, conclusion=one.conclusion) for one in endings])
    return endings


def test_a_ticket_that_never_holds_still_is_tried_later(daemon, adapter, store, clock) -> None:
    ticket = adapter.arrive("network down", "no network")
    write = adapter.write

    def refuse(*_: object) -> Ticket:
        raise Conflict("again")

    adapter.write = refuse
    daemon.round()
    [overview] = store.overview()
    assert overview.states["retry"] == 1
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
    HandDaemon(store, desk, clock).round()
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
    assert overview.states == {"retry": 1}
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
    assert overview.trouble[0].detail.startswith("ZeroDivisionError at test_pipeline_trouble.py:")
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
    assert overview.states == {"retry": 1}


def test_a_poll_that_fails_half_way_goes_on_from_its_last_page(
    store, desk, clock, classifier
) -> None:
    adapter = MemoryAdapter(clock, page_size=2)
    start = next(iter(adapter.changed_since(None))).cursor
    store.inbox.receive_page(ACME, [], start)
    paged = changed(desk, adapter=adapter)
    daemon = HandDaemon(store, paged, clock)
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
