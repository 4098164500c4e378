"""The data doctor on histories that have one trouble each, and on one that has none."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("datasketch")

from classifiers.assessment.assess import late_ones
from classifiers.assessment.confused import confused
from classifiers.assessment.doctor import Chart, examine, needed
from classifiers.assessment.findings import Finding, Shown, stands_for
from classifiers.relabel import Held
from classifiers.training.dedupe import clusters
from classifiers.training.history import Row
from connector.clean import mask
from connector.errors import BadHistory
from connector.model import Aspect
from connector.ports import AssessmentOrder, TrainingOrder
from connector.yamlfile import read

pytestmark = pytest.mark.train

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOUNS = (
    "anchor bottle candle donkey engine feather garden hammer island jacket kettle ladder".split()
)


def row(number: int, label: str, text: str = "") -> Row:
    said = (
        text or " ".join(NOUNS[(number * step) % len(NOUNS)] for step in (1, 5, 7)) + f" {number}"
    )
    return Row(
        number=number,
        text=said,
        labels={Aspect.CATEGORY: label},
        filed_at=BEGIN + timedelta(hours=number),
    )


def healthy() -> list[Row]:
    return [row(number, ("network", "hardware")[number % 2]) for number in range(200)]


def found(rows: list[Row], **changes: object) -> Mapping[str, Finding]:
    """Give the findings by kind."""
    texts = [one.text for one in rows]
    numbers = clusters(texts, 1)
    whole = {
        "aspect": Aspect.CATEGORY,
        "rows": rows,
        "clusters": dict(zip(texts, map(int, numbers), strict=True)),
        "raw": Counter(one.labels[Aspect.CATEGORY] for one in rows),
        "options": (),
        "floor": 10,
        "asked": 0.95,
        "shown": Shown(mask),
    }
    return {one.kind: one for one in examine(Chart(**whole | changes))}  # type: ignore[arg-type]


def test_a_healthy_history_has_no_findings() -> None:
    assert found(healthy()) == {}


def test_identical_tickets_with_different_labels_are_shown_without_personal_data() -> None:
    said = "Please reset the account of ann.moss@example.com"
    rows = [*healthy(), row(200, "network", said), row(201, "hardware", said)]
    one = found(rows)["identical"]
    assert (one.tickets, one.examples[0]) == (
        2,
        "network (1): Please reset the account of <EMAIL>",
    )
    assert "1 of them count as wrong" in one.told


def test_near_identical_tickets_are_told_apart_from_identical_ones() -> None:
    alarm = "Disk usage of the server is above the limit, look at it soon please, this is host"
    rows = [*healthy(), *(row(200 + n, "network", f"{alarm} {n}") for n in range(3))]
    rows.append(row(203, "hardware", f"{alarm} 9"))
    told = found(rows)
    assert "identical" not in told
    assert told["near-identical"].tickets == 4
    assert "1 of them count as wrong" in told["near-identical"].told


def test_values_that_differ_by_blanks_and_capitals_get_a_line_for_the_tenants_file(
    tmp_path,
) -> None:
    raw = Counter({"VPN": 30, "vpn ": 4, "Vpn": 2, "hardware": 20})
    one = found(healthy(), raw=raw)["spelling"]
    assert one.tickets == 6
    assert one.labels == '"VPN": {stands_for: ["VPN", "Vpn", "vpn"]}'
    file = tmp_path / "t.yaml"
    file.write_text(f"labels:\n  {one.labels}\n", encoding="utf-8")
    assert read(file).data["labels"]["VPN"]["stands_for"] == ["VPN", "Vpn", "vpn"]
    only_padded = found(healthy(), raw=Counter({"network ": 5, "hardware": 20}))["spelling"]
    assert (only_padded.tickets, only_padded.labels) == (5, "")
    assert "take the blanks off" in only_padded.remedy


def test_a_name_cannot_break_out_of_the_line() -> None:
    assert stands_for('a"b\\', ["c"]) == '"a\\"b\\\\": {stands_for: ["c"]}'


def test_thin_classes_are_named_with_what_a_promise_takes() -> None:
    rows = [*healthy(), *(row(200 + n, "printer") for n in range(12)), row(300, "fax")]
    told = [
        one
        for one in examine(
            Chart(
                aspect=Aspect.CATEGORY,
                rows=rows,
                clusters={},
                raw=Counter(),
                options=(),
                floor=10,
                asked=0.95,
                shown=Shown(mask),
            )
        )
        if one.kind == "thin"
    ]
    assert [("fax (1)" in one.told, "printer (12)" in one.told) for one in told] == [
        (True, False),
        (False, True),
    ]
    assert "fewer than 52 tickets cannot promise 0.95" in told[1].told
    assert [needed(asked) for asked in (0.9, 0.95, 0.98)] == [25, 52, 133]


def test_a_class_that_the_desk_lacks_is_named_with_the_option_it_may_be_now() -> None:
    one = found(healthy(), options=("Network", "hardware"))["gone"]
    assert one.tickets == 100
    assert one.labels == '"Network": {stands_for: ["network"]}'
    assert found(healthy(), options=("network", "hardware", "fax")) == {}


def test_a_class_that_nobody_uses_any_more_is_named_with_the_one_that_came() -> None:
    rows = [
        row(n, "hardware" if n % 2 else ("lan" if n < 120 else "wired network")) for n in range(200)
    ]
    one = found(rows)["dead"]
    assert one.tickets == 60
    assert "'lan'" not in one.told
    assert '"lan" was last used on 2026-01-05' in one.told
    assert one.labels == "", "the new name began before the newest quarter"
    later = [row(n, "hardware" if n % 2 else ("lan" if n < 150 else "wired")) for n in range(200)]
    assert found(later)["dead"].labels == '"wired": {stands_for: ["lan", "wired"]}'


@pytest.mark.parametrize("name", ["Other", "misc_issues", "Sonstiges", "Divers / autre"])
def test_a_class_that_is_none_is_named(name) -> None:
    rows = [*healthy(), *(row(200 + n, name) for n in range(60))]
    one = found(rows)["catch-all"]
    assert one.tickets == 60
    assert len(one.examples) == 3


def test_a_forms_line_that_names_the_class_is_a_giveaway_and_a_common_word_is_none() -> None:
    rows = [
        row(n, label, f"{NOUNS[n % 12]} {n}\nCategory: {label}" if label == "network" else "")
        for n, label in ((n, ("network", "hardware")[n % 2]) for n in range(200))
    ]
    one = found(rows)["giveaway"]
    assert (one.tickets, one.examples) == (100, ("Category: network",))
    assert "in 0 others" in one.told


def test_confused_classes_are_weighed_as_one() -> None:
    gold = np.arange(300) % 3
    said = np.where((gold < 2) & (np.arange(300) % 4 == 0), 1 - gold, gold)
    shares = np.full((300, 3), 0.05, np.float32)
    shares[np.arange(300), said] = 0.9
    held = Held(shares=shares, gold=gold.astype(np.intp))
    [one] = confused(Aspect.CATEGORY, ("vpn", "wifi", "hardware"), held, 0.95)
    assert (one.tickets, one.labels) == (50, '"vpn_or_wifi": {stands_for: ["vpn", "wifi"]}')
    assert (
        "in 50 of 200 tickets; 0% of these could be written at 0.95, as one class 100%" in one.told
    )


def test_values_that_were_set_at_the_end_are_told(tmp_path) -> None:
    path = tmp_path / "late.csv"
    lines = ["kind,chosen,solved", "network,,2026-01-01"]
    for number in range(120):
        solved = BEGIN + timedelta(hours=number + 5)
        chosen = solved if number % 3 == 0 else solved - timedelta(hours=1)
        lines.append(f"network,{chosen.isoformat()},{solved.isoformat()}")
    path.write_text("\n".join(lines), "utf-8")
    training = TrainingOrder(
        history=path, output=tmp_path, text=("text",), labels={Aspect.CATEGORY: "kind"}
    )
    order = AssessmentOrder(
        training=training, set_at={Aspect.CATEGORY: "chosen"}, resolved_at="solved"
    )
    [late] = late_ones(order, Aspect.CATEGORY)
    assert late.tickets == 40
    assert "in 40 of 120 tickets" in late.told
    path.write_text("kind,chosen,solved\nnetwork,soon,2026-01-01", "utf-8")
    with pytest.raises(BadHistory, match=r"late.csv: row 1: .*holds no time"):
        list(late_ones(order, Aspect.CATEGORY))
