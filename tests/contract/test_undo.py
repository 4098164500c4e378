"""Undo on every practice desk: all untouched writes restored, nothing that changed touched."""

import random
from collections.abc import Iterator, Sequence
from itertools import count, product
from pathlib import Path

import pytest
from line import ACME, BUNDLE, Line, line
from people import Desk, HandClock, read
from sqlalchemy import insert, select
from test_memory import MemoryPeople

from connector.errors import Conflict, Rejected, Retry
from connector.model import TAGS, Action, FieldUpdate, Ticket, TicketId
from connector.restore import ATTEMPTS, Errand, carry_out, preview
from connector.store import Place, Undoings, look_at_writes
from connector.store.schema import feedback
from connector.undo import Ending, Result, Wish, intents

MEMORY = "memory"
DESKS = (MEMORY, "sandboxed", "rt_sandboxed", "instance", "tagless_instance")
ALL = Wish()


@pytest.fixture(params=DESKS)
def desk(request: pytest.FixtureRequest) -> Desk:
    if request.param == MEMORY:
        return MemoryPeople()
    found: Desk = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def one_line(desk: Desk, clock: HandClock, tmp_path: Path) -> Iterator[Line]:
    with line(desk, clock, tmp_path / "state") as opened:
        yield opened


def errand(one_line: Line, scribe: Undoings | None = None) -> Errand:
    clock = one_line.people.clock
    return Errand(
        tenant=ACME,
        adapter=one_line.people.adapter,
        clock=clock,
        jitter=random.Random(1).uniform,
        scribe=scribe or one_line.store.undoings,
    )


def undo(one_line: Line, tmp_path: Path, wish: Wish = ALL, *, dry: bool = False) -> list[Result]:
    history = look_at_writes(Place(tmp_path / "state"), ACME, since=wish.since, until=wish.until)
    act = preview if dry else carry_out
    return list(act(errand(one_line), tuple(intents(history, wish))))


def counted(results: Sequence[Result]) -> dict[str, int]:
    endings = [result.ending for result in results]
    return {ending.value: endings.count(ending) for ending in Ending if ending in endings}


HANDS = ("nothing", "category", "text", "tags", "other", "reply", "delete")


def touch(desk: Desk, ticket: TicketId, hand: str) -> None:
    """Have a person do something to a ticket that was triaged."""
    mapped = desk.mapped
    if hand == "category":
        present = read(desk, ticket).fields[mapped.category]
        other = next(value for value in mapped.categories if value != present)
        desk.change(ticket, fields={mapped.category: other})
    elif hand == "text":
        desk.change(ticket, fields={mapped.text: "what a person says"})
    elif hand == "tags" and mapped.tags:
        desk.change(ticket, tags=["vip"])
    elif hand == "other":
        desk.change(ticket, fields={mapped.choices: mapped.products})
    elif hand == "reply":
        desk.reply(ticket, "any news?")
    elif hand == "delete":
        desk.delete(ticket)


def test_what_nobody_touched_is_restored_and_what_somebody_changed_is_theirs(
    desk: Desk, one_line: Line, tmp_path: Path
) -> None:
    chosen = random.Random(7)
    hands = [*HANDS, *(chosen.choice(HANDS) for _ in range(8))]
    tickets = [one_line.arrive() for _ in hands]
    filed = {ticket: one_line.shown(ticket) for ticket in tickets}
    one_line.triage(*tickets)
    ours = {ticket: one_line.shown(ticket) for ticket in tickets}
    for ticket, hand in zip(tickets, hands, strict=True):
        touch(desk, ticket, hand)
    there = [each for each, hand in zip(tickets, hands, strict=True) if hand != "delete"]
    before = {ticket: one_line.shown(ticket) for ticket in there}
    told = counted(undo(one_line, tmp_path, dry=True))
    assert {ticket: one_line.shown(ticket) for ticket in there} == before

    results = undo(one_line, tmp_path)

    restored = untouched = 0
    for ticket, slot in product(there, (desk.mapped.category, desk.mapped.text, TAGS)):
        after = one_line.shown(ticket)[slot]
        if before[ticket][slot] != ours[ticket][slot]:
            assert after == before[ticket][slot], "a person's change was touched"
        elif ours[ticket][slot] != filed[ticket][slot]:
            untouched += 1
            restored += after == filed[ticket][slot]
    assert restored == untouched > 10
    assert counted(results) == told
    assert told["restored"] == restored
    assert "failed" not in told


