"""What the data doctor hands over: one trouble, its examples, and what to do about it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from classifiers.training.history import Row

SHOWN = 3
"""Examples of a finding."""
LONGEST = 160
"""Characters of an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A trouble in one aspect's labels; `tickets` are concerned. The worst come first."""

    kind: str
    aspect: str
    tickets: int
    told: str
    remedy: str
    examples: tuple[str, ...] = ()
    labels: str = ""
    """Lines for the aspect's `labels:` in a tenant's file, where they are the remedy."""

    def as_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


class Shown:
    """Turns tickets into examples: masked, in one line, and short."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask

    def text(self, text: str) -> str:
        """Mask before cutting: half a number is no longer known for one."""
        line = " ".join(self._mask(text).split())
        return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

    def labelled(self, rows: Iterable[tuple[str, Row]]) -> tuple[str, ...]:
        """Give each row's label and text."""
        return tuple(f"{label}: {self.text(row.text)}" for label, row in rows)


def stands_for(name: str, labels: Sequence[str]) -> str:
    """Write a line of a tenant file's `labels:`."""
    return f"{quoted(name)}: {{stands_for: [{', '.join(map(quoted, labels))}]}}"


def quoted(name: str) -> str:
    """Write a name so that YAML reads nothing into it."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
