import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("sklearn")
pytest.importorskip("datasketch")
pytest.importorskip("jinja2")

from classifiers.build.scores import macro_f1 as by_scikit_learn
from classifiers.build.tickets import own_tickets
from classifiers.evaluation.answers import NONE, Answers
from classifiers.evaluation.evaluate import evaluate
from classifiers.evaluation.figures import confusion, dial, figures, macro_f1, ordinal
from connector.cli.figures import curve
from connector.cli.main import triaged
from connector.cli.page import page
from connector.errors import BadHistory
from connector.model import Aspect
from connector.ports import EvaluationOrder

pytestmark = pytest.mark.train

LABELS = ("a", "b", "c")
KNOWN = 40
"""Tickets in the labelled file whose label the bundle knows."""


def answered(gold: str, best: str, **changes: object) -> Answers:
    """Give answers with .9 for the best label; letters are labels."""
    shares = np.full((len(gold), 3), 0.05, np.float32)
    given = np.array([LABELS.index(letter) for letter in best], np.intp)
    shares[np.arange(len(gold)), given] = 0.9
    whole = Answers(
        labels=LABELS,
        gold=np.array([LABELS.index(letter) for letter in gold], np.intp),
        shares=shares,
        given=given,
        promised=np.full(len(gold), 0.8, np.float32),
        has_promises=True,
        languages=["en"] * len(gold),
        clusters=np.arange(len(gold)),
    )
    return replace(whole, **changes)


def test_macro_f1_is_that_of_scikit_learn_also_for_labels_that_never_occur() -> None:
    gold, best = "aabbaabab", "ababcabab"
    answers = answered(gold, best)
    matrix = confusion(answers.gold, answers.best, 3)
    assert matrix[0].tolist() == [3, 1, 1]
    assert macro_f1(matrix) == pytest.approx(by_scikit_learn(list(gold), list(best), LABELS))


def test_figures_say_how_sure_they_are() -> None:
    found = figures(answered("ab" * 50, "ab" * 40 + "ba" * 10), seed=1)
    assert found["macro_f1"]["value"] == pytest.approx(0.8)
    low, high = found["macro_f1"]["interval"]
    assert low < 0.8 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.04, abs=0.02)
    assert found["accuracy"]["value"] == found["answered"]["precision"] == pytest.approx(0.8)
    assert found["top_3"] == 1.0
    assert found["calibration"]["ece"] == pytest.approx(0.1, abs=1e-3)
    assert found["confused"] == [
        {"right": "a", "given": "b", "n": 10},
        {"right": "b", "given": "a", "n": 10},
    ]


