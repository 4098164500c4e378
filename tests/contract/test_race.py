"""A person's change always survives; `race.py` runs a thousand interleavings for each desk."""

import pytest
import race
from line import line

CONDITIONAL = sorted(set(race.DESKS) - race.UNCONDITIONAL)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_whatever_a_person_changes_at_whatever_moment_stands(name: str) -> None:
    sums = race.race(name, 15, seed=7)
    assert (sums.interleavings, sums.lost) == (15, 0)
    assert sums.conflicts > 3


def test_without_a_conditional_write_only_the_last_moment_is_unguarded() -> None:
    """Between the last look and the write; all before and after is as safe as elsewhere."""
    sums = race.race("servicenow", 20, seed=7)
    last_moment = ("after call 3 (GET)", "before call 4 (PATCH)")
    lost = [place for place in sums.lost_where if not place.startswith(last_moment)]
    # An interleaving with two changes names both; one of them was in that moment.
    assert sum(sums.lost_where.values()) - len(lost) >= sums.lost
    assert sums.interleavings == 20


@pytest.mark.parametrize("people", ["sandboxed", "rt_sandboxed"])
def test_a_tag_that_is_taken_away_just_after_we_set_it_stays_away(
    people, request, clock, tmp_path
) -> None:
    desk = request.getfixturevalue(people)
    with line(desk, clock, tmp_path / "state") as one_line:
        calls = race.calls_of(one_line)
        ticket, watch = one_line.arrive(), race.Interleaver()
        watch.acts[calls, "before"] = lambda _: desk.change(ticket, tags=["vip"])
        with watch.watching():
            one_line.triage(ticket)
        assert not watch.acts
        [entry] = one_line.store.ledger.of(one_line.desk.tenant, ticket)
        assert entry.outcome == "written"
        assert "tags:priority" in entry.written
        desk.reply(ticket, "any news?")
        one_line.triage(ticket)
        assert race.read(desk, ticket).tags == {"vip"}
