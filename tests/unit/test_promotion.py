from dataclasses import replace
from pathlib import Path

import paper
import pytest

from connector.errors import Diverging
from connector.ports import BundleFacts
from connector.promotion import Outcome, promote
from connector.shelf import Shelf

SAME = {**paper.ANSWERS}


@pytest.fixture
def stock(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models", paper.describe)


@pytest.fixture
def first(stock, tmp_path) -> Outcome:
    return serve(stock, paper.write(tmp_path / "first", "1"))


def serve(stock: Shelf, folder: Path, *, accept: bool = False) -> Outcome:
    return promote(stock, paper.kind, str(folder), accept=accept)


def moves(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(move.ticket, move.before, move.now) for move in outcome.moves]


@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("told", [("hardware", 0.9), (None, 0.9), ("network", 0.84)])
def test_a_bundle_that_does_not_answer_its_own_golden_tickets_never_serves(
    stock, tmp_path, told, accept
) -> None:
    golden = {"the tunnel is down": told}
    with pytest.raises(Diverging, match="the tunnel is down") as caught:
        serve(stock, paper.write(tmp_path / "made", golden=golden), accept=accept)
    assert "network 0.90" in str(caught.value)
    assert "onnxruntime" in str(caught.value)
    assert stock.promotions("ours") == ()
    assert stock.versions() == []


def test_hundredths_of_confidence_do_not_stop_it(stock, tmp_path) -> None:
    golden = {"the tunnel is down": ("network", 0.86)}
    assert serve(stock, paper.write(tmp_path / "made", golden=golden)).promoted


@pytest.mark.usefixtures("first")
def test_a_bundle_that_answers_as_the_one_before_is_promoted(stock, tmp_path) -> None:
    close = {**SAME, "no toner": ("printing", 0.77)}
    outcome = serve(stock, paper.write(tmp_path / "made", "2", answers=close))
    assert outcome == Outcome(bundle="ours@2", promoted=True, before="ours@1", moves=[], notices=[])


@pytest.mark.usefixtures("first")
def test_moved_answers_are_listed_and_have_to_be_accepted(stock, tmp_path) -> None:
    other = {"the tunnel is down": ("printing", 0.6), "no toner": ("printing", 0.9)}
    other["else"] = ("network", 1.0)
    made = paper.write(tmp_path / "made", "2", answers=other)
    outcome = serve(stock, made)
    assert not outcome.promoted
    assert moves(outcome) == [
        ("the tunnel is down", "network 0.90", "printing 0.60"),
        ("no toner", "printing 0.80", "printing 0.90"),
    ]
    assert [one.version for one in stock.promotions("ours")] == ["1"]
    assert stock.versions() == [("ours", "1")]
    accepted = serve(stock, made, accept=True)
    assert accepted.promoted
    assert accepted.moves == outcome.moves
    assert [one.version for one in stock.promotions("ours")] == ["1", "2"]


@pytest.mark.usefixtures("first")
def test_labels_of_only_one_of_both_are_listed_as_such(stock, tmp_path) -> None:
    other = {**SAME, "no toner": ("scanning", 0.8)}
    outcome = serve(stock, paper.write(tmp_path / "made", "2", answers=other))
    assert moves(outcome) == [
        ("", "printing", "no such label"),
        ("", "no such label", "scanning"),
        ("no toner", "printing 0.80", "scanning 0.80"),
    ]


def test_an_aspect_of_only_one_of_both_is_listed_once(stock, tmp_path, monkeypatch) -> None:
    serve(stock, paper.write(tmp_path / "first", "1"))
    real = stock.described
    monkeypatch.setattr(stock, "described", lambda *which: without_labels(real(*which)))
    outcome = serve(stock, paper.write(tmp_path / "made", "2"))
    assert moves(outcome) == [("", "not answered at all", "answered")]


def without_labels(facts: BundleFacts) -> BundleFacts:
    return replace(facts, labels={})


def test_a_bundle_without_golden_tickets_is_promoted_with_a_notice(stock, tmp_path) -> None:
    first = serve(stock, paper.write(tmp_path / "first", "1", golden={}))
    assert (first.promoted, first.notices) == (
        True,
        ["ours@1 has no golden tickets: nothing was replayed"],
    )
    after = serve(stock, paper.write(tmp_path / "made", "2"))
    assert after.notices == ["ours@1 has no golden tickets: no answer was compared with its own"]


@pytest.mark.usefixtures("first")
def test_what_serves_but_is_damaged_is_replaced_with_a_notice(stock, tmp_path) -> None:
    paper.damage(stock.folder("ours", "1"))
    outcome = serve(stock, paper.write(tmp_path / "made", "2"))
    assert outcome.promoted
    [notice] = outcome.notices
    assert "not compared with ours@1" in notice
    assert "damaged" in notice


def test_a_long_golden_ticket_is_shown_by_its_beginning(stock, tmp_path) -> None:
    long = "the printer on the second floor\ndoes not print since this morning"
    serve(stock, paper.write(tmp_path / "first", "1", answers={long: ("printing", 0.9)}))
    changed = {long: ("printing", 0.5)}
    outcome = serve(stock, paper.write(tmp_path / "made", "2", answers=changed))
    [(shown, *_)] = moves(outcome)
    assert shown == "the printer on the second floor does not print …"
