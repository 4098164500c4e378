"""`triaged assess` on a file, its figures reckoned anew with other code, and what it refuses."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("sklearn")
pytest.importorskip("datasketch")
pytest.importorskip("jinja2")

from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, top_k_accuracy_score

import classifiers
from classifiers.assessment.assess import assess, is_made
from classifiers.bundle import open_bundle
from connector.assign import Wishes
from connector.backtest import COMMONEST, backtest
from connector.cli import assess as command
from connector.cli.main import triaged
from connector.errors import BadHistory
from connector.model import Aspect, Case, Past, TicketId
from connector.ports import AssessmentOrder, TrainingOrder

pytestmark = pytest.mark.train

WORDS = {
    "network": "vpn wifi router tunnel switch proxy cable signal firewall roaming".split(),
    "printing": "printer toner paper tray scanner ink jam copier cartridge duplex".split(),
    "access": "password login account locked reset token badge permission role rights".split(),
    "mail": "outlook inbox calendar invite attachment spam mailbox signature folder rule".split(),
}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROWS, TESTED = 500, 100
ASKED = 0.85
RARE = "fax"


def words(label: str, number: int) -> str:
    """Give words of a ticket: every fifth one has words of another class too, every ninth lies."""
    draw = random.Random(number)
    others = [name for name in WORDS if name != label]
    shown = draw.choice(others) if number % 9 == 0 else label
    mixed = draw.sample(WORDS[draw.choice(others)], 2) if number % 5 == 0 else []
    return " ".join([*draw.sample(WORDS[shown], 4), *mixed])


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    """Give 500 tickets; the newest fifth is what is tested on."""
    path = tmp_path_factory.mktemp("assessed") / "history.jsonl"
    with path.open("w", encoding="utf-8") as opened:
        for number in range(ROWS):
            label = list(WORDS)[number % 4]
            said = f"{words(label, number)} room {number} floor {number * 7 % 90}"
            if number in {450, 470}:
                label = RARE
            filed = BEGIN + timedelta(hours=2 * number)
            who = random.Random(-number).choices([f"{label}-ann", f"{label}-bo", "cy"], (5, 3, 2))
            row = {
                "text": said,
                "kind": label,
                "filed": filed.isoformat(),
                "mood": "calm",
                "who": who[0] if number % 50 else "",
                "team": "lines" if label in {"network", "access"} else "desks",
                "closed": (filed + timedelta(hours=3 + number % 40)).isoformat(),
            }
            opened.write(json.dumps(row) + "\n")
    return path


OPTIONS = (
    *("--text", "text", "--label", "category=kind", "--time", "filed"),
    *("--label", "sentiment=mood", "--precision", str(ASKED), "--per-ticket", "3"),
    *("--assignee", "who", "--group", "team", "--resolved-at", "closed"),
)


def run(folder: Path, *arguments: object) -> Result:
    with chdir(folder):
        return CliRunner().invoke(triaged, ["assess", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def made(history) -> Mapping[str, Any]:
    """Assess once, keeping the bundle and the page."""
    folder = history.parent
    ran = run(
        folder, "--history", history, *OPTIONS, "--output", folder / "ours", "--html",
        folder / "page.html", "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    told: Mapping[str, Any] = json.loads(ran.stdout)
    return told


@pytest.fixture(scope="module")
def raw(history, made) -> Sequence[tuple[str, Any]]:
    """Ask the kept bundle about the newest tickets: right label and answer of each."""
    assert made["tested"] == TESTED, "no two tickets are alike here"
    rows = [json.loads(line) for line in history.read_text("utf-8").splitlines()][-TESTED:]
    readings = (
        classifiers.kind.load(str(history.parent / "ours"), 1)
        .classifier({})
        .predict([row["text"] for row in rows])
    )
    answers = [
        next(one for one in reading.predictions if one.aspect is Aspect.CATEGORY)
        for reading in readings
    ]
    return list(zip((row["kind"] for row in rows), answers, strict=True))


def test_scores_are_those_of_scikit_learn_on_the_raw_answers(made, raw) -> None:
    found = made["aspects"]["category"]
    known = [(gold, one) for gold, one in raw if gold != RARE]
    gold = [label for label, _ in known]
    best = [one.ranking[0][0] for _, one in known]
    labels = found["labels"]
    assert labels == sorted(WORDS)
    assert found["macro_f1"]["value"] == pytest.approx(
        f1_score(gold, best, average="macro"), abs=1e-4
    )
    assert 0.6 < found["macro_f1"]["value"] < 0.98, "the history is made to be hard"
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(gold, best), abs=1e-4)
    assert found["confusion"] == confusion_matrix(gold, best, labels=labels).tolist()
    shares = np.array([[dict(one.ranking)[label] for label in labels] for _, one in known])
    assert found["top_3"] == pytest.approx(
        top_k_accuracy_score(gold, shares, k=3, labels=labels), abs=1e-4
    )
    most = Counter(gold).most_common(1)[0][0]
    assert found["baselines"]["majority"]["macro_f1"] == pytest.approx(
        f1_score(gold, [most] * len(gold), average="macro", labels=labels, zero_division=0),
        abs=1e-4,
    )
    assert found["outside"]["n"] == 2


def test_calibration_is_that_of_bins_counted_by_hand(made, raw) -> None:
    found = made["aspects"]["category"]["calibration"]
    bins: dict[int, list[tuple[float, bool]]] = {}
    known = [(gold, one) for gold, one in raw if gold != RARE]
    for gold, one in known:
        label, share = one.ranking[0]
        bins.setdefault(min(9, int(share * 10)), []).append((share, label == gold))
    gaps = [
        abs(sum(share for share, _ in rows) - sum(right for _, right in rows))
        for rows in bins.values()
    ]
    assert found["ece"] == pytest.approx(sum(gaps) / len(known), abs=2e-3)
    assert sum(row["n"] for row in found["reliability"]) == len(known)


def test_what_is_written_is_counted_ticket_by_ticket(made, raw) -> None:
    found = made["aspects"]["category"]["funnel"]
    written = [(gold, one) for gold, one in raw if one.label and one.promised >= ASKED]
    right = sum(gold == one.label for gold, one in written)
    suggested = sum(bool(one.label) and one.promised < ASKED for _, one in raw)
    assert (found["written"], found["right"], found["suggested"]) == (
        len(written),
        right,
        suggested,
    )
    assert written, "something has to be written for this to say anything"
    assert found["left_alone"] == sum(one.label is None for _, one in raw)
    assert found["wrong_per_100_tickets"] == pytest.approx(
        100 * (len(written) - right) / TESTED, abs=0.01
    )
    saved = made["aspects"]["category"]["saved"]
    monthly = ROWS / (2 * (ROWS - 1) / 24) * 30.44
    assert saved["tickets_per_month"] == round(monthly)
    assert saved["hours_per_month"] == pytest.approx(
        monthly * (2 * right - len(written)) / TESTED * 3 / 60, abs=0.06
    )


def test_the_curve_is_that_of_the_surest_answers(made, raw) -> None:
    known = [(gold, one) for gold, one in raw if gold != RARE]
    ordered = sorted(known, key=lambda pair: -pair[1].ranking[0][1])
    for point in made["aspects"]["category"]["coverage"]:
        count = round(point["coverage"] * len(known))
        right = sum(gold == one.ranking[0][0] for gold, one in ordered[:count])
        assert point["precision"] == pytest.approx(right / count, abs=0.03)  # ties may swap


def test_a_threshold_is_where_wilsons_bound_of_held_out_answers_reaches_the_dial(
    made, history
) -> None:
    """The largest set of surest answers counts, its bound solved from Wilson's quadratic."""
    bundle = open_bundle(history.parent / "ours")
    arrays = bundle.arrays()
    shares, gold = arrays["category.held"], arrays["category.gold"].astype(int)
    assert len(gold) == ROWS - TESTED
    for place, label in enumerate(sorted(WORDS)):
        mine = sorted(
            (-float(row.max()), int(right == place))
            for row, right in zip(shares, gold, strict=True)
            if row.argmax() == place
        )
        able = []
        for bar in {sure for sure, _ in mine}:
            hits = [right for sure, right in mine if sure <= bar]
            n, p, z = len(hits), sum(hits) / len(hits), 1.645
            roots = np.roots([1 + z * z / n, -(2 * p + z * z / n), p * p])
            if min(roots.real) >= ASKED:
                able.append(-bar)
        one = made["aspects"]["category"]["classes"][label]
        assert one["ready"] == bool(able)
        if able:
            # A step that adds less than half a point is left out, so it may begin a little later.
            assert one["threshold"] >= min(able) - 1e-3
            assert one["threshold"] <= max(able)


