"""What stops by itself: a class whose option is gone, and a tenant that would write too much."""

import json

from world import FIELDS, until

CATEGORY = FIELDS["category"]
OPTIONS = ("hardware", "software", "network", "security", "account", "service_request")
VPN, LAPTOP = "The VPN does not connect.", "My laptop's screen is broken."


def test_a_lost_option_and_a_flood_stop_what_they_have_to_and_no_more(inside, site, desk) -> None:
    category = {"field": CATEGORY, "mode": "auto"}
    site.tenant("acme", desk, aspects={"category": category}, brake={"writes_per_hour": 3})
    running = site.daemon().ready("acme")

    # The desk's people delete an option; the first ticket that needs it finds out.
    fewer = [one for one in OPTIONS if one != "network"]
    desk.post("options", {"field": CATEGORY, "options": fewer})
    first = desk.arrive(VPN, VPN)
    running.event("ticket_set_aside", ticket=first)
    told = running.event("option_gone", tenant="acme", label="network")
    assert (told["aspect"], told["option"]) == ("category", "network")
    assert running.metric("triaged_options_gone", tenant="acme") == 1
    [status] = json.loads(inside("status", "--json", site=site).stdout)
    assert [(one["label"], one["value"]) for one in status["gone"]] == [("network", "network")]
    paused, other = desk.arrive(VPN, VPN), desk.arrive(LAPTOP, LAPTOP)
    [verdict] = running.event("ticket_triaged", ticket=paused)["verdicts"]
    assert verdict["action"] == "no_option"
    running.event("ticket_triaged", ticket=other)
    assert desk.ticket(other)["fields"][CATEGORY] == "hardware"

    # A restart keeps the tenant at work; the option that is back is used again.
    assert running.end() == 0
    running = site.daemon().ready("acme")
    again = desk.arrive(VPN, VPN)
    [verdict] = running.event("ticket_triaged", ticket=again)["verdicts"]
    assert verdict["action"] == "no_option"
    assert running.end() == 0
    desk.post("options", {"field": CATEGORY, "options": OPTIONS})
    running = site.daemon().ready("acme")
    running.event("option_back", tenant="acme", label="network")

    # One was written within the hour; three are allowed.
    flood = [desk.arrive(VPN, VPN) for _ in range(5)]
    told = running.event("brake_pulled", tenant="acme")
    assert told["tickets"] == 3
    assert sum(desk.writes(flood)) == 2
    assert running.metric("triaged_brake_pulled", tenant="acme") == 1
    [status] = json.loads(inside("status", "--json", site=site).stdout)
    assert status["brake"]["detail"] == "3 tickets were written to within an hour"
    ended = inside("brake", "release", "acme", site=site)
    assert ended.stdout == "acme: released\n"
    running.event("brake_released", tenant="acme")
    until("the rest written", lambda: sum(desk.writes(flood)) == 5)