def test_what_was_undone_is_neither_set_again_nor_undone_again(
    desk: Desk, one_line: Line, tmp_path: Path
) -> None:
    ticket = one_line.arrive()
    filed = one_line.shown(ticket)
    one_line.triage(ticket)
    assert set(counted(undo(one_line, tmp_path))) == {"restored"}
    one_line.triage(ticket)
    desk.reply(ticket, f"I think it is {desk.mapped.categories[1]}")
    one_line.triage(ticket)
    assert one_line.shown(ticket) == filed
    last = one_line.store.ledger.of(ACME, ticket)[-1]
    assert {verdict.action for verdict in last.verdicts} == {Action.PERSON}
    assert undo(one_line, tmp_path) == []


def test_an_undo_of_the_newer_bundle_brings_the_older_ones_answer_back(
    desk: Desk, one_line: Line, tmp_path: Path
) -> None:
    first, second = desk.mapped.categories
    ticket = one_line.arrive()
    one_line.triage(ticket)
    one_line.amend(bundle="words@2")
    desk.reply(ticket, f"it is {second}")
    one_line.triage(ticket)
    assert one_line.shown(ticket)[desk.mapped.category] == second
    assert counted(undo(one_line, tmp_path, Wish(model="words@1")))["skipped"] >= 1
    assert one_line.shown(ticket)[desk.mapped.category] == second
    undo(one_line, tmp_path, Wish(model="words@2"))
    assert one_line.shown(ticket)[desk.mapped.category] == first
    assert one_line.store.ledger.written(ACME, ticket)[desk.mapped.category] == first
    undo(one_line, tmp_path)
    assert one_line.shown(ticket)[desk.mapped.category] == one_line.blank


@pytest.mark.parametrize("kill", ["before the call", "after the call"])
def test_an_undo_that_was_killed_goes_on(one_line: Line, tmp_path: Path, kill: str) -> None:
    tickets = [one_line.arrive() for _ in range(3)]
    filed = {ticket: one_line.shown(ticket) for ticket in tickets}
    one_line.triage(*tickets)
    scribe = one_line.store.undoings
    ended = count(1)

    class Killed(Exception): ...

    class Dying(Undoings):
        def __init__(self) -> None: ...

        def begin(self, tenant, entry) -> None:
            scribe.begin(tenant, entry)
            if kill == "before the call" and next(ended) == 2:
                raise Killed

        def end(self, tenant, entry, restored) -> None:
            if kill == "after the call" and next(ended) == 2:
                raise Killed
            scribe.end(tenant, entry, restored)

    history = look_at_writes(Place(tmp_path / "state"), ACME)
    with pytest.raises(Killed):
        list(carry_out(errand(one_line, Dying()), tuple(intents(history, Wish()))))
    # Meanwhile the daemon takes neither half of it for a person's doing or for its own.
    one_line.triage(*tickets)
    results = undo(one_line, tmp_path)
    assert {ticket: one_line.shown(ticket) for ticket in tickets} == filed
    assert set(counted(results)) == {"restored"}
    assert undo(one_line, tmp_path) == []
    for ticket in tickets:
        assert not one_line.store.ledger.past(ACME, ticket).ours