def test_suggested_assignees_are_those_of_the_back_test_on_the_files_rows(made, history) -> None:
    rows = [json.loads(line) for line in history.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["who"]]
    readings = (
        classifiers.kind.load(str(history.parent / "ours"), 1)
        .classifier({})
        .predict([row["text"] for row in rows])
    )
    pasts = []
    for row, reading in zip(rows, readings, strict=True):
        closed = datetime.fromisoformat(row["closed"]).timestamp()
        case = Case(
            ticket=TicketId(""),
            group=row["team"],
            assignee=row["who"],
            vector=reading.vector,
            updated_at=closed,
        )
        opened = datetime.fromisoformat(row["filed"]).timestamp()
        pasts.append(Past(case=case, opened_at=opened, resolved_at=closed))
    found, told = made["assignee"], backtest(pasts, Wishes())
    assert found["tested"] == told.tickets == round(0.3 * len(rows)) == 147
    assert found["learnt"] == len(rows) - 147
    assert (found["people"], found["groups"]) == (len({row["who"] for row in rows}), 2)
    assert found["top_1"] == pytest.approx(told.everybody.top_1, abs=1e-4)
    assert found["top_3"] == pytest.approx(told.everybody.top_3, abs=1e-4)
    assert found["sure_enough"] == pytest.approx(told.named, abs=1e-4)
    assert found["spread"] == pytest.approx(told.spread, abs=1e-4)
    assert found["top_3"] > found["rivals"][COMMONEST]["top_3"]


