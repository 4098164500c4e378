"""What desks write down in many ways and mean the same by: values, times and numbers."""

import re
from datetime import UTC, datetime

from connector.model import FieldValue

_NUMBER = re.compile(r"[0-9]{1,18}")


def same(one: FieldValue, other: FieldValue) -> bool:
    """Whether a desk holds the same for both: blank ends, number or text, order of choices."""
    return plain(one) == plain(other)


def plain(value: FieldValue) -> str | tuple[str, ...]:
    """Give a value as all of its spellings come down to; what is not set is `""`."""
    if isinstance(value, tuple):
        return tuple(sorted(each.strip() for each in value)) or ""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).strip()


def is_number(text: str) -> bool:
    """Whether this can be a ticket's number: ASCII digits, few enough for any database."""
    return _NUMBER.fullmatch(text) is not None


def time_of(value: object) -> datetime:
    """Read an ISO 8601 time as aware UTC, which it is taken for without a zone.

    Raises `ValueError`, also for a time that lies outside the calendar in UTC.
    """
    moment = datetime.fromisoformat(str(value))
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside the calendar") from None
