"""A state directory belongs to one process at a time."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from connector.errors import StateInUse, StateUnusable

LOCK = "triaged.lock"


class Ownership:
    """A state directory that is this process's until `close`; the kernel lets go when it dies.

    `was_clean` tells whether the process before this one ended in order.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.was_clean = not file.read().strip()
        self._say(f"{os.getpid()}\n")

    def close(self) -> None:
        """Give the directory up, in order."""
        if not self._file.closed:
            self._say("")
            self._file.close()

    def _say(self, owner: str) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(owner)
        self._file.flush()


def own(directory: Path) -> Ownership:
    """Lock the directory for this process.

    Raises `StateInUse` when another process has it, `StateUnusable` when it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateUnusable(f"{directory}: {error.strerror}") from error
    file = os.fdopen(descriptor, "r+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = file.read().strip() or "unknown"
        file.close()
        raise StateInUse(f"{directory} is in use by process {owner}") from error
    try:
        return Ownership(file)
    except OSError as error:
        file.close()
        raise StateUnusable(f"{directory / LOCK}: {error.strerror}") from error