def test_look_ups_of_assignees_are_counted_by_hand(made, history) -> None:
    rows = [json.loads(line) for line in history.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["who"]]
    for name, key in (("its category", "kind"), (COMMONEST, "mood")):
        hits = 0
        for row in rows[-147:]:
            past = [one for one in rows if one["closed"] <= row["filed"]]
            same = Counter(one["who"] for one in past if one[key] == row[key])
            every = Counter(one["who"] for one in past)
            hits += row["who"] in [*dict.fromkeys([*ordered(same), *ordered(every)])][:3]
        # Who resolved as many as another may come before or after.
        assert made["assignee"]["rivals"][name]["top_3"] == pytest.approx(hits / 147, abs=0.03)


def ordered(counts: Counter[str]) -> Sequence[str]:
    return sorted(counts, key=lambda person: -counts[person])


def test_the_page_shows_the_verdict_and_the_figures(made, history) -> None:
    page = unescape((history.parent / "page.html").read_text("utf-8"))
    found = made["aspects"]["category"]
    assert found["verdict"] in page
    assert made["assignee"]["verdict"] in page
    assert f"<b>{found['macro_f1']['value']:.3f}</b>" in page
    assert f"of {TESTED} tickets tested on" in page.casefold()
    assert "<script" not in page
    for row in found["calibration"]["reliability"]:
        assert f"{row['n']} answers, confidence {row['confidence']:.3f}" in page
    for label in WORDS:
        assert f"<td>{label}</td>" in page


