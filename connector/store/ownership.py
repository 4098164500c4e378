"""A state directory belongs to one process at a time."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from connector.errors import StateInUse, StateUnusable

LOCK = "triaged.lock"


def own(directory: Path) -> TextIO:
    """Lock the directory for this process until it closes the file or dies.

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
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
