"""A YAML file as plain data that still knows the line and column of every key and value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import accumulate
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from connector.errors import ConfigError

Location = Sequence[str | int]

LARGEST = 256 << 10
"""Bytes of a file: a tenant of hundreds of labels takes a tenth of it."""

DEEPEST = 32
"""Levels of braces and of sections in each other; the configuration has five."""

MOST_VALUES = 50_000
"""Values of a file with its aliases written out: a few short lines can stand for billions."""

_QUIET = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|(?:^|(?<=\s))#.*', re.MULTILINE)
"""What is in quotation marks or a comment: brackets there nest nothing."""

_MARKS = re.compile(r"\s*(?:[-?]\s+)*")


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One parsed file: its data, and where each part of it stands."""

    path: Path
    data: Mapping[str, Any]

    def at(self, location: Location, *, key: bool = False) -> str:
        """Give `file:line:column` (from 1) of a value, or of its key.

        A location that leads nowhere, as that of a missing key does, gives the nearest parent.
        """
        node: Any = self.data
        line, column = 0, 0
        for depth, part in enumerate(location):
            place = _place(node, part, key=key and depth == len(location) - 1)
            if place is None:
                break
            line, column = place
            node = node[part]
        return f"{self.path}:{line + 1}:{column + 1}"


def _place(node: Any, part: str | int, *, key: bool) -> tuple[int, int] | None:
    if isinstance(node, CommentedMap) and part in node:
        place = node.lc.key(part) if key or _is_collection(node[part]) else node.lc.value(part)
    elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
        place = node.lc.item(part)
    else:
        return None
    return (int(place[0]), int(place[1]))


def _is_collection(value: Any) -> bool:
    """A mapping below a key begins on the next line: its key is what a reader looks for."""
    return isinstance(value, CommentedMap | CommentedSeq)


def read(path: Path) -> YamlFile:
    """Read one YAML 1.2 file whose top level is a mapping; raises `ConfigError` with the place."""
    try:
        raw = path.read_bytes()
        _require_modest(path, raw)
        text = raw.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}:1:1: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}:1: is not UTF-8; save the file as UTF-8") from error
    try:
        data = YAML(typ="rt", pure=True).load(StringIO(text))
    except MarkedYAMLError as error:
        raise ConfigError(_syntax_problem(path, error)) from error
    except RecursionError as error:
        raise ConfigError(f"{path}:1:1: is nested too deeply") from error
    except YAMLError as error:
        message = " ".join(str(error).split())
        raise ConfigError(f"{path}:1:1: is not valid YAML: {message}") from error
    if not isinstance(data, CommentedMap):
        raise ConfigError(f"{path}:1:1: must hold `key: value` lines at its top level")
    file = YamlFile(path, data)
    _require_plain(file)
    return file


def _require_modest(path: Path, raw: bytes) -> None:
    """Refuse what would keep a parser busy for minutes, before it sees it."""
    if len(raw) > LARGEST:
        raise ConfigError(f"{path}:1:1: is larger than {LARGEST >> 10} KiB; is it the right file?")
    for number, line in enumerate(_QUIET.sub("", raw.decode("latin-1")).splitlines(), 1):
        if _depth(line) > DEEPEST:
            raise ConfigError(f"{path}:{number}:1: is nested too deeply")


def _depth(line: str) -> int:
    """Tell how deep a line's own braces, and the list marks that it begins with, go."""
    marks = _MARKS.match(line)
    brackets = (1 if each in "[{" else -1 for each in line if each in "[]{}")
    return max(len(marks[0].split()) if marks else 0, *accumulate(brackets), 0)


def _require_plain(file: YamlFile) -> None:
    """Refuse aliases that stand for themselves or for a flood."""
    sizes: dict[int, int] = {}
    for key, value in file.data.items():
        try:
            size = _written_out(value, sizes, ())
        except RecursionError:
            raise ConfigError(f"{file.at([key], key=True)}: is nested too deeply") from None
        if size > MOST_VALUES:
            raise ConfigError(
                f"{file.at([key], key=True)}: {key}: its aliases stand for more values than any"
                " configuration has, or for themselves; write out what is meant"
            )


def _written_out(node: Any, sizes: dict[int, int], above: tuple[int, ...]) -> int:
    """Count the values of a node, those of an alias each time that it stands there."""
    if not isinstance(node, Mapping | list | tuple):
        return 1
    if id(node) in above:
        return MOST_VALUES + 1
    if id(node) not in sizes:
        within = node.values() if isinstance(node, Mapping) else node
        sizes[id(node)] = 1 + sum(_written_out(each, sizes, (*above, id(node))) for each in within)
    return sizes[id(node)]


def _syntax_problem(path: Path, error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
    problem = str(error.problem or error.context).strip().split("\n", maxsplit=1)[0]
    # A key that stands twice is quoted with both values, and one of them may be a secret in clear.
    problem = problem.partition(" with value")[0]
    return f"{path}:{place}: is not valid YAML: {problem}"
