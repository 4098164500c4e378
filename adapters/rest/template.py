"""Templates of request bodies: placeholders filled in, pieces put together."""

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"\{([a-z]+)\}")


def names_in(template: Any) -> list[str]:
    """List the placeholders of a template, in keys, values and lists, as often as they stand."""
    if isinstance(template, str):
        return _NAME.findall(template)
    if isinstance(template, Mapping):
        return [name for pair in template.items() for each in pair for name in names_in(each)]
    if isinstance(template, list | tuple):
        return [name for each in template for name in names_in(each)]
    return []


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Fill a template in.

    A text that is one placeholder becomes the value with its type; within a longer text, and in a
    key, the value is written out. A placeholder without a value stays as it is.
    """
    if isinstance(template, str):
        whole = _NAME.fullmatch(template)
        if whole and whole[1] in values:
            return values[whole[1]]
        return _NAME.sub(lambda found: _text(values.get(found[1], found[0])), template)
    if isinstance(template, Mapping):
        return {
            _NAME.sub(lambda found: _text(values.get(found[1], found[0])), str(key)): filled(
                value, values
            )
            for key, value in template.items()
        }
    if isinstance(template, list | tuple):
        return [filled(each, values) for each in template]
    return template


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def merged(one: Any, other: Any) -> Any:
    """Put two pieces together: objects key by key, lists one after the other, else the later."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = {**one, **other}
        return {
            key: merged(one[key], other[key]) if key in one and key in other else value
            for key, value in both.items()
        }
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return other
