"""A walk over the open tickets of the past: it goes on after a kill, and no two are at it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory import MemoryAdapter
from connector.backfill import Bookmark, Place, fill
from connector.errors import Retry, StateInUse, Unauthorized
from connector.history import Source
from connector.model import Cursor, Page, Status, TicketId, TicketRef
from connector.settings import TenantSettings
from connector.store import Sorted

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SETTINGS = TenantSettings.model_validate(
    {
        "tenant": "acme",
        "desk": {"platform": "memory"},
        "aspects": {"category": {"field": "category"}},
    }
)


@pytest.fixture
def source(adapter, clock) -> Source:
    return Source(settings=SETTINGS, adapter=adapter, clock=clock, jitter=lambda _, high: high)


@pytest.fixture
def bookmark(tmp_path) -> Bookmark:
    return Bookmark(tmp_path / "backfill-acme.json")


class Intake:
    """Takes everything in, and remembers."""

    def __init__(self) -> None:
        self.taken: list[TicketId] = []

    def __call__(self, refs: Sequence[TicketRef]) -> Sorted:
        self.taken += [ref.id for ref in refs]
        return Sorted(new=len(refs))


class Troubled(MemoryAdapter):
    """A desk that fails after some pages."""

    def __init__(self, clock, errors: Sequence[Exception]) -> None:
        super().__init__(clock)
        self.errors = list(errors)

    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        for page in super().backlog(since, cursor):
            yield page
            if self.errors:
                raise self.errors.pop(0)


def filed(adapter: MemoryAdapter, count: int) -> list[TicketId]:
    return [adapter.arrive("VPN", f"{number}") for number in range(count)]


def test_open_tickets_alone_are_taken_in(source, adapter) -> None:
    still_open, solved = filed(adapter, 2)
    adapter.change(solved, status=Status.RESOLVED)
    intake = Intake()
    [end] = fill(source, adapter, Place(since=LONG_AGO), intake, lambda _: None)
    assert intake.taken == [still_open]
    assert end.found == 1


def test_a_desk_that_wants_a_pause_gets_it_and_each_ticket_comes_once(source, clock) -> None:
    adapter = Troubled(clock, [Retry("busy", after=30)])
    wanted, intake = filed(adapter, 250), Intake()
    before = clock.now()
    *_, end = fill(source, adapter, Place(since=LONG_AGO), intake, lambda _: None)
    assert intake.taken == wanted
    assert end.sums == Sorted(new=250)
    assert clock.now() - before >= timedelta(seconds=30)


def test_a_killed_one_goes_on_behind_the_last_page(source, clock, bookmark) -> None:
    adapter = Troubled(clock, [Unauthorized("gone")])
    wanted, intake = filed(adapter, 250), Intake()
    pages = fill(source, adapter, bookmark.read(LONG_AGO), intake, lambda _: None)
    bookmark.keep(next(pages))
    with pytest.raises(Unauthorized):
        next(pages)
    later = LONG_AGO + timedelta(hours=1)  # `--since 30d`, said an hour later
    place = bookmark.read(later)
    assert (place.since, place.found) == (LONG_AGO, 100)
    *_, end = fill(source, adapter, place, intake, lambda _: None)
    assert intake.taken == wanted
    assert end.found == 250
    bookmark.end()
    assert bookmark.read(later) == Place(since=later)


def test_who_wants_to_look_further_back_begins_anew(bookmark) -> None:
    bookmark.keep(Place(since=LONG_AGO, cursor=Cursor("7"), sums=Sorted(new=7)))
    earlier = LONG_AGO - timedelta(days=1)
    assert bookmark.read(earlier) == Place(since=earlier)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"since": "x"}', b"\xff"])
def test_a_broken_bookmark_means_to_begin_anew(content, tmp_path) -> None:
    path = tmp_path / "backfill-acme.json"
    path.write_bytes(content)
    assert Bookmark(path).read(LONG_AGO) == Place(since=LONG_AGO)


def test_two_are_not_at_it_at_once(bookmark) -> None:
    with bookmark.held(), pytest.raises(StateInUse, match="another backfill"), bookmark.held():
        pass
    with bookmark.held():
        bookmark.keep(Place(since=LONG_AGO))
