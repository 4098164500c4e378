"""An assessment by a tenant's own names for labels: renamed, merged, split, and reckoned anew."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("datasketch")

import classifiers
from classifiers.assessment.assess import assess
from connector.cli.verdict import renamed, standing
from connector.model import Aspect
from connector.ports import AssessmentOrder, StandsFor, TrainingOrder

pytestmark = pytest.mark.train

WORDS = {
    "vpn": "tunnel client gateway certificate profile login".split(),
    "wifi": "tunnel client router signal password access".split(),
    "printing": "printer toner paper tray scanner jam".split(),
    "devices": "laptop dock keyboard screen battery mouse".split(),
}
OWN = {
    "network": StandsFor(labels=("vpn", "wifi", "fibre")),
    "machines": StandsFor(labels=("devices",)),
    "copier": StandsFor(labels=("printing",), words=("paper jam in the copier",)),
    "scanner": StandsFor(labels=("printing",), words=("scanner scans nothing",)),
}
ROWS, ASKED = 400, 0.8
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """Give tickets of which VPN and Wi-Fi are hard to tell apart."""
    made = []
    for number in range(ROWS):
        label = list(WORDS)[number % 4]
        draw = random.Random(number)
        shown = "vpn" if label == "wifi" and number % 3 == 0 else label
        said = f"{' '.join(draw.sample(WORDS[shown], 3))} in room {number} floor {number * 7 % 90}"
        filed = (BEGIN + timedelta(hours=number)).isoformat()
        made.append({"text": said, "kind": label, "filed": filed})
    return made


@pytest.fixture(scope="module")
def told(rows, tmp_path_factory) -> tuple[Mapping[str, Any], Path]:
    """Assess them once, and give the bundle's folder too."""
    folder = tmp_path_factory.mktemp("named")
    history = folder / "history.jsonl"
    history.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    training = TrainingOrder(
        history=history,
        output=folder / "ours",
        text=("text",),
        labels={Aspect.CATEGORY: "kind"},
        time="filed",
        minutes=1e-9,
    )
    order = AssessmentOrder(training=training, otherwise=ASKED, names={Aspect.CATEGORY: OWN})
    found = assess(order, lambda _subject, body: body, str, lambda _: None, 1)
    return found["aspects"]["category"], folder / "ours"


def test_classes_are_those_of_the_tenant(told) -> None:
    found, _ = told
    assert set(found["classes"]) == set(WORDS), "the bundle's own verdict stays as it was"
    named = found["as_named"]
    assert set(named["classes"]) == {"network", "machines", "copier", "scanner"}
    assert named["classes"]["network"]["tickets"] == ROWS / 2
    assert named["classes"]["machines"]["tickets"] == ROWS / 4
    assert named["unknown"] == ["fibre"]
    assert renamed(named).endswith("this history did not teach fibre")


def test_what_was_merged_can_be_promised_more(told) -> None:
    found, _ = told
    parts = [found["classes"][label]["most"] for label in ("vpn", "wifi")]
    assert found["as_named"]["classes"]["network"]["most"] > max(parts)
    assert found["as_named"]["classes"]["machines"]["most"] == found["classes"]["devices"]["most"]


def test_what_is_split_is_promised_nothing_and_says_why(told) -> None:
    named = told[0]["as_named"]
    for label in ("copier", "scanner"):
        one = named["classes"][label]
        assert (one["ready"], one["most"], one["needs"]) == (False, 0.0, None)
        assert "no ticket tells" in standing(one)
    assert "copier, scanner are split by words" in named["verdict"]


def test_the_funnel_is_counted_ticket_by_ticket_with_the_serving_classifier(rows, told) -> None:
    found, bundle = told
    known = {name: replace_unknown(one) for name, one in OWN.items()}
    newest = rows[-found["funnel"]["n"] :]
    readings = (
        classifiers.kind.load(str(bundle), 1)
        .classifier({}, {Aspect.CATEGORY: known})
        .predict([row["text"] for row in newest])
    )
    counted: Counter[str] = Counter()
    for row, reading in zip(newest, readings, strict=True):
        if row["kind"] == "printing":
            continue  # nobody knows if it was the copier or the scanner
        right = {"vpn": "network", "wifi": "network", "devices": "machines"}[row["kind"]]
        [answer] = [one for one in reading.predictions if one.aspect is Aspect.CATEGORY]
        counted["n"] += 1
        if answer.label is not None and answer.promised >= ASKED:
            counted["written"] += 1
            counted["right"] += answer.label == right
    funnel = found["as_named"]["funnel"]
    assert counted["written"] > 0
    assert {name: funnel[name] for name in counted} == dict(counted)
    assert funnel["written"] / funnel["n"] > found["funnel"]["written"] / found["funnel"]["n"]


def replace_unknown(one: StandsFor) -> StandsFor:
    labels = tuple(label for label in one.labels if label in WORDS)
    return StandsFor(labels=labels, words=one.words)
