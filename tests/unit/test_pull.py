import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.memory import MemoryAdapter
from connector.errors import BadHistory, Retry, Unauthorized
from connector.history import MOST_FAILURES, Pulled, Source, Told, pull
from connector.model import Aspect, Cursor, FieldValue, Page, Status, Ticket, TicketId
from connector.settings import AspectSettings, TenantSettings

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SETTINGS = TenantSettings.model_validate(
    {
        "tenant": "acme",
        "desk": {"platform": "memory"},
        "aspects": {
            "category": {"field": "category", "values": {"net": "network"}, "mode": "off"},
            "priority": {"field": "priority", "treat_as_empty": ["normal"]},
            "sentiment": {"field": "tags"},
        },
    }
)


def nothing(_: Sequence[TicketId]) -> Mapping[TicketId, Mapping[str, FieldValue]]:
    return {}


@pytest.fixture
def source(adapter, clock) -> Source:
    return Source(settings=SETTINGS, adapter=adapter, clock=clock, jitter=lambda _, high: high)


def resolved(adapter: MemoryAdapter, text: str, **fields: str) -> TicketId:
    ticket = adapter.arrive("Help", text, fields=fields)
    adapter.change(ticket, status=Status.RESOLVED)
    return ticket


def rows(path: Path) -> list[Mapping[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pulled(source: Source, output: Path, ours=nothing, since: datetime = LONG_AGO) -> Pulled:
    return pull(source, since, output, ours, lambda _: None)


def test_rows_hold_what_was_filed_and_the_value_in_the_end(source, adapter, tmp_path) -> None:
    text = "<p>VPN is down, call +49 30 901820 or mail ann@example.com</p>"
    resolved(adapter, text, category="network", priority="high")
    adapter.arrive("Open", "still open", fields={"category": "network"})
    told = pulled(source, tmp_path / "acme.jsonl")
    [row] = rows(tmp_path / "acme.jsonl")
    assert told.tickets == 1
    assert row["subject"] == "Help"
    assert row["category"] == "net", "the label that the tenant's own value stands for"
    assert row["priority"] == "high"
    assert "sentiment" not in row, "tags hold no value to learn from"
    assert "VPN is down" in row["description"]
    assert not {"<p>", "901820", "ann@example.com"} & set(row["description"].split())
    assert datetime.fromisoformat(row["created_at"]).tzinfo
    assert (tmp_path / "acme.jsonl").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["acme.jsonl"]


def test_what_nobody_chose_teaches_nothing(source, adapter, tmp_path) -> None:
    by_us = resolved(adapter, "one", category="network", priority="normal")
    corrected = resolved(adapter, "two", category="hardware")
    told = pulled(
        source,
        tmp_path / "out.jsonl",
        lambda _: {by_us: {"category": "network"}, corrected: {"category": "network"}},
    )
    assert [row["category"] for row in rows(tmp_path / "out.jsonl")] == ["", "hardware"]
    assert [row["priority"] for row in rows(tmp_path / "out.jsonl")] == ["", ""]
    assert told.ours == {Aspect.CATEGORY: 1}
    assert told.labels[Aspect.CATEGORY] == {"hardware": 1}


def test_who_resolved_it_is_kept_unless_triaged_had_chosen(source, adapter, tmp_path) -> None:
    people = ("ann", "bo", "ann")
    tickets = [resolved(adapter, f"by {person}", assignee=person) for person in people]
    settings = SETTINGS.model_copy(
        update={
            "aspects": SETTINGS.aspects.model_copy(
                update={"assignee": AspectSettings(field="assignee")}
            )
        }
    )
    told = pulled(
        replace(source, settings=settings),
        tmp_path / "out.jsonl",
        lambda _: {ticket: {"assignee": "ann"} for ticket in tickets[1:]},
    )
    assert [row["assignee"] for row in rows(tmp_path / "out.jsonl")] == ["ann", "bo", ""]
    assert told.ours == {Aspect.ASSIGNEE: 1}
    assert Aspect.ASSIGNEE not in told.labels, "it is no label to train on"


def test_since_leaves_older_tickets_out(source, adapter, clock, tmp_path) -> None:
    resolved(adapter, "old", category="network")
    clock.pass_time(3600)
    resolved(adapter, "new", category="network")
    pulled(source, tmp_path / "out.jsonl", since=clock.now() - timedelta(minutes=1))
    assert [row["description"] for row in rows(tmp_path / "out.jsonl")] == ["new"]


class Troubled:
    """A desk that fails after some pages, as often as it is told to."""

    def __init__(self, desk: MemoryAdapter, errors: Sequence[Exception]) -> None:
        self.desk = desk
        self.errors = list(errors)
        self.places: list[Cursor | None] = []

    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        self.places.append(cursor)
        for page in self.desk.history(since, cursor):
            yield page
            if self.errors:
                raise self.errors.pop(0)


def test_a_desk_that_wants_a_pause_gets_it_and_nothing_is_lost(adapter, clock, tmp_path) -> None:
    numbers = []
    for number in range(250):
        numbers.append(f"ticket {number}")
        resolved(adapter, numbers[-1], category="network")
        clock.pass_time(1)
    desk = Troubled(adapter, [Retry("busy", after=30), Retry("busy again")])
    source = Source(settings=SETTINGS, adapter=desk, clock=clock, jitter=lambda _, high: high)
    before = clock.now()
    pulled(source, tmp_path / "out.jsonl")
    assert [row["description"] for row in rows(tmp_path / "out.jsonl")] == numbers
    assert desk.places == [None, "200", "400"], "it goes on where it was"
    assert (clock.now() - before).total_seconds() >= 30


def test_a_killed_pull_goes_on_and_gives_each_ticket_once(adapter, clock, tmp_path) -> None:
    for number in range(250):
        resolved(adapter, f"ticket {number}", category="network")
        clock.pass_time(1)
    output = tmp_path / "out.jsonl"
    dying = Troubled(adapter, [Unauthorized("gone")])
    with pytest.raises(Unauthorized):
        pulled(Source(settings=SETTINGS, adapter=dying, clock=clock, jitter=max), output)
    assert not output.exists()
    part = tmp_path / ".out.jsonl.part"
    assert part.stat().st_mode & 0o077 == 0
    part.write_bytes(part.read_bytes()[:-20])  # killed in the middle of a line
    said: list[Told] = []
    again = Troubled(adapter, [])
    source = Source(settings=SETTINGS, adapter=again, clock=clock, jitter=max)
    assert pull(source, LONG_AGO, output, nothing, said.append).tickets == 250
    assert len({row["id"] for row in rows(output)}) == len(rows(output)) == 250
    assert said[0].words == "going on after 100 tickets"
    assert again.places == [None], "a page whose place was not kept comes again"
    with pytest.raises(BadHistory, match="never overwritten"):
        pulled(source, output)


def test_a_desk_that_stays_down_is_given_up_and_what_came_is_kept(adapter, clock, tmp_path) -> None:
    resolved(adapter, "one", category="network")
    desk = Troubled(adapter, [Retry("down")] * 50)

    def history(_since: datetime, cursor: Cursor | None) -> Iterator[Page[Ticket]]:
        desk.places.append(cursor)
        raise Retry("down")
        yield

    desk.history = history
    with pytest.raises(Retry):
        pulled(Source(settings=SETTINGS, adapter=desk, clock=clock, jitter=max), tmp_path / "o")
    assert len(desk.places) == MOST_FAILURES + 1


def test_a_desk_that_is_down_at_the_first_question_is_asked_again(
    adapter, source, tmp_path
) -> None:
    resolved(adapter, "one", category="network")
    adapter.fail_next(Retry("down"))
    assert pulled(source, tmp_path / "out.jsonl").tickets == 1


def half(source: Source, adapter: MemoryAdapter, output: Path) -> None:
    """Leave a pull after its first page."""
    for number in range(150):
        resolved(adapter, f"ticket {number}", category="network")
    dying = Troubled(adapter, [Unauthorized("gone")])
    with pytest.raises(Unauthorized):
        pulled(replace(source, adapter=dying), output)


def test_a_pull_goes_on_behind_the_last_page_and_says_how_far_it_is(
    source, adapter, tmp_path
) -> None:
    half(source, adapter, tmp_path / "out.jsonl")
    again, said = Troubled(adapter, []), list[Told]()
    pull(replace(source, adapter=again), LONG_AGO, tmp_path / "out.jsonl", nothing, said.append)
    assert again.places == ["200"]
    assert [told.share for told in said] == [2 / 3, 1.0]


def test_what_came_whole_is_not_asked_again(source, adapter, tmp_path) -> None:
    resolved(adapter, "one", category="network")

    def full(_: Sequence[TicketId]) -> Mapping[TicketId, Mapping[str, FieldValue]]:
        raise BadHistory("killed before the output was written")

    with pytest.raises(BadHistory, match="killed"):
        pulled(source, tmp_path / "out.jsonl", full)
    again = Troubled(adapter, [])
    assert pulled(replace(source, adapter=again), tmp_path / "out.jsonl").tickets == 1
    assert again.places == []


@pytest.mark.parametrize("other", ["since", "tenant", "fields"])
def test_what_was_begun_for_something_else_is_not_mixed_in(
    source, adapter, tmp_path, other
) -> None:
    half(source, adapter, tmp_path / "out.jsonl")
    since, settings = LONG_AGO, SETTINGS
    if other == "since":
        since += timedelta(days=1)
    if other == "tenant":
        settings = SETTINGS.model_copy(update={"tenant": "umbrella"})
    if other == "fields":
        without = SETTINGS.aspects.model_copy(update={"category": None})
        settings = SETTINGS.model_copy(update={"aspects": without})
    with pytest.raises(BadHistory, match=r"begun for tenant acme since 2020-01-01 from the fields"):
        pulled(replace(source, settings=settings), tmp_path / "out.jsonl", since=since)


def test_without_a_time_of_its_own_a_pull_keeps_the_one_it_began_with(
    source, adapter, tmp_path
) -> None:
    half(source, adapter, tmp_path / "out.jsonl")
    later = LONG_AGO + timedelta(days=1)
    told = pull(source, later, tmp_path / "out.jsonl", nothing, lambda _: None, exact=False)
    assert told.tickets == 150


def test_two_pulls_do_not_write_one_file(source, adapter, tmp_path) -> None:
    resolved(adapter, "one")
    output = tmp_path / "out.jsonl"

    def meanwhile(_: Told) -> None:
        with pytest.raises(BadHistory, match="just being pulled by another command"):
            pulled(source, output)

    assert pull(source, LONG_AGO, output, nothing, meanwhile).tickets == 1
