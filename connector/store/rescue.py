"""A damaged SQLite file is put aside, and its last good copy takes its place."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import structlog

from connector.errors import StateDamaged, StateUnusable

FILE = "triaged.db"

COPY = Path("backup", FILE)
"""In the state directory: the newest good copy."""

MARK = "damaged"
"""In the state directory, empty: a statement met damage, so the next start looks at everything."""

ALWAYS = 64 << 20
"""Bytes up to which a file is looked through at each start, at some nine seconds for a gigabyte; a
larger one only when the process before did not end in order."""

_NEW = ".new"

_log = structlog.get_logger()


def back_up(directory: Path) -> None:
    """Replace the copy by a newer one that was looked through; readers and the writer go on.

    Raises `StateDamaged` when the database cannot be copied whole, `StateUnusable` when there is no
    room. The earlier copy stays then.
    """
    copy = directory / COPY
    fresh = copy.with_suffix(_NEW)
    try:
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600)
        with _opened(directory / FILE, "ro") as connection:
            connection.execute("VACUUM INTO ?", [str(fresh)])
        if problem := examine(fresh, thorough=True):
            raise StateDamaged(f"{directory / FILE}: a copy of it is damaged: {problem}")
        _put(fresh, copy)
    except sqlite3.DatabaseError as error:
        fresh.unlink(missing_ok=True)
        kind = StateDamaged if means_damage(error) else StateUnusable
        raise kind(f"{copy}: {error}") from error
    except OSError as error:
        raise StateUnusable(f"{copy}: {error.strerror}") from error


def rescue(directory: Path, *, was_clean: bool) -> None:
    """Put the last good copy in the place of a damaged database, before anybody opens it.

    What is put aside lies in a folder `damaged-` with the time. Raises `StateDamaged` when the
    database is damaged and no good copy is there; nothing was touched then.
    """
    file, fresh = directory / FILE, (directory / FILE).with_suffix(_NEW)
    try:
        if not file.exists():
            if fresh.exists():  # a rescue was cut short after all had been put aside
                _put(fresh, file)
            return
        is_marked = (directory / MARK).exists()
        if was_clean and not is_marked and file.stat().st_size > ALWAYS:
            return
        if problem := examine(file, thorough=is_marked):
            mark(directory)  # until it is mended, however this start ends
            _replace(directory, problem)
        (directory / MARK).unlink(missing_ok=True)
    except OSError as error:
        raise StateUnusable(f"{file}: {error.strerror}") from error


def mark(directory: Path) -> None:
    """Have the next start look through everything."""
    (directory / MARK).touch(0o600)


def examine(file: Path, *, thorough: bool) -> str:
    """Look through a database; give what is wrong with it, or nothing.

    `thorough` compares the indexes with their tables too, which takes nine times as long.
    """
    check = "integrity_check" if thorough else "quick_check"
    try:
        with _opened(file, "rw") as connection:
            [told] = connection.execute(f"PRAGMA {check}(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if not means_damage(error):
            raise StateUnusable(f"{file}: {error}") from error
        return str(error)
    return "" if told == "ok" else str(told).splitlines()[-1]


def means_damage(error: BaseException | None) -> bool:
    """Tell whether SQLite's error says that the file itself is damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _replace(directory: Path, problem: str) -> None:
    file, copy = directory / FILE, directory / COPY
    what = f"{file}: {problem}"
    if not copy.exists():
        raise StateDamaged(f"{what}; there is no copy at {copy}")
    if other := examine(copy, thorough=True):
        raise StateDamaged(f"{what}; the copy at {copy} is damaged too: {other}")
    made = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    fresh = file.with_suffix(_NEW)
    shutil.copyfile(copy, fresh)
    fresh.chmod(0o600)
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside = Path(mkdtemp(prefix=f"damaged-{now}-", dir=directory))
    # The file itself last: as long as it is there, a rescue that was cut short begins anew.
    for name in (f"{FILE}-wal", f"{FILE}-shm", "in-hand.json", FILE):
        if (directory / name).exists():
            (directory / name).rename(aside / name)
    _put(fresh, file)
    _log.error("store_restored", problem=problem, aside=str(aside), copy_of=made.isoformat())


def _put(fresh: Path, place: Path) -> None:
    """Put a file in its place so that after a power cut it is the old one or all of the new."""
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _opened(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{file.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
        try:
            yield connection
        except UnicodeDecodeError as error:  # SQLite's complaint quotes the damaged bytes
            damage = sqlite3.DatabaseError(f"not text: {error.object!r}")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage from error
