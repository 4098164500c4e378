"""Tickets that were triaged beside those that were held out: what people's work was like.

Pure. Both arms hold tickets on which something would have been set; a hash drew which were left
alone, so that nothing but triaged tells them apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

import numpy as np

from connector import shares
from connector.ladder import SEEN
from connector.model import Action, Aspect, TicketId
from connector.store import Answer, Entry, Fate, Records, Way

ENOUGH = 30
"""Tickets of an arm below which it is not compared: chance alone would show anything."""

RESAMPLES = 2000
"""Times that the arms are drawn anew for the interval of a difference of medians."""

_SEED = 0  # the same report twice says the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share, or a median of minutes, of `n` tickets; `None` where there are none."""

    n: int
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure in both arms; `difference` bounds the first less the second, where it can be told.

    `unit` is `share` or `minutes`.
    """

    name: str
    unit: str
    triaged: Figure
    held_out: Figure
    difference: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many tickets each arm has, and what can be compared."""

    triaged: int
    held_out: int
    rows: Sequence[Row]


def compare(records: Records) -> Comparison:
    """Compare the arms of a time."""
    arms = _drawn(records.entries)
    ours, theirs = ({t for t, held in arms.items() if held is arm} for arm in (False, True))
    ways = {way.ticket: way for way in records.ways}
    rows = [
        *_right(records.answers, arms),
        _times([ways[t] for t in ours if t in ways], [ways[t] for t in theirs if t in ways]),
        *(
            _share(
                name,
                [_had(ways[t], of) for t in ours if t in ways],
                [_had(ways[t], of) for t in theirs if t in ways],
            )
            for name, of in (("passed on", "reassigned"), ("reopened", "reopened"))
        ),
    ]
    return Comparison(triaged=len(ours), held_out=len(theirs), rows=rows)


def _drawn(entries: Sequence[Entry]) -> Mapping[TicketId, bool]:
    """Tell, for each ticket on which something would have been set, whether it was held out."""
    arms: dict[TicketId, bool] = {}
    for entry in entries:
        actions = {verdict.action for verdict in entry.verdicts}
        if Action.HOLDOUT in actions:
            arms.setdefault(entry.ticket, True)
        elif actions & SEEN:
            arms.setdefault(entry.ticket, False)
    return arms


def _right(answers: Sequence[Answer], arms: Mapping[TicketId, bool]) -> Sequence[Row]:
    """Compare how many answers were right, aspect by aspect, as far as they are judged."""
    judged = [one for one in answers if one.judged_at is not None and one.state is not Fate.OPEN]
    rows = []
    for aspect in Aspect:
        seen, apart = (
            [
                one.state is Fate.KEPT
                for one in judged
                if one.aspect is aspect and one.action in of and arms.get(one.ticket) is held
            ]
            for of, held in ((SEEN, False), ({Action.HOLDOUT}, True))
        )
        if seen or apart:
            rows.append(_share(f"right: {aspect}", seen, apart))
    return rows


def _share(name: str, ours: Sequence[bool], theirs: Sequence[bool]) -> Row:
    is_enough = min(len(ours), len(theirs)) >= ENOUGH
    return Row(
        name=name,
        unit="share",
        triaged=_share_of(ours),
        held_out=_share_of(theirs),
        difference=(
            shares.difference((sum(ours), len(ours)), (sum(theirs), len(theirs)))
            if is_enough
            else None
        ),
    )


def _share_of(told: Sequence[bool]) -> Figure:
    if not told:
        return Figure(n=0, value=None, interval=None)
    value = sum(told) / len(told)
    return Figure(n=len(told), value=value, interval=shares.interval(sum(told), len(told)))


def _had(way: Way, what: str) -> bool:
    return bool(getattr(way, what))


def _times(ours: Sequence[Way], theirs: Sequence[Way]) -> Row:
    """Compare the minutes until somebody had the ticket, of those that somebody has had."""
    minutes = [
        sorted(
            max(0.0, way.assigned_at - way.filed_at) / 60
            for way in arm
            if way.assigned_at is not None
        )
        for arm in (ours, theirs)
    ]
    is_enough = min(map(len, minutes)) >= ENOUGH
    return Row(
        name="time until assigned",
        unit="minutes",
        triaged=_median_of(minutes[0]),
        held_out=_median_of(minutes[1]),
        difference=_between(*minutes) if is_enough else None,
    )


def _median_of(minutes: Sequence[float]) -> Figure:
    """Give a median, between two of the values themselves (an interval by ranks)."""
    count = len(minutes)
    if not count:
        return Figure(n=0, value=None, interval=None)
    reach = shares.TWO_SIDED * sqrt(count) / 2
    low, high = floor(count / 2 - reach), ceil(count / 2 + reach)
    interval = (minutes[max(0, low - 1)], minutes[min(count, high + 1) - 1])
    return Figure(n=count, value=float(np.median(minutes)), interval=interval)


def _between(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Give the ends of the middle 95 % of the difference of medians, drawn anew many times."""
    draw = np.random.default_rng(_SEED)
    apart = [
        float(np.median(draw.choice(ours, len(ours))) - np.median(draw.choice(theirs, len(theirs))))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(apart, [0.025, 0.975])
    return float(low), float(high)
