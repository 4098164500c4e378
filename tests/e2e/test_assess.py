"""A tenant assessed on its own desk's history, over the real adapter and HTTP."""

import json
import random

import pytest
from world import FIELDS, Desk, Site

pytest.importorskip("sklearn")
pytest.importorskip("datasketch")

WORDS = {
    "network": "vpn wifi router tunnel switch proxy cable signal firewall roaming".split(),
    "hardware": "printer toner laptop tray scanner screen keyboard copier mouse dock".split(),
}
TICKETS = 180
PEOPLE = {"network": ("Ann Moss", "Bo Reed"), "hardware": ("Cy Dunn", "Di Wolf")}


def test_a_desk_is_judged_before_anything_is_written(tenanted: Site, desk: Desk, inside) -> None:
    agents = [
        {"name": name, "group": team, "email": f"{name.casefold()[:2]}@example.com"}
        for team, names in PEOPLE.items()
        for name in names
    ]
    desk.post("staff", {"groups": list(PEOPLE), "agents": agents})
    filed = []
    for number in range(TICKETS):
        label = list(WORDS)[number % 2]
        said = " ".join(random.Random(number).sample(WORDS[label], 4))
        text = f"{said} in room {number}, ask ann.moss@example.com"
        # One option is gone since, and one ticket in six was closed with it.
        value = "hardwares" if label == "hardware" and number % 3 == 0 else label
        solved = {
            "group": label,
            "assignee": PEOPLE[label][number % 3 == 0].casefold()[:2] + "@example.com",
            "status": "solved",
        }
        filed.append(desk.arrive("", text, fields={FIELDS["category"]: value}, **solved))
    page, kept = tenanted.folder / "acme.html", tenanted.folder / "ours"
    ended = inside(
        *("assess", "acme", "--json", "--html", str(page), "--output", str(kept)),
        *("--precision", "0.8", "--minutes", "0.001"),
        site=tenanted,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["rows"] == TICKETS
    assert told["by_time"]
    found = told["aspects"]["category"]
    assert set(found["classes"]) == {"network", "hardware", "hardwares"}
    assert found["classes"]["network"]["ready"]
    assert found["funnel"]["n"] == told["tested"]
    gone = next(one for one in told["findings"] if one["kind"] == "gone")
    assert gone["labels"] == '"hardware": {stands_for: ["hardwares"]}'
    people = told["assignee"]
    assert (people["people"], people["groups"], people["tested"]) == (4, 2, 54)
    assert people["verdict"].startswith("assignee: the right person comes first for")
    assert not [name for names in PEOPLE.values() for name in names if name in ended.stdout]
    assert set(told["left_out"]) == {"priority", "sentiment"}
    assert desk.writes(filed) == [0] * TICKETS, "nothing is written"
    assert found["verdict"].replace("&", "&amp;") in page.read_text("utf-8")
    assert "ann.moss" not in page.read_text("utf-8") + ended.stdout
    assert (kept / "manifest.json").is_file()
    assert not list(tenanted.folder.glob(".ours*")), "the pulled tickets are gone"
