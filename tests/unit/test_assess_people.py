"""Suggested assignees in an assessment: what is told of them, and when nothing can be."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import classifiers
from classifiers.assessment.people import backtested
from connector.assign import Wishes
from connector.cli.people import judge, show_people, spread
from connector.errors import BadHistory
from connector.model import Case, Past, TicketId
from connector.ports import AssessmentOrder, PeopleOrder, TrainingOrder

DAY = 86400.0
SKILL = Wishes(load=0.0, most_open=1e9)


def pasts(count: int = 400, *, people: int = 8, groups: int = 2) -> list[Past]:
    """Tickets of eight topics, each with a person of its own; the category is the group's name."""
    draw, made = random.Random(1), []
    for number in range(count):
        topic = draw.randrange(8)
        group = f"g{topic % groups}" if groups else ""
        closed = (number / 10 + 1) * DAY
        case = Case(
            ticket=TicketId(str(number)),
            group=group,
            assignee=f"p{topic % people}",
            vector=np.eye(8)[topic].astype("<f2").tobytes(),
            updated_at=closed,
        )
        made.append(
            Past(
                case=case,
                opened_at=number / 10 * DAY,
                resolved_at=closed,
                known_by={"its category": group},
            )
        )
    return made


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "tells of no ticket who resolved it"),
        (pasts(groups=0), "no ticket has a group"),
        (pasts(people=1), "one person resolved everything"),
        (pasts(160), "50 are needed"),
    ],
)
def test_what_cannot_be_tested_back_is_left_out_with_the_reason(
    given: Sequence[Past], reason: str, capsys
) -> None:
    told = judge(given, Wishes())
    assert reason in told["skipped"]
    show_people(told, Console())
    assert reason in capsys.readouterr().out.replace("\n", " ")


def test_specialists_are_worth_suggesting() -> None:
    told = judge(pasts(), SKILL)
    assert (told["tested"], told["learnt"], told["people"], told["groups"]) == (120, 280, 8, 2)
    assert (told["top_1"], told["sure_enough"], told["in_group"]["top_1"]) == (1.0, 1.0, 1.0)
    assert told["rivals"]["its category"]["top_1"] < 0.5
    assert told["in_group"]["rivals"]["its group"]["lead_3"][0] > 0
    assert told["verdict"].endswith(
        "better than going by the commonest people or its category or its group: worth suggesting"
    )


def test_no_person_is_named() -> None:
    told = judge(pasts(), SKILL)
    assert not {f"'p{number}'" for number in range(8)} & set(str(told).replace(",", " ").split())


def test_where_texts_tell_nothing_a_rule_does_as_well() -> None:
    blind = [
        replace(one, case=replace(one.case, vector=np.eye(8)[0].astype("<f2").tobytes()))
        for one in pasts(groups=1)
    ]
    told = judge(blind, SKILL)
    assert "no better than going by" in told["verdict"]
    known = [replace(one, known_by={"its topic": one.case.assignee}) for one in blind]
    assert (
        "going by its topic, as people left it in the end, does better"
        in judge(known, SKILL)["verdict"]
    )


def test_one_group_is_asked_about_once() -> None:
    assert judge(pasts(groups=1), SKILL)["in_group"] is None


@pytest.mark.parametrize(
    ("ours", "said"),
    [(3.0, "pile up"), (2.02, "as evenly as they did"), (1.5, "more evenly than they did")],
)
def test_whether_work_piles_up_is_said(ours: float, said: str) -> None:
    told: Mapping[str, Any] = {"spread": ours, "spread_before": 2.0}
    assert said in spread(told)


def joined(subject: str, body: str) -> str:
    return f"{subject}\n{body}".strip()


def test_a_history_that_does_not_tell_who_resolved_it_says_so(tmp_path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('{"text": "a", "who": "ann", "team": "t", "filed": "soon", "closed": "late"}')
    order = AssessmentOrder(
        training=TrainingOrder(history=path, output=tmp_path, text=("text",), labels={}),
        people=PeopleOrder(
            assignee="nobody", group="team", opened_at="filed", resolved_at="closed", judge=dict
        ),
    )
    engine = classifiers.kind.load(None, 1)
    told = backtested(order, engine, joined, print)
    assert told == {"skipped": "the history has no column 'nobody'"}
    assert "--assignee" in backtested(replace(order, people=None), engine, joined, print)["skipped"]
    order = replace(order, people=replace(order.people, assignee="who"))
    with pytest.raises(BadHistory, match=r"odd.jsonl: row 1: .*holds no time"):
        backtested(order, engine, joined, print)
