"""A ticket whose text kills the process that reads it."""

import json
import signal

import quick


def test_a_ticket_that_kills_two_daemons_is_held_and_the_others_are_written(
    inside, tmp_path, tenanted, desk
) -> None:
    environment = quick.installed(tmp_path / "plugin")
    tenanted.tenant("acme", desk, aspects=quick.ASPECTS)
    with tenanted.daemon(**environment) as daemon:
        daemon.ready("acme")  # from now on it hears of what is new
    poison = desk.arrive("Help", f"This is {quick.POISON}.")
    others = [desk.arrive("A matter", f"About {name}.") for name in quick.CATEGORIES]
    for _ in range(2):
        with tenanted.daemon(**environment) as daemon:
            assert daemon.left() == -signal.SIGKILL
    with tenanted.daemon(**environment) as daemon:
        for ticket in others:
            daemon.event("ticket_triaged", ticket=ticket)
        # Others may be done on the desk and not yet be settled in the store.
        listed = inside("queue", "list", "--state", "held", "--json", site=tenanted)
        [row] = json.loads(listed.stdout)
        assert (row["ticket"], row["state"]) == (poison, "held")
        assert "died twice while it read" in row["detail"]
    assert desk.writes([poison, *others]) == [0, 1, 1, 1, 1, 1]