def test_copies_are_no_further_evidence() -> None:
    once = figures(answered("ab" * 50, "ab" * 40 + "ba" * 10), seed=1)
    copied = figures(
        answered("ab" * 50, "ab" * 40 + "ba" * 10, clusters=np.arange(100) // 10), seed=1
    )
    assert copied["clusters"] == 10
    width = [
        one["macro_f1"]["interval"][1] - one["macro_f1"]["interval"][0] for one in (once, copied)
    ]
    assert width[1] > 2 * width[0]


def test_the_dial_writes_what_is_promised_and_judges_each_label() -> None:
    promised = np.where(np.arange(200) % 2 == 0, 0.96, 0.9).astype(np.float32)
    found = dial(answered("ab" * 100, "ab" * 90 + "aa" * 10, promised=promised), 0.95)
    assert (found["coverage"], found["precision"]) == (0.5, 1.0)
    assert found["labels"] == [{"label": "a", "n": 100, "right": 100, "kept": True}]
    looser = dial(answered("ab" * 100, "ab" * 50 + "aa" * 50, promised=promised), 0.9)
    assert (looser["judged"], looser["kept"]) == (2, 1)  # b: 50 of 50; a: 100 of 150
    nothing = dial(answered("ab", "ab"), 0.99)
    assert (nothing["coverage"], nothing["precision"], nothing["interval"]) == (0.0, None, None)


def test_what_is_abstained_on_is_not_written() -> None:
    answers = answered("ab", "ab", given=np.array([NONE, 1], np.intp))
    assert dial(answers, 0.5)["coverage"] == 0.5


def test_an_order_makes_a_near_miss_better_than_a_far_one() -> None:
    near = ordinal(answered("aabbcc" * 5, "abbbcb" * 5), LABELS)
    far = ordinal(answered("aabbcc" * 5, "acbbca" * 5), LABELS)
    assert far["kappa"] < near["kappa"] < 1.0
    assert ordinal(answered("abc", "abc"), LABELS)["kappa"] == 1.0
    assert near["recall_of_the_highest"] == {"b": 1.0, "c": 0.5}


def test_the_curve_falls_as_less_sure_answers_are_taken() -> None:
    points = [{"precision": 1.0}, {"precision": 0.8}, {"precision": 0.4}]
    assert curve(points) == "100.0% █▅▁ 40.0%"


@pytest.fixture(scope="module")
def tickets(tmp_path_factory) -> Path:
    """Give some of our own tickets as a file, with one of a label that nobody knows."""
    path = tmp_path_factory.mktemp("evaluation") / "tickets.csv"
    with path.open("w", newline="", encoding="utf-8") as opened:
        out = csv.writer(opened)
        out.writerow(["text", "kind", "priority"])
        for one in own_tickets()[:: len(own_tickets()) // KNOWN][:KNOWN]:
            out.writerow([one.text, one.labels[Aspect.CATEGORY], one.labels[Aspect.PRIORITY]])
        out.writerow(["The coffee machine on the third floor is out of beans", "<b>coffee</b>", ""])
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(triaged, ["evaluate", *map(str, arguments)], catch_exceptions=False)


def test_the_command_shows_figures_and_writes_a_page(tickets, tmp_path) -> None:
    html = tmp_path / "page.html"
    ran = run(
        tickets, "--text", "text", "--label", "category=kind", "--label", "priority=priority",
        "--html", html,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    for word in (
        "macro-F1",
        "linear, learnt on this file",
        "1 more have a label",
        "kappa",
        "holds no",
    ):
        assert word in ran.output
    written = html.read_text(encoding="utf-8")
    assert written.count("<svg") == 4
    assert "service_request" in written
    assert "<script" not in written
    assert "http" not in written  # nothing is fetched from anywhere


def test_json_holds_what_the_table_shows(tickets) -> None:
    ran = run(tickets, "--text", "text", "--label", "category=kind", "--no-baseline", "--json")
    found = json.loads(ran.stdout)["aspects"]["category"]
    assert found["n"] == KNOWN
    assert found["outside"]["n"] == 1
    assert set(found["baselines"]) == {"majority"}
    assert sum(map(sum, found["confusion"])) == KNOWN
    assert not found["has_promises"]


def order(tickets: Path, **changes: object) -> EvaluationOrder:
    whole = EvaluationOrder(
        bundle=None, history=tickets, text=("text",), labels={Aspect.PRIORITY: "priority"}
    )
    return replace(whole, **changes)


def plain(subject: str, body: str) -> str:
    return f"{subject}\n{body}".strip()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {Aspect.PRIORITY: "kind"}}, "'kind' holds .*account.*the bundle answers .*low"),
        ({"labels": {Aspect.ASSIGNEE: "kind"}}, "no assignee of its own"),
        ({"ranks": {Aspect.PRIORITY: ("low", "high")}}, "name each of .*urgent.* once"),
    ],
)
def test_a_file_that_does_not_fit_is_told_why(tickets, changes, message) -> None:
    with pytest.raises(BadHistory, match=message):
        evaluate(order(tickets, **changes), plain, lambda _: None, 1)


def test_a_label_cannot_write_into_the_page(tickets) -> None:
    told = evaluate(order(tickets, baseline=False), plain, lambda _: None, 1)
    told["aspects"][Aspect.PRIORITY]["confused"] = [
        {"right": "<img src=x onerror=alert(1)>", "given": "b", "n": 1}
    ]
    assert "<img" not in page(told)


@pytest.mark.parametrize("option", [("--rank", "priority"), ("--label", "mood=x"), ("--text", ",")])
def test_a_wrong_option_is_a_usage_error(tickets, option) -> None:
    with_label = option if option[0] == "--label" else (*option, "--label", "priority=priority")
    assert run(tickets, *with_label).exit_code == 2
