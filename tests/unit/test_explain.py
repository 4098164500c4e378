"""What is left on a ticket about its answers: once, for agents alone, and never in the way."""

import json
from collections.abc import Callable, Sequence

import pytest
from by_hand import ACME, TWO_GROUPS, HandDaemon, changed, rule

from adapters.memory import MemoryAdapter
from connector.desk import Desk
from connector.errors import Rejected, Retry
from connector.model import (
    Action,
    Aspect,
    Mode,
    Prediction,
    Reading,
    Status,
    Ticket,
    TicketId,
    TicketRef,
    Verdict,
)
from connector.settings import WhySettings
from connector.store import Outcome, Place
from connector.why import SIMILAR, Why, alike, as_note

NOTE = WhySettings(note=True)


class Ranking:
    """Says `network` for as much as the text says it; the vector is the same for all."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        self.asked += texts
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Reading:
        share = 0.9 if "network" in text else 0.2
        answer = Prediction(
            aspect=Aspect.CATEGORY,
            label="network" if "network" in text else None,
            confidence=share,
            ranking=(("network", share), ("hardware", 1 - share)),
            reason="It reads as network.",
        )
        return Reading(predictions=(answer,), vector=b"\x00\x3c\x00\x00", language="en")


class Killed(BaseException):
    pass


@pytest.fixture
def place(tmp_path) -> Place:
    """Give one store: which database it is makes no difference here."""
    return Place(tmp_path / "state")


@pytest.fixture
def classifier() -> Ranking:
    return Ranking()


@pytest.fixture
def explaining(store, desk, classifier, clock) -> Callable[..., HandDaemon]:
    """Give a function that makes a daemon of a desk that explains."""

    def make(why: WhySettings, **changes: object) -> HandDaemon:
        told = {"rules": (rule(Aspect.CATEGORY, "category"),), **changes}
        own: Desk = changed(desk, classifier=classifier, why=why, **told)
        daemon = HandDaemon(store, own, clock)
        daemon.poller.look(ACME)
        return daemon

    return make


def resolved(adapter: MemoryAdapter, count: int) -> list[TicketId]:
    found = []
    for _ in range(count):
        found.append(adapter.arrive("network", "network"))
        adapter.change(found[-1], status=Status.RESOLVED, fields={"group": "g1", "assignee": "a1"})
    return found


def test_a_note_tells_value_confidence_words_tickets_and_bundle(explaining, adapter, desk) -> None:
    daemon = explaining(NOTE, staff=TWO_GROUPS)
    alike_ones = resolved(adapter, 4)
    daemon.round()
    ticket = adapter.arrive("network down", "nothing works here")
    daemon.round()
    [note] = adapter.notes(ticket)
    assert f"Set by triaged ({desk.bundle})" in note
    assert "category: network (90% sure)" in note
    assert "It reads as network." in note
    assert "Words that mattered: network\n" in note
    told = [line.strip() for line in note.splitlines() if "memory:" in line]
    assert len(told) == SIMILAR
    assert set(told) <= {f"memory:{one}" for one in alike_ones}


def test_nothing_is_asked_or_left_where_nobody_wants_it(explaining, adapter, classifier) -> None:
    daemon = explaining(WhySettings())
    ticket = adapter.arrive("network down", "nothing works here")
    daemon.round()
    assert adapter.read(ticket).fields["category"] == "network"
    assert len(classifier.asked) == 1
    assert adapter.notes(ticket) == ()


def test_one_note_for_each_thing_that_the_requester_says(explaining, adapter, classifier) -> None:
    daemon = explaining(NOTE)
    ticket = adapter.arrive("something", "is wrong")
    daemon.round()
    assert adapter.notes(ticket) == (), "nothing was set"
    adapter.reply(ticket, "it is the network")
    daemon.round()
    assert len(adapter.notes(ticket)) == 1
    asked = len(classifier.asked)
    for _ in range(3):
        daemon.round()
    assert len(adapter.notes(ticket)) == 1, "our own note does not wake us"
    assert len(classifier.asked) == asked


def test_a_backlog_is_worked_off_without_a_note(explaining, adapter, store, classifier) -> None:
    daemon = explaining(NOTE)
    ticket = adapter.arrive("network down", "nothing works here")
    ref = TicketRef(id=ticket, version=adapter.read(ticket).revision)
    store.backlog.take_in(ACME, [ref])
    while daemon.worker.turn():
        pass
    assert adapter.read(ticket).fields["category"] == "network"
    assert adapter.notes(ticket) == ()
    assert len(classifier.asked) == 1, "and nothing is asked for it"


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.SUGGEST])
def test_what_is_only_recorded_is_not_told(explaining, adapter, mode: Mode) -> None:
    daemon = explaining(NOTE, rules=(rule(Aspect.CATEGORY, "category", mode),))
    ticket = adapter.arrive("network down", "nothing works here")
    daemon.round()
    notes = adapter.notes(ticket)
    assert len(notes) == (mode is Mode.SUGGEST)
    assert all("category: network (suggested, 90% sure)" in note for note in notes)


def test_a_value_that_a_person_had_set_is_not_explained(explaining, adapter) -> None:
    daemon = explaining(NOTE)
    ticket = adapter.arrive("network down", "here", fields={"category": "network"})
    other = adapter.arrive("network down", "here", fields={"category": "hardware"})
    daemon.round()
    assert adapter.notes(ticket) == adapter.notes(other) == ()


@pytest.mark.parametrize("error", [Retry("busy", after=1), Rejected("no right")])
def test_a_note_that_cannot_be_left_does_not_hold_the_ticket_up(
    explaining, adapter, store, error, capsys
) -> None:
    daemon = explaining(NOTE)
    ticket = adapter.arrive("network down", "nothing works here")

    def refuse(_ticket: Ticket, _text: str) -> None:
        raise error

    adapter.leave_note = refuse
    for _ in range(3):
        daemon.round()
    [entry] = store.ledger.of(ACME, ticket)
    assert (entry.outcome, entry.written) == (Outcome.WRITTEN, {"category"})
    assert adapter.writes(ticket) == 1
    assert "why_not_left" in capsys.readouterr().out
    del adapter.leave_note
    daemon.round()
    assert adapter.notes(ticket) == (), "it is not tried again"


def test_a_process_killed_after_the_note_leaves_no_second_one(
    explaining, adapter, store, monkeypatch
) -> None:
    daemon = explaining(NOTE)
    ticket = adapter.arrive("network down", "nothing works here")
    leave = adapter.leave_note

    def killed(seen: Ticket, text: str) -> None:
        leave(seen, text)
        raise Killed

    monkeypatch.setattr(adapter, "leave_note", killed)
    with pytest.raises(Killed):
        daemon.round()
    monkeypatch.setattr(adapter, "leave_note", leave)
    [entry] = store.ledger.of(ACME, ticket)
    assert entry.outcome is Outcome.PLANNED, "its end was not noted"
    store.inbox.recover(())
    daemon.round()
    [entry] = store.ledger.of(ACME, ticket)
    assert entry.outcome is Outcome.WRITTEN
    assert len(adapter.notes(ticket)) == 1


def test_a_field_takes_it_as_json(explaining, adapter, desk) -> None:
    daemon = explaining(WhySettings(field="suggested"), staff=TWO_GROUPS)
    resolved(adapter, 1)
    daemon.round()
    ticket = adapter.arrive("network down", "nothing works here")
    daemon.round()
    told = json.loads(str(adapter.read(ticket).fields["suggested"]))
    assert told["bundle"] == desk.bundle
    assert told["answers"] == [
        {
            "aspect": "category",
            "value": "network",
            "action": "write",
            "confidence": 0.9,
            "promised": None,
            "words": ["network"],
            "reason": "It reads as network.",
            "rules": [],
        }
    ]
    assert told["similar"] == [{"ticket": "1", "url": "memory:1", "likeness": 1.0}]
    assert adapter.notes(ticket) == ()


def test_no_word_of_a_ticket_is_stored(explaining, adapter, tmp_path) -> None:
    daemon = explaining(WhySettings(note=True, field="suggested"))
    adapter.arrive("network Zwetschgenknödel", "nothing works here")
    daemon.round()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"network" in kept, "the answer is"
    assert "Zwetschgenknödel".encode() not in kept


def test_only_vectors_of_the_same_encoder_are_compared(store) -> None:
    assert alike(store.cases.resolved(ACME), TicketId("1"), b"\x00\x3c") == ()


@pytest.mark.parametrize(
    ("confidence", "said"), [(0.995, "over 99% sure"), (0.9949, "99% sure"), (0.5, "50% sure")]
)
def test_no_note_claims_to_be_wholly_sure(confidence: float, said: str) -> None:
    answer = Prediction(aspect=Aspect.CATEGORY, label="network", confidence=confidence)
    verdict = Verdict(prediction=answer, action=Action.WRITE, slot="category", reason="")
    note = as_note(Why(bundle="b@1", verdicts=(verdict,), words={}, similar=()))
    assert f"category: network ({said})" in note
    assert "Words that mattered" not in note
    assert "Similar" not in note
