from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from connector.assign import MIN_CASES, Experience, Wishes
from connector.model import Agent, Case, Group, Prediction, Staff, TicketId

STAFF = Staff(
    groups=(Group(id="net", name="Network"), Group(id="app", name="Applications")),
    agents=(
        Agent(id="ana", name="Ana Ruiz", groups=("net",)),
        Agent(id="ben", name="Ben Ode", groups=("net",)),
        Agent(id="cho", name="Cho Min", groups=("app",)),
    ),
)


def suggest(
    asked: bytes, known: Sequence[Case], load: Mapping[str, int], staff: Staff, group: str = ""
) -> Prediction:
    return Experience(known, staff).suggest(asked, load, group)


def vector(angle: float) -> bytes:
    """A unit vector in the plane, so that similarity is the cosine of the difference."""
    return np.array([np.cos(angle), np.sin(angle)]).astype("<f2").tobytes()


def cases(count: int, angle: float, group: str, assignee: str) -> list[Case]:
    return [
        Case(
            ticket=TicketId(f"{group}{assignee}{number}"),
            group=group,
            assignee=assignee,
            vector=vector(angle + number / 1000),
        )
        for number in range(count)
    ]


NETWORK = cases(8, 0.0, "net", "ana") + cases(4, 0.05, "net", "ben")
APPLICATIONS = cases(10, 1.5, "app", "cho")


def test_the_group_of_the_nearest_tickets_comes_first_then_the_skilled_person() -> None:
    found = suggest(vector(0.0), NETWORK + APPLICATIONS, {}, STAFF)
    assert (found.label, found.display) == ("ana", "Ana Ruiz (Network)")
    assert found.confidence > 0.95
    assert found.reason == (
        "12 of the 22 most similar resolved tickets went to Network; Ana Ruiz resolved 8, has 0"
        " open; then Ben Ode resolved 4, has 0 open; then Cho Min resolved 10, has 0 open"
    )
    assert [agent for agent, _ in found.ranking] == ["ana", "ben", "cho"]


def test_a_busy_expert_gives_way_to_an_idle_colleague() -> None:
    found = suggest(vector(0.0), NETWORK + APPLICATIONS, {"ana": 40, "ben": 0}, STAFF)
    assert found.label == "ben"


def test_an_equal_load_changes_nothing() -> None:
    found = suggest(vector(0.0), NETWORK + APPLICATIONS, {"ana": 9, "ben": 9}, STAFF)
    assert found.label == "ana"


def test_two_groups_that_are_equally_near_are_left_to_people() -> None:
    three = (("net", "ana"), ("app", "cho"), ("sec", "dan"))
    mixed = [cases(5, 0.0, group, agent) for group, agent in three]
    found = suggest(vector(0.0), [case for some in mixed for case in some], {}, STAFF)
    assert found.label is None
    assert found.reason == "only 33% of similar tickets went to Network"


def test_a_ticket_stays_in_the_group_that_it_is_in() -> None:
    found = suggest(vector(0.0), NETWORK + APPLICATIONS, {}, STAFF, group="app")
    assert found.label is None
    assert "went to Applications" in found.reason
    assert suggest(vector(0.0), NETWORK + APPLICATIONS, {}, STAFF, group="net").label == "ana"


@pytest.mark.parametrize("count", [0, MIN_CASES - 1])
def test_an_anecdote_is_no_ground_for_a_suggestion(count: int) -> None:
    found = suggest(vector(0.0), cases(count, 0.0, "net", "ana"), {}, STAFF)
    assert (found.label, found.confidence) == (None, 0.0)
    assert found.reason == f"only {count} resolved tickets to compare with"


def test_somebody_who_left_is_not_named() -> None:
    left = cases(12, 0.0, "net", "gone")
    found = suggest(vector(0.0), left, {"ana": 3}, STAFF)
    assert found.label == "ben"


def test_a_group_without_people_is_said_and_nobody_named() -> None:
    found = suggest(vector(0.0), cases(12, 0.0, "old", "gone"), {}, STAFF)
    assert found.label is None
    assert found.reason == "similar tickets went to old, which has no agent now"


def test_a_text_that_could_not_be_read_is_not_compared() -> None:
    assert suggest(b"", NETWORK, {}, STAFF).label is None


def test_vectors_of_another_encoder_are_not_compared() -> None:
    other = [
        Case(ticket=case.ticket, group="app", assignee="cho", vector=case.vector * 2)
        for case in NETWORK
    ]
    assert suggest(vector(0.0), other, {}, STAFF).label is None


def test_what_was_resolved_long_ago_counts_less() -> None:
    def told(half_life: timedelta) -> str | None:
        year = 365 * 86400.0
        known = [replace(case, updated_at=0.0) for case in cases(12, 0.0, "net", "ana")]
        known += [replace(case, updated_at=year) for case in cases(6, 0.0, "net", "ben")]
        wishes = Wishes(half_life=half_life)
        return Experience(known, STAFF, wishes).suggest(vector(0.0), {}).label

    assert told(timedelta(days=90)) == "ben"
    assert told(timedelta(days=3650)) == "ana"


def test_somebody_who_is_away_is_not_named_by_id_or_address() -> None:
    staff = replace(
        STAFF, agents=(replace(STAFF.agents[0], email="ana@x.example"), *STAFF.agents[1:])
    )
    for name in ("ana", "ana@x.example"):
        told = Experience(NETWORK + APPLICATIONS, staff, Wishes(away=frozenset({name})))
        found = told.suggest(vector(0.0), {})
        assert found.label == "ben"
        assert "ana" not in dict(found.ranking)


def test_nobody_is_buried_under_open_tickets_however_skilled() -> None:
    crowd = tuple(Agent(id=f"p{n}", name=f"P {n}", groups=("net",)) for n in range(8))
    staff = replace(STAFF, agents=(*STAFF.agents, *crowd))
    known, load = cases(40, 0.0, "net", "ana") + cases(10, 1.5, "app", "cho"), {"ana": 30, "p1": 3}
    skilled = Experience(known, staff, Wishes(load=0.0, most_open=50.0))
    assert skilled.suggest(vector(0.0), load).label == "ana"
    capped = Experience(known, staff, Wishes(load=0.0, most_open=3.0))
    found = capped.suggest(vector(0.0), load)
    assert found.label != "ana"
    assert next(reversed(found.ranking))[0] == "ana"


def test_load_counts_as_much_as_is_wished() -> None:
    load = {"ana": 6, "ben": 1}
    for weight, expected in ((0.0, "ana"), (3.0, "ben")):
        told = Experience(NETWORK + APPLICATIONS, STAFF, Wishes(load=weight, most_open=9))
        assert told.suggest(vector(0.0), load).label == expected


def test_one_odd_case_does_not_outvote_what_is_usual_in_the_group() -> None:
    known = cases(30, 0.4, "net", "ana") + cases(1, 0.0, "net", "ben") + APPLICATIONS
    assert suggest(vector(0.1), known, {}, STAFF).label == "ana"
