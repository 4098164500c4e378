"""What a desk's answer tells of its limits: `Retry-After` in every spelling, and what is left."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_PAUSE = 3600.0
"""Seconds; a desk that asks us to stay away for longer is asked again after an hour."""

UNTOLD_PAUSE = 10.0
"""Seconds to stay away when a used-up limit names no reset: limits are counted per minute, and a
sixth of one costs at worst a few refused calls."""

_LIMIT = ("ratelimit-limit", "x-ratelimit-limit", "x-rate-limit")
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})", re.ASCII)
_MOMENT = 1e9
"""From here on a number of seconds is a Unix time: no desk counts a limit for thirty years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Calls that a desk still grants, of how many (0: untold), until when, in seconds from now.

    `remaining` is `None` where the desk tells only how many it grants, and we count ourselves.
    """

    remaining: float | None
    limit: float
    reset: float


def told_limit(headers: Mapping[str, str], now: datetime) -> Limit | None:
    """Read what is left of a desk's limit; `None` when it told nothing that can be read."""
    remaining, limit = _first(headers, _REMAINING), _first(headers, _LIMIT)
    reset = _reset(headers, now)
    if remaining is None and (not limit or reset is None):
        return None
    return Limit(
        remaining=None if remaining is None else max(remaining, 0.0),
        limit=max(limit or 0.0, 0.0),
        reset=UNTOLD_PAUSE if reset is None else reset,
    )


def told_pause(headers: Mapping[str, str], now: datetime) -> float | None:
    """Give the seconds that a refusal asks us to stay away; `None` when it told none.

    `Retry-After` counts first, then the reset of a limit that is used up or whose rest is untold.
    """
    told = retry_after(headers, now)
    if told is None and _first(headers, _REMAINING) in {None, 0}:
        return _reset(headers, now)
    return told


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After` as seconds or as a date; `None` when missing or garbage.

    Dates are those of RFC 9110 (its own form, that of RFC 850, that of asctime) and of ISO 8601. A
    header that a proxy doubled counts with the longer pause. The answer is never negative and
    never longer than `LONGEST_PAUSE`.
    """
    told = headers.get("Retry-After", "").strip()
    whole = _pause(told, now)
    if whole is not None or "," not in told:
        return whole
    parts = [_pause(part.strip(), now) for part in told.split(",")]
    return max((part for part in parts if part is not None), default=None)


def told_date(headers: Mapping[str, str]) -> datetime | None:
    """Read the time at which an answer was made; `None` when it is missing or garbage."""
    moment = _date(headers.get("Date", "").strip())
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _pause(told: str, now: datetime) -> float | None:
    seconds = _seconds(told)
    if seconds is None:
        seconds = _until(told, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_PAUSE)


def _reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read when a limit is counted anew: seconds from now, a Unix time, or a date."""
    told = next((headers[name] for name in _RESET if name in headers), "").strip()
    seconds = _seconds(told)
    if seconds is None or seconds < _MOMENT:
        return _pause(told, now)
    return min(max(seconds - now.timestamp(), 0.0), LONGEST_PAUSE)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    numbers = (_seconds(headers.get(name, "").strip()) for name in names)
    return next((number for number in numbers if number is not None), None)


def _seconds(told: str) -> float | None:
    return float(told) if _NUMBER.fullmatch(told) else None


def _until(told: str, now: datetime) -> float | None:
    moment = _date(told)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return (moment - now).total_seconds()
    except OverflowError:
        return None


def _date(told: str) -> datetime | None:
    if re.match(r"\d{4}-\d\d-\d\dT", told, re.ASCII):
        try:
            return datetime.fromisoformat(told)
        except ValueError:
            return None
    if not re.match(r"[A-Za-z]{3,9},? ", told):
        return None
    try:
        return parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
