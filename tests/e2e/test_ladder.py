"""A class that people correct comes down by itself, and goes up by an administrator's word."""

import json

from world import FIELDS, until

CATEGORY = FIELDS["category"]
TEXTS = (
    "The VPN does not connect.",
    "I cannot reach the Wi-Fi.",
    "VPN connection drops all the time.",
    "No network connection in the meeting room.",
    "The Wi-Fi is very slow on our floor.",
    "VPN: the connection times out.",
    "There is no internet connection at my desk.",
    "The network drive cannot be reached over VPN.",
)


def test_corrections_demote_a_class_and_a_command_raises_it(inside, site, desk) -> None:
    site.tenant(
        "acme", desk, aspects={"category": {"field": CATEGORY, "mode": "auto", "precision": 0.8}}
    )
    running = site.daemon().ready("acme")
    ended = inside("ladder", "list", "acme", site=site)
    assert (ended.returncode, "no class was demoted" in ended.stdout) == (0, True)

    written = []
    for text in TEXTS:
        ticket = desk.arrive(text, text)
        running.event("ticket_triaged", ticket=ticket)
        if desk.ticket(ticket)["fields"][CATEGORY] == "network":
            written.append(ticket)
    assert len(written) >= 6
    for ticket in written:
        desk.post(f"tickets/{ticket}", {"fields": {CATEGORY: "account"}, "status": "solved"})
    told = running.event("class_demoted", tenant="acme", label="network")
    assert (told["before"], told["mode"], told["right"]) == ("auto", "suggest", 0)
    assert running.metric("triaged_demotions_total", tenant="acme", aspect="category") == 1

    later = desk.arrive(TEXTS[0], TEXTS[0])
    running.event("ticket_triaged", ticket=later)
    shown = desk.ticket(later)
    assert (shown["fields"][CATEGORY], shown["tags"]) == (None, ["triaged_category_network"])

    told = inside("status", site=site).stdout
    assert "acme category network: suggest: demoted from auto: 0 of the last" in told
    page = site.folder / "report.html"
    ended = inside("report", "acme", "--since", "1h", "--html", str(page), "--json", site=site)
    [report] = json.loads(ended.stdout)
    [funnel] = report["funnels"]
    assert (funnel["written"], funnel["corrected"], funnel["suggested"]) == (
        len(written),
        len(written),
        1,
    )
    assert f"corrected {len(written)}" in page.read_text("utf-8")
    shown = inside("report", site=site).stdout
    assert "No ticket is held out" in shown
    assert inside("report", "--since", "1h", "--until", "2h", site=site).returncode == 2

    [one] = json.loads(inside("ladder", "list", "acme", "--json", site=site).stdout)
    assert (one["class"], one["wanted"], one["mode"], one["proposed"]) == (
        "network",
        "auto",
        "suggest",
        None,
    )
    ended = inside("ladder", "raise", "acme", "category", "hardware", site=site)
    assert (ended.returncode, "'category hardware' was not demoted" in ended.stderr) == (2, True)
    ended = inside("ladder", "raise", "acme", "category", "network", site=site)
    assert ended.stdout == "category network: auto from now on, was suggest\n"
    running.event("class_raised", tenant="acme", label="network", mode="auto")
    gauge = "triaged_lowered_classes"
    until("the class raised", lambda: running.metric(gauge, tenant="acme") == 0)
    last = desk.arrive(TEXTS[1], TEXTS[1])
    running.event("ticket_triaged", ticket=last)
    assert desk.ticket(last)["fields"][CATEGORY] == "network"

    # Without a daemon the command writes to the store itself, and says what does not fit.
    assert running.end() == 0
    ended = inside("ladder", "raise", "acme", "category", "network", site=site)
    assert "is at auto, as acme's file says" in ended.stderr