def test_a_desk_that_must_be_left_alone_is_waited_for(
    desk: Desk, one_line: Line, tmp_path: Path, monkeypatch
) -> None:
    ticket = one_line.arrive()
    one_line.triage(ticket)
    write, refusals = desk.adapter.write, [Retry("busy", after=30), Retry("busy")]

    def busy(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        if refusals:
            raise refusals.pop(0)
        return write(seen, updates)

    monkeypatch.setattr(desk.adapter, "write", busy)
    assert set(counted(undo(one_line, tmp_path))) == {"restored"}
    assert 30 in desk.clock.slept


def test_what_changes_while_it_is_written_is_read_again_and_in_the_end_told(
    desk: Desk, one_line: Line, tmp_path: Path, monkeypatch
) -> None:
    ticket = one_line.arrive()
    one_line.triage(ticket)
    tries = count(1)

    def moving(*_: object) -> Ticket:
        next(tries)
        raise Conflict("moved")

    monkeypatch.setattr(desk.adapter, "write", moving)
    results = undo(one_line, tmp_path)
    assert set(counted(results)) == {"failed"}
    assert f"changed {ATTEMPTS} times" in results[0].reason
    monkeypatch.undo()
    assert set(counted(undo(one_line, tmp_path))) == {"restored"}


def test_a_field_that_the_desk_refuses_does_not_hold_up_the_others(
    desk: Desk, one_line: Line, tmp_path: Path, monkeypatch
) -> None:
    ticket = one_line.arrive()
    one_line.triage(ticket)
    write = desk.adapter.write

    def choosy(seen: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        if any(update.field == desk.mapped.text for update in updates):
            raise Rejected("no right to that field")
        return write(seen, updates)

    monkeypatch.setattr(desk.adapter, "write", choosy)
    results = undo(one_line, tmp_path)
    failed = [result for result in results if result.ending is Ending.FAILED]
    assert [(each.step.field, each.reason) for each in failed] == [
        (desk.mapped.text, "no right to that field")
    ]
    assert one_line.shown(ticket)[desk.mapped.category] == one_line.blank
    assert one_line.store.ledger.written(ACME, ticket) == {desk.mapped.text: "calm"}


def test_only_what_is_meant_is_undone(desk: Desk, one_line: Line, tmp_path: Path) -> None:
    first, second = desk.mapped.categories
    tickets = [one_line.arrive(), one_line.arrive(f"it is {second}")]
    one_line.triage(*tickets)
    now = desk.clock.now().timestamp()
    for nothing in (
        Wish(label="nothing"),
        Wish(model="others"),
        Wish(since=now + 60),
        Wish(until=now - 3600),
    ):
        assert undo(one_line, tmp_path, nothing) == []
    wish = Wish(since=now - 3600, until=now + 60, model="words", label=second.upper())
    [result] = undo(one_line, tmp_path, wish)
    assert (result.step.ticket, result.ending) == (tickets[1], Ending.RESTORED)
    assert one_line.shown(tickets[0])[desk.mapped.category] == first


def test_a_drop_down_that_cannot_be_emptied_is_told_and_keeps_its_value(
    instance: Desk, clock: HandClock, tmp_path: Path
) -> None:
    with line(instance, clock, tmp_path / "state") as one_line:
        ticket = instance.arrive("case", "something is odd")
        one_line.triage(ticket)
        ours = one_line.shown(ticket)[instance.mapped.category]
        results = undo(one_line, tmp_path)
        [failed] = [result for result in results if result.ending is Ending.FAILED]
        assert failed.step.field == instance.mapped.category
        assert "does not empty a drop-down" in failed.reason
        assert one_line.shown(ticket) == {
            instance.mapped.category: ours,
            instance.mapped.text: None,
            TAGS: (),
        }
        assert one_line.store.ledger.written(ACME, ticket) == {instance.mapped.category: ours}


def test_an_undo_is_taken_for_no_persons_correction(one_line: Line, tmp_path: Path) -> None:
    tickets = [one_line.arrive() for _ in range(2)]
    one_line.triage(*tickets)
    one_line.triage(*tickets)  # the echo of our own write: it stands
    undo(one_line, tmp_path)
    one_line.triage(*tickets)  # and that of the undo
    assert one_line.store.feedback.of(ACME, tickets) == ()
    for ticket in tickets:
        touch(one_line.people, ticket, "category")
    one_line.triage(*tickets)
    assert one_line.store.feedback.of(ACME, tickets) == ()


def test_what_people_make_of_it_is_no_longer_waited_for(tmp_path: Path, clock: HandClock) -> None:
    """An undo is nobody's correction of the model."""
    people = MemoryPeople()
    with line(people, clock, tmp_path / "state") as one_line:
        ticket, other = one_line.arrive(), one_line.arrive()
        one_line.triage(ticket, other)
        waiting = {
            "tenant": ACME,
            "aspect": "category",
            "label": "network",
            "value": "network",
            "action": "write",
            "precision": 0.9,
            "bundle": BUNDLE,
            "decided_at": 1.0,
            "state": "kept",
            "seen_at": 1.0,
        }
        database = one_line.store.undoings._database
        with database.write() as connection:
            for each, judged in ((ticket, None), (other, 2.0)):
                row = {**waiting, "ticket": each, "judged_at": judged}
                connection.execute(insert(feedback).values(row))
        undo(one_line, tmp_path)
        with database.read() as connection:
            assert connection.execute(select(feedback.c.ticket)).scalars().all() == [other]
