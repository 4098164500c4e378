"""The file in which a desk's history is gathered: what came, how far, and nothing lost by a kill.

A line is a row, or a position that covers all rows before it; both are durable together. Rows
after the last position came of a page that was not read whole, and count until it comes again.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from connector.errors import BadHistory
from connector.model import Cursor

Row = dict[str, Any]

_BEGUN, _PLACE = "begun", "place"
"""Keys of the lines that are no rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Whose history is gathered, since when, and from which fields."""

    tenant: str
    since: datetime
    fields: Mapping[str, str]

    def line(self) -> Row:
        """Write it as a line."""
        told = {"tenant": self.tenant, "since": self.since.isoformat(), "fields": dict(self.fields)}
        return {_BEGUN: told}


class Harvest:
    """What came so far of a history, in a file of its own beside the output; a context manager.

    `count` tells how many tickets came, `cursor` where to go on, `share` how much lies behind, and
    `whole` that nothing is left to come.
    """

    def __init__(self, output: Path, begun: Begun, *, takes_any_time: bool = False) -> None:
        self._output = output
        self._part = output.with_name(f".{output.name}.part")
        self._takes_any_time = takes_any_time
        self._places: dict[str, int] = {}
        self.begun = begun
        self.cursor: Cursor | None = None
        self.share: float | None = None
        self.whole = False

    def __enter__(self) -> Self:
        self._file = _private(self._part)
        try:
            self._own()
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()

    def _own(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadHistory(f"{self._output} is just being pulled by another command") from None

    @property
    def count(self) -> int:
        """Count the tickets that came."""
        return len(self._places)

    def add(self, rows: Sequence[Row], cursor: Cursor, share: float | None, *, last: bool) -> None:
        """Keep rows and the position after them; durable once this returns."""
        place = {_PLACE: {"cursor": cursor, "share": share, "last": last}}
        self._append([*rows, place])
        self.cursor, self.share, self.whole = cursor, share, last

    def rows(self) -> Iterator[Row]:
        """Yield every ticket once, as it came last, in the order in which they came first."""
        with self._part.open("rb") as opened:
            for place in self._places.values():
                opened.seek(place)
                yield json.loads(opened.readline())

    def finish(self, rows: Iterable[Row]) -> None:
        """Write the output and drop what was gathered; the output is there whole or not at all.

        Raises `BadHistory` when somebody made a file of its name meanwhile.
        """
        whole = self._part.with_suffix(".whole")
        whole.unlink(missing_ok=True)
        with _private(whole) as opened:
            opened.writelines(map(_line, rows))
            opened.flush()
            os.fsync(opened.fileno())
        if self._output.exists():
            raise BadHistory(f"{self._output} has come to exist meanwhile; move it away")
        whole.rename(self._output)
        self._part.unlink()
        _keep_names(self._output.parent)

    def _read(self) -> None:
        """Take up what an earlier command left; a line that was cut off is dropped."""
        self._file.seek(0)
        place = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            with suppress(ValueError):
                self._take(json.loads(line), place)
            place += len(line)
        self._file.truncate(place)
        if not place:
            self._append([self.begun.line()])

    def _take(self, told: Row, place: int) -> None:
        if _BEGUN in told:
            self._compare(told[_BEGUN])
        elif _PLACE in told:
            found = told[_PLACE]
            self.cursor, self.share = Cursor(found["cursor"]), found["share"]
            self.whole = found["last"]
        else:
            self._places[told["id"]] = place

    def _compare(self, told: Any) -> None:
        """Go on with what was begun; raises `BadHistory` where that was something else."""
        before = Begun(
            tenant=told["tenant"],
            since=datetime.fromisoformat(told["since"]),
            fields=told["fields"],
        )
        same_time = self._takes_any_time or before.since == self.begun.since
        if (before.tenant, dict(before.fields), same_time) != (
            self.begun.tenant,
            dict(self.begun.fields),
            True,
        ):
            raise BadHistory(
                f"{self._part} was begun for tenant {before.tenant} since {before.since:%Y-%m-%d}"
                f" from the fields {', '.join(before.fields.values()) or 'none'}: ask for the same,"
                " delete that file, or name another --output"
            )
        self.begun = before

    def _append(self, rows: Iterable[Row]) -> None:
        self._file.seek(0, os.SEEK_END)
        place = self._file.tell()
        for row in rows:
            line = _line(row)
            self._file.write(line)
            if "id" in row:
                self._places[row["id"]] = place
            place += len(line)
        self._file.flush()
        os.fsync(self._file.fileno())


def _line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _private(path: Path) -> BinaryIO:
    """Open a file, made if need be, that nobody else may read."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+b")


def _keep_names(folder: Path) -> None:
    """Have the folder's entries on the disk too."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
