"""What is old goes, table by table, and nothing that is still needed."""

import pytest
from by_hand import ACME
from sqlalchemy import func, select

from connector.model import Action, Aspect, Status, TicketId
from connector.settings import Retention
from connector.store import Answer, Conclusion, Entry, Fate, Outcome, Store, retention
from connector.store.schema import cases, deliveries, inbox, ledger

YEAR = 365 * 86400


def planned(store: Store, ticket: str, *, ends: bool) -> None:
    entry = Entry(
        ticket=TicketId(ticket),
        content_hash="words",
        outcome=Outcome.PLANNED,
        bundle="b@1",
        language="en",
        verdicts=(),
        vector=b"",
    )
    store.ledger.plan(ACME, [entry])
    if ends:
        store.ledger.settle(Conclusion(tenant=ACME, entry=entry, outcome=Outcome.WRITTEN))


def test_what_people_made_of_an_answer_goes_with_the_decision(store, clock) -> None:
    answer = Answer(
        ticket=TicketId("7"),
        aspect=Aspect.CATEGORY,
        label="network",
        value="network",
        action=Action.WRITE,
        precision=0.9,
        bundle="b@1",
        decided_at=clock.now().timestamp(),
        state=Fate.KEPT,
    )
    store.feedback.note(ACME, [answer])
    clock.pass_time(2 * YEAR - 86400)
    store.expire(Retention())
    assert store.feedback.of(ACME, [TicketId("7")]) == (answer,)
    clock.pass_time(2 * 86400)
    store.expire(Retention())
    assert store.feedback.of(ACME, [TicketId("7")]) == ()


def kept(store: Store) -> dict[str, list[str]]:
    with store._database.read() as connection:
        return {
            table.name: sorted(connection.execute(select(table.c.ticket)).scalars())
            for table in (inbox, ledger, cases)
        }


def test_each_table_has_its_own_limit(store, clock, a_ticket) -> None:
    planned(store, "old", ends=True)
    planned(store, "old and open", ends=False)
    old = clock.now()
    for name, status in (("old", Status.RESOLVED), ("old and open", Status.OPEN)):
        ticket = a_ticket(id=TicketId(name), status=status, updated_at=old)
        store.cases.note(ACME, [(ticket, b"vector")])
    store.inbox.receive(ACME, [TicketId("old"), TicketId("old and open")], delivery="d")
    [first, _] = store.inbox.claim(32, tenants=[ACME])
    store.inbox.done(first)
    clock.pass_time(YEAR - 86400)
    store.expire(Retention())
    assert kept(store) == {
        "inbox": ["old and open"],
        "ledger": ["old", "old and open"],
        "cases": ["old", "old and open"],
    }
    clock.pass_time(2 * 86400)
    store.expire(Retention())
    assert kept(store)["cases"] == ["old and open"]
    clock.pass_time(YEAR)
    planned(store, "new", ends=True)
    store.expire(Retention())
    assert kept(store)["ledger"] == ["new", "old and open"]
    [acme] = store.audit()
    assert acme.missing == 0


def test_much_goes_in_small_pieces_and_a_stop_ends_it(store, clock, monkeypatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 10)
    for number in range(25):
        planned(store, str(number), ends=True)
        store.inbox.receive(ACME, [], delivery=str(number))
    clock.pass_time(3 * YEAR)
    asked = iter([False, True])
    store.expire(Retention(), lambda: next(asked, True))
    with store._database.read() as connection:
        left = connection.execute(select(func.count()).select_from(deliveries)).scalar_one()
    assert (left, len(kept(store)["ledger"])) == (15, 25)
    store.expire(Retention())
    assert kept(store)["ledger"] == []


def test_a_limit_is_what_was_asked_for(store, clock) -> None:
    planned(store, "1", ends=True)
    clock.pass_time(40 * 86400)
    store.expire(Retention.model_validate({"decisions": "50d"}))
    assert kept(store)["ledger"] == ["1"]
    store.expire(Retention.model_validate({"decisions": "30d"}))
    assert kept(store)["ledger"] == []


@pytest.mark.parametrize("key", ["finished: 6d", "decisions: 29d", "cases: 1h"])
def test_a_limit_that_would_harm_is_refused(key) -> None:
    name, _, value = key.partition(": ")
    with pytest.raises(ValueError, match="or more"):
        Retention.model_validate({name: value})
