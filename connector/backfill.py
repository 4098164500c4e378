"""The open tickets that a desk had before triaged, put into the inbox behind everything newer."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from connector.errors import StateInUse
from connector.history import Say, Source, Told, pages
from connector.model import Cursor, Page, TicketRef
from connector.ports import ListsBacklog
from connector.store import AT_ONCE, Sorted

TakeIn = Callable[[Sequence[TicketRef]], Sorted]
"""Puts tickets into the inbox, or only tells what would be; gives what became of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a backfill has come: since when it looks, the desk's cursor, and the sums."""

    since: datetime
    cursor: Cursor | None = None
    sums: Sorted = field(default_factory=Sorted)

    @property
    def found(self) -> int:
        """Count the open tickets that the desk named."""
        return self.sums.new + self.sums.decided + self.sums.waiting


class Bookmark:
    """Where a backfill stands, kept in a file over kills; one command at a time holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands out; raises `StateInUse` when one is at it."""
        with _opened(self._path.with_suffix(".lock")) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateInUse(f"{self._path}: another backfill is at work") from None
            yield

    def read(self, since: datetime) -> Place:
        """Give the place of an earlier call that looked as far back, else the beginning."""
        try:
            told = json.loads(self._path.read_bytes())
            begun = datetime.fromisoformat(told["since"])
            place = Place(since=begun, cursor=told["cursor"], sums=Sorted(**told["sums"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return Place(since=since)
        return place if place.since <= since else Place(since=since)

    def keep(self, place: Place) -> None:
        """Note how far it has come, whole or not at all."""
        told = {
            "since": place.since.isoformat(),
            "cursor": place.cursor,
            "sums": asdict(place.sums),
        }
        new = self._path.with_suffix(".new")
        with _opened(new) as opened:
            opened.write(json.dumps(told).encode())
            opened.flush()
            os.fsync(opened.fileno())
        new.rename(self._path)

    def end(self) -> None:
        """Forget it: there is nothing to go on with."""
        self._path.unlink(missing_ok=True)


def fill(
    source: Source, adapter: ListsBacklog, start: Place, take_in: TakeIn, say: Say
) -> Iterator[Place]:
    """Yield how far it has come, each time that a page of the desk's open tickets is taken in."""
    place = start

    def walk(cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        return adapter.backlog(start.since, cursor)

    for page in pages(source, walk, start.cursor, say):
        sums = place.sums
        for begin in range(0, len(page.items), AT_ONCE):
            sums += take_in(page.items[begin : begin + AT_ONCE])
        place = replace(place, cursor=page.cursor, sums=sums)
        say(Told(words=f"{place.found} open tickets so far", share=page.share))
        yield place


def _opened(path: Path) -> BinaryIO:
    """Open a file for writing, made or emptied, that nobody else may read."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")
