"""The funnel adds up, each loss has its reason, and the arms are told apart by the hash alone."""

import random
from dataclasses import replace

import numpy as np
import pytest
from by_hand import ACME, HandDaemon, changed, rule

from connector import arms, report, shares
from connector.cli.report import Told, stages
from connector.cli.reportpage import page
from connector.holdout import is_held_out
from connector.model import Action, Aspect, Mode, Status, TicketId
from connector.store import Records, Way, look_at_records

RULES = (
    replace(rule(Aspect.CATEGORY, "category"), precision=0.8),
    rule(Aspect.PRIORITY, "priority", Mode.SHADOW),
)
LATER = 1e12


class Told30Days:
    """Some thirty tickets with every ending that a report knows, at a desk by hand."""

    def __init__(self, store, desk, clock, adapter) -> None:
        self.desk = changed(desk, rules=RULES, wanted=RULES, holdout=0.3)
        self.daemon = HandDaemon(store, self.desk, clock)
        self.daemon.poller.look(ACME)
        self.store, self.adapter, self.clock = store, adapter, clock
        self.ends: dict[TicketId, str] = {}

    def arrive(self, end: str, subject: str = "network", **more: object) -> TicketId:
        ticket = self.adapter.arrive(subject, f"the {subject}", **more)
        self.ends[ticket] = end
        return ticket

    def run(self) -> None:
        self.early = self.adapter.arrive("network", "over already")
        self.adapter.change(self.early, status=Status.RESOLVED)
        for _ in range(6):
            self.arrive("kept")
            self.arrive("corrected")
            self.arrive("doubted")
            self.arrive("unjudged")
        for _ in range(7):
            self.arrive("unsure", "nothing")
        self.arrive("person", fields={"category": "software"})
        self.arrive("equal", fields={"category": "network"})
        self.daemon.round()
        self.clock.pass_time(3600)
        for ticket, end in self.ends.items():
            changes = {"fields": {"assignee": "a1"}}
            if end in {"corrected", "doubted"}:
                changes["fields"]["category"] = "software"
            elif is_held_out(ACME, ticket, 0.3):
                changes["fields"]["category"] = "network"
            if end in {"kept", "corrected"}:
                changes["status"] = Status.RESOLVED
            self.adapter.change(ticket, **changes)
        self.daemon.round()

    def count(self, *ends: str, held: bool = False) -> int:
        return sum(
            end in ends and is_held_out(ACME, ticket, 0.3) is held
            for ticket, end in self.ends.items()
        )


@pytest.fixture
def told(store, desk, clock, adapter) -> Told30Days:
    told = Told30Days(store, desk, clock, adapter)
    told.run()
    return told


@pytest.fixture
def records(told, place) -> Records:
    assert told.ends
    return look_at_records(place, ACME, 0.0, LATER)


def test_every_ticket_ends_where_it_did(told, records) -> None:
    category, priority = report.funnels(records)
    assert category.eligible == len(told.ends)
    assert category.unanswered == {report.NOT_SURE: 7}
    shown = ("kept", "corrected", "doubted", "unjudged")
    held = told.count(*shown, held=True)
    assert category.not_set == {
        report.LEFT[Action.HOLDOUT]: held,
        report.LEFT[Action.PERSON]: 1,
        report.LEFT[Action.EQUAL]: 1,
    }
    assert category.written == told.count(*shown)
    assert (category.kept, category.corrected, category.doubted) == tuple(
        told.count(end) for end in ("kept", "corrected", "doubted")
    )
    assert category.unjudged == told.count("doubted", "unjudged")
    assert priority.not_set == {report.LEFT[Action.RECORD]: len(told.ends)}


def test_no_ticket_is_lost_between_two_stages(records) -> None:
    for one in report.funnels(records):
        assert one.eligible - sum(one.unanswered.values()) == one.predicted
        assert one.predicted - sum(one.not_set.values()) == one.written + one.suggested
        shown = one.undone + one.kept + one.corrected + one.unjudged
        assert one.written + one.suggested == shown
        rows = list(stages(one))
        assert sum(count for _, count, is_loss in rows if is_loss) + one.kept == one.eligible


