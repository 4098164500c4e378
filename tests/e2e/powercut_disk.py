"""Reads a recorded trace and gives what a disk may hold after the power is cut at some record."""

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

RECORD = struct.Struct("=c31sQQ")
"""As in `powercut_shim.c`: what was done, the file's name, offset (of `T`: new size), length."""

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""

DIRECTORY = "."


class Step(NamedTuple):
    """One recorded call; `A` is no call, but an answer that a caller had in hand by then."""

    done: str
    name: str
    offset: int
    data: bytes


def acknowledge(trace: Path, delivery: str) -> None:
    """Note in the trace that by now a caller was told that its delivery is safe."""
    text = delivery.encode()
    with trace.open("ab", buffering=0) as file:
        file.write(RECORD.pack(b"A", b"", 0, len(text)) + text)


def read(trace: Path) -> Iterator[Step]:
    """Yield what was recorded, in order."""
    content = memoryview(trace.read_bytes())
    at = 0
    while at < len(content):
        done, name, offset, length = RECORD.unpack_from(content, at)
        at += RECORD.size
        size = length if done in b"WA" else 0
        data = bytes(content[at : at + size])
        at += size
        yield Step(done.decode(), name.rstrip(b"\0").decode(), offset, data)


@dataclass(slots=True)
class File:
    """What is safely on the disk of a file, and what was asked for since its last sync."""

    safe: bytearray | None = None
    since: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        """Let everything asked for be on the disk."""
        for step in self.since:
            self.safe = changed(self.safe, step)
        self.since.clear()

    def left(self, draw: random.Random, luck: str) -> bytearray | None:
        """Give what a cut may leave: of what was not synced, any part in any order."""
        content = None if self.safe is None else bytearray(self.safe)
        for step in self.since:
            for part in torn(step, draw, luck):
                content = changed(content, part)
        return content


def changed(content: bytearray | None, step: Step) -> bytearray | None:
    """Give a file's content after a step."""
    if step.done == "U":
        return None
    content = bytearray() if content is None else content
    if step.done == "T":
        del content[step.offset :]
        content.extend(bytes(step.offset - len(content)))
    elif step.done == "W":
        content.extend(bytes(max(0, step.offset - len(content))))
        content[step.offset : step.offset + len(step.data)] = step.data
    return content


def torn(step: Step, draw: random.Random, luck: str) -> Iterator[Step]:
    """Give the parts of a step that reach the disk."""
    fate = luck or draw.choice(("kept", "kept", "dropped", "partial", "torn"))
    if fate == "dropped":
        return
    if fate == "kept" or step.done != "W":
        yield step
    elif fate == "partial":
        yield step._replace(data=step.data[: draw.randrange(len(step.data))])
    else:
        end = step.offset + len(step.data)
        first = step.offset - step.offset % SECTOR
        for sector in range(first, end, SECTOR):
            if draw.random() < 0.5:
                begin = max(sector, step.offset)
                stop = min(sector + SECTOR, end) - step.offset
                yield step._replace(offset=begin, data=step.data[begin - step.offset : stop])


class Disk:
    """The files of a directory under a write cache that loses what was not synced."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.acknowledged: set[str] = set()

    def take(self, step: Step) -> None:
        """Do the next step."""
        if step.done == "A":
            self.acknowledged.add(step.data.decode())
        elif step.name == DIRECTORY:
            self._sync_names()
        elif step.done == "S":
            self.files.setdefault(step.name, File()).sync()
        else:
            self.files.setdefault(step.name, File()).since.append(step)

    def _sync_names(self) -> None:
        """Let files be there or gone for good; their content is another matter."""
        for file in self.files.values():
            for step in [step for step in file.since if step.done in "CU"]:
                file.safe = changed(file.safe, step)
                file.since.remove(step)

    def cut(self, draw: random.Random, luck: str = "") -> Mapping[str, bytes]:
        """Give the files as the next start may find them; `luck` decides for all writes alike."""
        left = {name: file.left(draw, luck) for name, file in self.files.items()}
        return {name: bytes(content) for name, content in left.items() if content is not None}
