import random

import numpy as np
import pytest

from connector.assign import Wishes
from connector.backtest import Past, backtest
from connector.model import Case, TicketId

DAY = 86400.0


def past(number: int, topic: int, person: str, opened: float, *, open_for: float = 1.0) -> Past:
    """A ticket of one of eight topics, each a direction of its own."""
    vector = np.eye(8)[topic].astype("<f2").tobytes()
    case = Case(
        ticket=TicketId(str(number)),
        group="net" if topic < 4 else "app",
        assignee=person,
        vector=vector,
        updated_at=(opened + open_for) * DAY,
    )
    return Past(case=case, opened_at=opened * DAY, resolved_at=(opened + open_for) * DAY)


def test_specialists_are_found_where_the_commonest_person_is_not() -> None:
    draw = random.Random(1)
    topics = [draw.randrange(8) for _ in range(400)]
    pasts = [past(n, topic, f"p{topic}", n / 10) for n, topic in enumerate(topics)]
    told = backtest(pasts, Wishes(load=0.0, most_open=1e9))
    assert told.tickets == 120
    assert told.everybody.top_1 == told.suggested.top_1 == told.named == 1.0
    assert told.commonest.top_1 < 0.3


def test_nothing_is_known_of_a_ticket_before_it_is_resolved() -> None:
    # Every ticket stays open to the end: nobody can have learnt from any of them.
    pasts = [past(n, n % 8, f"p{n % 8}", n / 10, open_for=1000) for n in range(200)]
    told = backtest(pasts, Wishes())
    assert (told.tickets, told.named, told.everybody.top_3) == (60, 0.0, 0.0)


def test_the_newest_are_asked_about_whatever_the_order_given() -> None:
    # Topic 0 changed hands: only the newest tell of the new person.
    pasts = [past(n, 0, "old" if n < 240 else "new", n / 10) for n in range(400)]
    draw = random.Random(2)
    shuffled = draw.sample(pasts, len(pasts))
    short, told = Wishes(half_life=Wishes().half_life / 90, load=0.0), {}
    for name, wishes in (("short", short), ("long", Wishes(load=0.0))):
        told[name] = backtest(shuffled, wishes).everybody
        assert told[name] == backtest(pasts, wishes).everybody
    assert told["short"].top_1 > told["long"].top_1


@pytest.mark.parametrize(("load", "evener"), [(2.0, True), (0.0, False)])
def test_the_spread_tells_whether_work_piles_up(load: float, *, evener: bool) -> None:
    # Ana takes three of four tickets of a topic that Ben and Cho resolve as well.
    people = ["ana", "ana", "ben", "ana", "ana", "ana", "cho", "ana"]
    pasts = [past(n, 0, people[n % 8], n / 10, open_for=3) for n in range(400)]
    told = backtest(pasts, Wishes(load=load, most_open=1e9))
    assert (told.spread < told.spread_before) == evener


def test_an_empty_history_tells_nothing() -> None:
    told = backtest([], Wishes())
    assert (told.tickets, told.named, told.commonest.top_1, told.spread) == (0, 0.0, 0.0, 0.0)
