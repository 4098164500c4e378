"""JSON pointers (RFC 6901): the way to a value, and a document that holds one there."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_FORM = re.compile(r"(/([^~/]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


class Absent:
    """What a pointer that leads nowhere gives; `None` is a value that a desk may send."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


def is_pointer(text: str) -> bool:
    """Whether a text is a pointer: empty for the whole, or steps that each begin with a slash."""
    return _FORM.fullmatch(text) is not None


def steps(pointer: str) -> Sequence[str]:
    """Give the names on the way, with `~1` and `~0` read as slash and tilde."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def follow(document: Any, pointer: str) -> Any:
    """Give the value that a pointer leads to, or `ABSENT`."""
    for step in steps(pointer):
        if isinstance(document, Mapping):
            document = document.get(step, ABSENT)
        elif isinstance(document, list) and _INDEX.fullmatch(step):
            document = document[int(step)] if int(step) < len(document) else ABSENT
        else:
            return ABSENT
    return document


def holding(pointer: str, value: Any) -> Any:
    """Give the smallest document of objects in which a pointer leads to a value."""
    for step in reversed(steps(pointer)):
        value = {step: value}
    return value
