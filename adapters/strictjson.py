"""Reads JSON from strangers: what two readers could understand differently is not read at all."""

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from connector.errors import Unreadable

DEEPEST = 64
"""Nested lists and objects: platforms send fewer than ten, and each level costs stack."""

LONGEST_NUMBER = 32
"""Characters: more than any id or amount has, and little work to read."""


def read(body: bytes) -> Any:
    """Give what the body says; raises `Unreadable` with a reason that quotes nothing of it.

    RFC 8259 in UTF-8 without a byte order mark. Refused beside that: a key twice in an object,
    NaN and infinities, numbers of more than 32 characters or beyond a double, NUL, lone
    surrogates, and more than 64 levels.
    """
    try:
        text = body.decode("utf-8")
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except RecursionError:
        raise _refused(f"is nested in more than {DEEPEST} levels") from None
    except ValueError:
        raise _refused("is not JSON") from None
    _walk(found)
    return found


def _walk(found: Any) -> None:
    """Look at every level once, without recursion."""
    depth, level = 0, [found]
    while level:
        if depth == DEEPEST and any(isinstance(each, dict | list) for each in level):
            raise _refused(f"is nested in more than {DEEPEST} levels")
        for each in level:
            if isinstance(each, str):
                _text(each)
        depth, level = depth + 1, [inner for each in level for inner in _inside(each)]


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list) else ()


def _text(value: str) -> None:
    if "\0" in value:
        raise _refused("holds a NUL character")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise _refused("holds half of a surrogate pair")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _refused("has a key twice in one object")
    return found


def _constant(_: str) -> NoReturn:
    raise _refused("holds NaN or Infinity, which JSON does not know")


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise _refused("holds a number that is too long")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > LONGEST_NUMBER or not math.isfinite(value := float(digits)):
        raise _refused("holds a number that is too long or too large")
    return value


def _refused(why: str) -> Unreadable:
    return Unreadable(f"the webhook's body {why}")