def test_what_was_not_decided_is_told_with_its_reason(told, records) -> None:
    found = report.intake(records)
    assert (found.heard, found.decided) == (len(told.ends) + 1, len(told.ends))
    assert found.left == {report.RESOLVED: 1}


@pytest.mark.usefixtures("told")
def test_the_time_bounds_what_is_told(place, clock) -> None:
    now = clock.now().timestamp()
    assert report.funnels(look_at_records(place, ACME, now, LATER)) == []
    assert report.intake(look_at_records(place, ACME, 0.0, 1.0)).heard == 0


def test_the_arms_are_those_that_the_hash_drew(told, records) -> None:
    found = arms.compare(records)
    shown = ("kept", "corrected", "doubted", "unjudged")
    assert (found.triaged, found.held_out) == (
        told.count(*shown),
        told.count(*shown, held=True),
    )
    right, times, *_ = found.rows
    judged = told.count("kept", "corrected", held=True)
    assert (right.name, right.held_out.n) == ("right: category", judged)
    assert right.held_out.value == told.count("kept", held=True) / judged
    assert times.triaged.value == pytest.approx(60.0)
    assert times.difference is None  # fewer than thirty held out


def ways(count: int, minutes: float, spread: float, seed: int, **more: int) -> list[Way]:
    draw = random.Random(seed)
    return [
        Way(
            ticket=TicketId(f"{seed}-{number}"),
            filed_at=0.0,
            assigned_at=60 * (minutes + draw.random() * spread),
            reassigned=more.get("reassigned", 0),
            reopened=0,
        )
        for number in range(count)
    ]


def test_a_difference_of_medians_is_found_and_chance_is_not() -> None:
    row = arms._times(ways(200, 30, 60, 1), ways(60, 60, 60, 2))
    assert row.difference is not None
    low, high = row.difference
    assert low < -30 < high < 0
    same = arms._times(ways(200, 30, 60, 3), ways(60, 30, 60, 4)).difference
    assert same is not None
    assert same[0] < 0 < same[1]


def test_the_interval_of_a_median_holds_it_in_95_of_100() -> None:
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        sample = sorted(draw.exponential(60, 25))
        low, high = arms._median_of(sample).interval or (0, 0)
        held += low <= 60 * np.log(2) <= high
    assert held >= 375


def test_a_report_is_a_page_that_needs_nothing_else(records) -> None:
    one = Told(
        tenant="<acme>",
        since=0.0,
        until=1e9,
        holdout=0.3,
        intake=report.intake(records),
        funnels=report.funnels(records),
        classes=(),
        arms=arms.compare(records),
    )
    html = page([one])
    assert "&lt;acme&gt;" in html
    assert "<script" not in html
    assert "http" not in html
    category = report.funnels(records)[0]
    assert f"kept {category.kept}" in html
    widths = [float(part.split("%")[0]) for part in html.split("width:")[1:] if "%" in part[:8]]
    assert sum(widths) == pytest.approx(100.0 * len(one.funnels), abs=0.1)


def test_an_undone_write_is_told_as_taken_back(told, store, place) -> None:
    [entry, *_] = [
        entry
        for entries in store.ledger.of_all(ACME, list(told.ends)).values()
        for entry in entries
        if "category" in entry.written
    ]
    update = entry.verdicts[0].update
    assert update is not None
    back = replace(update, value=update.replaces, replaces=update.value)
    taken = replace(entry.verdicts[0], action=Action.UNDO, update=back)
    undo = replace(entry, content_hash="undo-1", verdicts=(taken,), written=frozenset())
    store.undoings.begin(ACME, undo)
    store.undoings.end(ACME, undo, frozenset({"category"}))
    category, _ = report.funnels(look_at_records(place, ACME, 0.0, LATER))
    assert category.undone == 1
    assert category.written == told.count("kept", "corrected", "doubted", "unjudged")


def test_a_difference_of_shares_is_told_from_thirty_tickets_on() -> None:
    ours, theirs = [True] * 30 + [False] * 10, [True] * 20 + [False] * 20
    assert arms._share("x", ours, theirs).difference == shares.difference((30, 40), (20, 40))
    assert arms._share("x", ours, theirs[:29]).difference is None
