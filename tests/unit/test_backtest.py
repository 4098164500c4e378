import random

import numpy as np
import pytest

from connector.assign import Wishes
from connector.backtest import COMMONEST, backtest
from connector.model import Case, Past, TicketId

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
    return Past(
        case=case,
        opened_at=opened * DAY,
        resolved_at=(opened + open_for) * DAY,
        known_by={"topic": str(topic), "half": str(topic < 4)},
    )


def test_specialists_are_found_where_the_commonest_person_is_not() -> None:
    draw = random.Random(1)
    topics = [draw.randrange(8) for _ in range(400)]
    pasts = [past(n, topic, f"p{topic}", n / 10) for n, topic in enumerate(topics)]
    told = backtest(pasts, Wishes(load=0.0, most_open=1e9))
    assert told.tickets == 120
    assert told.everybody.top_1 == told.suggested.top_1 == told.named == 1.0
    assert told.rivals[COMMONEST].score.top_1 < 0.3


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
    assert (told.tickets, told.named, told.rivals, told.spread) == (0, 0.0, {}, 0.0)


def test_a_look_up_names_who_resolved_most_with_the_same_value() -> None:
    draw = random.Random(3)
    topics = [draw.randrange(8) for _ in range(400)]
    pasts = [past(n, topic, f"p{topic}", n / 10) for n, topic in enumerate(topics)]
    told = backtest(pasts, Wishes(load=0.0, most_open=1e9))
    assert set(told.rivals) == {COMMONEST, "topic", "half"}
    assert told.rivals["topic"].score.top_1 == 1.0
    # By the half of the topics alone, three of four people can be named.
    assert 0.5 < told.rivals["half"].score.top_3 < 0.95


def test_a_lead_is_that_of_the_differences_ticket_by_ticket() -> None:
    draw = random.Random(4)
    topics = [draw.randrange(8) for _ in range(400)]
    pasts = [past(n, topic, f"p{topic}", n / 10) for n, topic in enumerate(topics)]
    told = backtest(pasts, Wishes(load=0.0, most_open=1e9))
    assert told.rivals["topic"].lead_1 == (0.0, 0.0), "right and wrong on the same tickets"
    half = told.rivals["half"]
    # Ours is always right: a difference of 1 where it is wrong, so a binomial's deviation.
    behind = 1 - half.score.top_3
    margin = 1.96 * (behind * (1 - behind) / told.tickets) ** 0.5
    assert half.lead_3 == pytest.approx((behind - margin, behind + margin))


def test_no_more_is_looked_back_on_than_the_case_book_gives(monkeypatch) -> None:
    pasts = [past(n, 0, "old" if n < 300 else "new", n / 10) for n in range(400)]
    wishes = Wishes(half_life=Wishes().half_life * 1000, load=0.0)
    whole = backtest(pasts, wishes)
    monkeypatch.setattr("connector.backtest.RECENT", 20)
    near = backtest(pasts, wishes)
    # Of 30 tickets to go by, the old person's would outvote the new one's for a while.
    assert near.everybody.top_1 > whole.everybody.top_1
    monkeypatch.setattr("connector.backtest.RECENT", 5)
    assert backtest(pasts, wishes).named == 0.0, "too few to compare with"
