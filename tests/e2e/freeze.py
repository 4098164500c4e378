"""Stops one thread of a process for a while, and nothing else of it.

`python tests/e2e/freeze.py PID NAME` stops the first thread that goes by that name, says so, and
lets it go on when its standard input ends. It needs the rights of a debugger: the same user where
the kernel allows that, or root.
"""

import ctypes
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Self

import click

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
ANY_THREAD = 0x40000000  # __WALL of waitpid(2)
FROZEN = "frozen"
LOOK_AGAIN = 0.1


def thread_of(process: int, name: str) -> int:
    """Give the id of the thread of that name."""
    for comm in sorted(Path(f"/proc/{process}/task").glob("*/comm")):
        if comm.read_text("utf-8").strip() == name:
            return int(comm.parent.name)
    raise SystemExit(f"process {process} has no thread {name}")


def ask(request: int, thread: int) -> None:
    """Make a request of ptrace(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, thread, None, None) == -1:
        raise SystemExit(f"ptrace: {os.strerror(ctypes.get_errno())}")


class Frozen:
    """A thread that stands still until the end of the block; the debugger is a process itself."""

    def __init__(self, process: int, name: str) -> None:
        self._debugger = subprocess.Popen(
            [sys.executable, __file__, str(process), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._debugger.stdout is not None
        said = self._debugger.stdout.readline().strip()
        assert said == FROZEN, f"{name}: {said or self._debugger.wait()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._debugger.communicate(timeout=20)


def main() -> None:
    thread = thread_of(int(sys.argv[1]), sys.argv[2])
    ask(SEIZE, thread)
    ask(INTERRUPT, thread)
    os.waitpid(thread, ANY_THREAD)
    click.echo(FROZEN)
    while not select.select([sys.stdin], [], [], LOOK_AGAIN)[0]:
        if os.waitpid(thread, ANY_THREAD | os.WNOHANG)[0]:
            return  # the process was killed; only we could let its last thread go
    ask(DETACH, thread)


if __name__ == "__main__":
    main()
