import csv
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("datasketch")

from classifiers.bundle import SHIPPED, open_bundle
from classifiers.engine import load
from classifiers.training.budget import Budget
from classifiers.training.calibrate import calibrated, error_interval
from classifiers.training.choose import Question, portions, scored
from classifiers.training.dedupe import clusters, last_of_each
from classifiers.training.history import Row
from classifiers.training.kept import Kept
from classifiers.training.recipe import train, work_folder
from classifiers.training.rungs import HeadsRung, Lesson, LinearRung
from classifiers.training.split import dropped, folds, split
from connector.errors import BadHistory
from connector.model import Aspect
from connector.ports import TrainingOrder

pytestmark = pytest.mark.train

WORDS = {
    "network": "vpn wifi router tunnel switch proxy cable signal".split(),
    "printing": "printer toner paper tray scanner ink jam copier".split(),
    "access": "password login account locked reset token badge permission".split(),
}
START = datetime(2026, 1, 1, tzinfo=UTC)


def row(place: int, text: str = "", label: str = "a") -> Row:
    return Row(
        number=place,
        text=text or f"text {place}",
        labels={Aspect.CATEGORY: label},
        filed_at=START + timedelta(hours=place),
    )


@pytest.fixture(scope="module")
def order(tmp_path_factory) -> TrainingOrder:
    folder = tmp_path_factory.mktemp("training")
    draw = random.Random(1)
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as opened:
        out = csv.writer(opened)
        out.writerow(["body", "group"])
        for place in range(180):
            label = list(WORDS)[place % 3]
            said = " ".join(draw.sample(WORDS[label], 4))
            out.writerow([f"Please help with the {said} in room {place}", label])
        out.writerow(["Nobody knows what this is about", "rare"])
    return TrainingOrder(
        history=folder / "history.csv",
        output=folder / "ours",
        text=("body",),
        labels={Aspect.CATEGORY: "group"},
    )


def plain(subject: str, body: str) -> str:
    return f"{subject}\n{body}".strip()


def test_a_history_becomes_a_bundle_that_serves(order) -> None:
    said: list[str] = []
    told = train(order, plain, said.append)
    bundle = open_bundle(order.output)
    part = bundle.manifest.aspects[Aspect.CATEGORY]
    assert part.labels == ("access", "network", "printing")
    assert told["aspects"][Aspect.CATEGORY]["dropped"] == {"rare": 1}
    assert any("'rare' is left out" in step for step in said)
    assert bundle.manifest.metrics["category"]["test"]["macro_f1"] > 0.9
    assert set(part.promises) == set(part.labels)
    shipped = open_bundle(SHIPPED).manifest
    assert bundle.manifest.aspects[Aspect.PRIORITY] == shipped.aspects[Aspect.PRIORITY]
    reading = (
        load(str(order.output), 1)
        .classifier({})
        .predict(["Please help with the toner jam tray paper in room 7"])[0]
    )
    answered = next(one for one in reading.predictions if one.aspect is Aspect.CATEGORY)
    assert 0.8 < answered.promised < 1.0  # some fifty were held out, and all of them right
    assert {one.aspect: one.label for one in reading.predictions}[Aspect.CATEGORY] == "printing"
    content = b"".join(path.read_bytes() for path in order.output.iterdir())
    assert b"Nobody knows what this is about" not in content
    assert not work_folder(order.output).exists()
    with pytest.raises(BadHistory, match="never overwritten"):
        train(order, plain, said.append)


def test_a_killed_training_goes_on_with_what_was_finished(order, tmp_path) -> None:
    again = replace(order, output=tmp_path / "again")

    class KilledError(Exception):
        pass

    def kill(step: str) -> None:
        if "heads: fold 2" in step:
            raise KilledError

    with pytest.raises(KilledError):
        train(again, plain, kill)
    assert not again.output.exists()
    told = train(again, plain, lambda _: None)
    # One piece of states, three kinds of heads, five folds of linear, and the first one of heads.
    assert told["found_finished"] == 10


def test_the_same_history_and_seed_give_the_same_bundle(order, tmp_path) -> None:
    twice = [train(replace(order, output=tmp_path / name), plain, lambda _: None) for name in "ab"]
    for one, other in zip(*(told["aspects"].values() for told in twice), strict=True):
        assert one == other
    a, b = (open_bundle(tmp_path / name) for name in "ab")
    assert a.files[a.manifest.arrays] == b.files[b.manifest.arrays]