def test_the_terminal_says_it_in_words_and_nothing_is_left_lying_about(
    made, history, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    command._tell(made, None, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())  # however the lines are broken
    for said in (
        made["aspects"]["category"]["verdict"],
        "sentiment: left out, 1 classes have 10 tickets; two are needed",
        "hours a month",
        made["assignee"]["verdict"],
        "triaged, the group known",
        "linear alone, from the same",
        "triaged models promote",
    ):
        assert said in shown
    left = {path.name for path in history.parent.iterdir()}
    assert left == {"history.jsonl", "ours", "page.html"}


def test_a_killed_assessment_goes_on_with_its_bundle(history, tmp_path) -> None:
    columns = {"text": ("text",), "labels": {Aspect.CATEGORY: "kind"}, "time": "filed"}
    lines = history.read_text("utf-8").splitlines(keepends=True)

    def order(count: int) -> AssessmentOrder:
        path = tmp_path / f"{count}.jsonl"
        path.write_text("".join(lines[:count]), "utf-8")
        output = tmp_path / "bundle"
        training = TrainingOrder(history=path, output=output, minutes=1e-9, **columns)
        return AssessmentOrder(training=training)

    class KilledError(Exception):
        pass

    def kill(step: str) -> None:
        if "figures" in step:
            raise KilledError

    with pytest.raises(KilledError):
        assess(order(120), plain, plain_mask, kill, 1)
    said: list[str] = []
    told = assess(order(120), plain, plain_mask, said.append, 1)
    assert told["aspects"]["category"]["verdict"]
    assert not any("fold" in step for step in said), "nothing was learnt again"
    bundle = tmp_path / "bundle"
    assert not is_made(bundle, "0" * 64)
    assert not bundle.exists(), "another history's bundle is no answer"
    bundle.mkdir()
    with pytest.raises(BadHistory, match="is no bundle"):
        is_made(bundle, "0" * 64)


def plain(subject: str, body: str) -> str:
    return f"{subject}\n{body}".strip()


def plain_mask(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a TENANT, or a file with --history"),
        (("--history", "FILE"), "say what to learn"),
        (("--history", "FILE", "--label", "mood=x"), "write ASPECT=COLUMN"),
        (("--history", "FILE", "--label", "category=kind", "--text", ","), "at least one column"),
        (("acme", "--label", "category=kind"), "name columns of a --history file"),
        (
            ("--history", "FILE", "--label", "category=kind", "--resolved-at", "x"),
            "--resolved-at needs --set-at or --assignee",
        ),
        (
            ("--history", "FILE", "--label", "category=kind", "--set-at", "category=x"),
            "--set-at needs --resolved-at",
        ),
        (
            ("--history", "FILE", "--label", "category=kind", "--assignee", "who"),
            "--assignee and --group need each other",
        ),
        (
            (
                *("--history", "FILE", "--label", "category=kind", "--assignee", "who"),
                *("--group", "team", "--resolved-at", "closed"),
            ),
            "--assignee needs --time and --resolved-at",
        ),
        (("--history", "FILE", "--label", "category=kind", "--precision", "1.0"), "--precision"),
    ],
)
def test_options_that_do_not_fit_are_told_apart(history, tmp_path, arguments, said) -> None:
    given = [history if one == "FILE" else one for one in arguments]
    ran = run(tmp_path, *given)
    assert ran.exit_code == 2
    assert said in ran.output


def test_an_output_that_exists_is_never_touched(history, tmp_path) -> None:
    ran = CliRunner().invoke(
        triaged, ["assess", "--history", str(history), *OPTIONS, "--output", str(tmp_path)]
    )
    assert type(ran.exception).__name__ == "BadHistory"
    assert "never overwritten" in str(ran.exception)


def test_the_work_folder_lies_beside_the_output_or_here() -> None:
    place = command._work_folder
    assert place(Path("/x/ours"), "acme", None) == Path("/x/.ours.assess")
    assert place(None, "acme", None) == Path(".acme.assess")
    assert place(None, None, Path("/y/old.csv")) == Path(".old.assess")
