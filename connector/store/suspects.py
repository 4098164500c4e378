"""Which rows the process is thinking about right now, told to the one that is started after it."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from connector.errors import StateUnusable
from connector.store.claim import Job

FILE = "in-hand.json"
PAGE = 4096
"""Bytes of the file, which it has from the start: to note a row then needs no room on the disk. All
workers' batches of row numbers take less than half of it."""


class Suspects:
    """Rows whose tickets are being read by our own code and the model, and by no desk's call.

    The file is never flushed to the disk: what is noted outlives this process, which is all that it
    is for. A power cut is no ticket's fault.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / FILE
        self._lock = Lock()
        self._rows: set[int] = set()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._left = _read(os.pread(self._file, PAGE, 0))
            self._write()
        except OSError as error:
            raise StateUnusable(f"{path}: {error.strerror}") from error

    @property
    def left(self) -> frozenset[int]:
        """Give the rows that the process before this one died with."""
        return self._left

    @contextmanager
    def watching(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Note jobs for as long as the block runs; a process that dies in it leaves them noted."""
        rows = {job.id for job in jobs}
        with self._lock:
            self._rows |= rows
            self._note()
        try:
            yield
        finally:
            with self._lock:
                self._rows -= rows
                self._note()

    def close(self) -> None:
        """Let go of the file; a thread that outlives this notes nothing more."""
        with self._lock:
            os.close(self._file)
            self._file = -1

    def _note(self) -> None:
        # A disk that fails here must not cost the ticket: the store will tell of it anyhow.
        with suppress(OSError):
            self._write()

    def _write(self) -> None:
        # One call for one page: a kill leaves the old content or the new.
        os.pwrite(self._file, json.dumps(sorted(self._rows)).encode().ljust(PAGE), 0)


def _read(content: bytes) -> frozenset[int]:
    try:
        told = json.loads(content or b"[]")
    except ValueError:
        return frozenset()
    rows = told if isinstance(told, list) else []
    return frozenset(row for row in rows if isinstance(row, int))