def test_a_file_of_its_own_is_measured_on_and_never_learnt_from(order, tmp_path) -> None:
    lines = order.history.read_text(encoding="utf-8").splitlines()
    copied = lines[1:31]
    later = [f"Later: the {' '.join(WORDS['network'][:4])} in hall {one},network" for one in "abc"]
    test = tmp_path / "test.csv"
    test.write_text("\n".join([lines[0], *copied, *later]) + "\n", encoding="utf-8")
    told = train(replace(order, output=tmp_path / "o", test=test), plain, lambda _: None)
    assert told["aspects"][Aspect.CATEGORY]["test"]["n"] == 33
    assert told["rows"] == 184  # 181 in the history, of which 30 are in the file too
    assert told["left_out"] == 30


def test_without_time_the_simplest_rung_is_made_and_that_is_said(order, tmp_path) -> None:
    said: list[str] = []
    hurried = replace(order, output=tmp_path / "hurried", minutes=1e-9)
    told = train(hurried, plain, said.append)
    assert told["aspects"][Aspect.CATEGORY]["chosen"]["rungs"] == "linear"
    assert any("not in this budget" in step for step in said)


def test_too_little_history_is_refused(order, tmp_path) -> None:
    with pytest.raises(BadHistory, match="lower --floor"):
        train(replace(order, output=tmp_path / "none", floor=500), plain, lambda _: None)


def test_copies_go_and_near_copies_share_a_cluster() -> None:
    alarm = "Disk usage of the server is above the limit, please look at it soon, host number"
    texts = [f"{alarm} one", f"{alarm} two", "My printer is on fire", "my  PRINTER is on fire"]
    assert last_of_each(texts) == [0, 1, 3]
    numbers = clusters(texts[:3], 1)
    assert numbers[0] == numbers[1] != numbers[2]


def test_the_newest_are_tested_on_and_none_has_a_relative_among_the_learnt() -> None:
    rows = [row(place) for place in range(100)]
    groups = np.arange(100)
    groups[95] = 3
    learn, test = split(rows, groups, 1)
    assert learn.max() < test.min()
    assert 95 not in test
    assert len(learn) == 80


def test_without_times_whole_clusters_are_drawn_and_the_seed_decides() -> None:
    rows = [replace(row(place), filed_at=None) for place in range(200)]
    groups = np.arange(200) // 4
    learn, test = split(rows, groups, 1)
    assert not set(groups[learn]) & set(groups[test])
    assert len(test) == pytest.approx(40, abs=4)
    assert np.array_equal(test, split(rows, groups, 1)[1])
    assert not np.array_equal(test, split(rows, groups, 2)[1])
    assert all(len(set(folds(groups, 1)[groups == one])) == 1 for one in range(50))


def test_small_classes_are_named_with_their_counts() -> None:
    rows = [row(place, label="big" if place else "small") for place in range(20)]
    assert dropped(rows, Aspect.CATEGORY, 5) == {"small": 1}


def test_the_member_that_is_right_more_often_gets_the_larger_share() -> None:
    assert portions(1) == [(1.0,)]
    assert portions(2)[0] == (0.5, 0.5)
    assert all(sum(one) == pytest.approx(1) and min(one) >= 0.2 for one in portions(3))
    draw = np.random.default_rng(3)
    gold = draw.integers(0, 3, 600)
    question = Question(
        name="q",
        labels=("a", "b", "c"),
        lesson=Lesson(texts=[""] * 600, states=np.zeros((0, 0), np.float32)),
        gold=gold,
        folds=np.arange(600) % 5,
        seed=1,
    )

    def answers(noise: float) -> np.ndarray:
        return (np.eye(3)[gold] + draw.normal(0, noise, (600, 3))).astype(np.float32)

    both = scored(question, (LinearRung(), HeadsRung()), (answers(0.9), answers(0.5)))
    assert both.shares[1] > both.shares[0]
    worse = scored(question, (LinearRung(),), (answers(0.9),))
    assert both.mean > worse.mean


def test_calibration_makes_boastful_answers_honest() -> None:
    draw = np.random.default_rng(1)
    gold = draw.integers(0, 2, 2000)
    given = np.where(draw.random(2000) < 0.7, gold, 1 - gold)
    boast = np.where(np.arange(2)[None] == given[:, None], 0.97, 0.03).astype(np.float32)
    _, honest = calibrated(boast, gold, draw.integers(0, 5, 2000))
    before, after = (error_interval(one, gold, 1) for one in (boast, honest.apply(boast)))
    assert before[0] > 0.2
    assert after[0] < 0.03
    assert after[2] < before[1] < before[0] < before[2]


def test_half_written_pieces_are_made_again(tmp_path) -> None:
    kept = Kept(tmp_path)
    kept.get("one", lambda: np.ones(3, np.float32))
    next(tmp_path.glob("*.npy")).write_bytes(b"\x93NUMPY")
    assert kept.get("one", lambda: np.zeros(3, np.float32)).sum() == 0
    assert kept.found == 0


def test_a_budget_looks_ahead() -> None:
    budget = Budget.of(1)
    assert not budget.late()
    assert budget.late(59)
    assert not Budget.of(None).late(1e9)
