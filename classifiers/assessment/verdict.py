"""Figures into a verdict: which classes are ready at the asked precision, and what others lack."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.build.scores import DIGITS
from classifiers.dial import CONFIDENT, Steps, wilson_low
from classifiers.relabel import Held
from connector.model import Prediction

MONTH = 30.44
"""Days."""
SHORTEST = 7.0
"""Days of history from which on tickets a month can be told."""
NAMED = 3
"""Classes named in a sentence."""
LOWER = (0.9, 0.8)
"""Precisions that are tried where nothing is ready at the asked one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a test ticket was answered; `promised` is what the dial compares with."""

    gold: str
    label: str | None
    promised: float

    @classmethod
    def of(cls, gold: str, one: Prediction) -> "Answered":
        """Read a prediction as the dial does."""
        promised = one.confidence if one.promised is None else one.promised
        return cls(gold=gold, label=one.label, promised=promised)


def funnel(answers: Sequence[Answered], asked: float) -> dict[str, Any]:
    """Count what `auto` would write at a precision, what else it could suggest, and what is left.

    Tickets of a class that the bundle does not know are among them: what is written there is wrong.
    """
    written = [one for one in answers if one.label is not None and one.promised >= asked]
    right = sum(one.label == one.gold for one in written)
    suggested = [one for one in answers if one.label is not None and one.promised < asked]
    count, wrong = max(1, len(answers)), len(written) - right
    high = 1.0 - float(_low(right, len(written))) if written else 0.0
    return {
        "n": len(answers),
        "asked": asked,
        "written": len(written),
        "right": right,
        "suggested": len(suggested),
        "suggested_right": sum(one.label == one.gold for one in suggested),
        "left_alone": len(answers) - len(written) - len(suggested),
        "wrong_per_100_tickets": round(100 * wrong / count, 2),
        "wrong_per_100_writes": round(100 * wrong / len(written), 2) if written else None,
        "at_most_wrong_per_100_writes": round(100 * high, 2) if written else None,
    }


def _low(right: int, count: int) -> float:
    return float(wilson_low(np.array([float(right)]), np.array([float(count)]))[0])


def saved(found: Mapping[str, Any], per_month: float | None, minutes: float) -> dict[str, Any]:
    """Reckon the hours that writing saves; a wrong write costs as much as a right one saves."""
    gain = (2 * found["right"] - found["written"]) / max(1, found["n"]) * minutes / 60
    return {
        "minutes_per_ticket": minutes,
        "tickets_per_month": None if per_month is None else round(per_month),
        "hours_per_1000_tickets": round(1000 * gain, 1),
        "hours_per_month": None if per_month is None else round(per_month * gain, 1),
    }


def per_month(times: Sequence[datetime | None]) -> float | None:
    """Tell how many tickets a month were filed; nothing where times are missing or too few."""
    known = [one for one in times if one is not None]
    if len(known) < len(times) or not known:
        return None
    days = (max(known) - min(known)).total_seconds() / 86400
    return len(known) / days * MONTH if days >= SHORTEST else None


def readiness(
    labels: Sequence[str],
    promises: Mapping[str, Steps],
    held: Held,
    tickets: Mapping[str, int],
    asked: float,
) -> dict[str, dict[str, Any]]:
    """Tell for each class whether `asked` can be promised, from which confidence on, or what lacks.

    `tickets` counts the classes in the whole history. `needs` are further tickets of the class with
    which the promise could be made if they were answered as well as those so far; `None` where even
    the surest answers are not right often enough, or where it is `unclear` whether they are.
    """
    given, sure = held.shares.argmax(axis=1), held.shares.max(axis=1)
    found = {}
    for place, label in enumerate(labels):
        mine = given == place
        count = tickets.get(label, 0)
        bars = [least for least, bound in promises.get(label, ()) if bound >= asked]
        needs, surest, unclear = _lacking(sure[mine], (held.gold == place)[mine], count, asked)
        found[label] = {
            "tickets": count,
            "held_out": int((held.gold == place).sum()),
            "ready": bool(bars),
            "threshold": round(bars[0], DIGITS) if bars else None,
            "most": max((bound for _, bound in promises.get(label, ())), default=0.0),
            "needs": None if bars else needs,
            "surest_right": surest,
            "unclear": unclear and not bars,
        }
    return found


def _lacking(
    sure: NDArray[np.floating], right: NDArray[np.bool_], tickets: int, asked: float
) -> tuple[int | None, float | None, bool]:
    """Give the further tickets that a class needs, the share right where it is most often so, and
    whether so few answers leave it open if that share reaches what is asked.

    Wilson's lower bound reaches p when (s - p)² n = z² p (1 - p), s being the share that is right.
    """
    if not len(sure):
        return None, None, True
    order = np.argsort(-sure, kind="stable")
    # Answers that are equally sure are taken together: no bar lies between them.
    ends = np.append(np.flatnonzero(np.diff(sure[order])), len(sure) - 1)
    counts, hits = ends + 1.0, np.cumsum(right[order])[ends].astype(np.float64)
    rates = hits / counts
    # Few answers say little about a rate: the surest ten, or half where there are fewer, are least.
    enough = counts >= min(10, (len(sure) + 1) // 2)
    surest = round(float(rates[enough].max()), DIGITS)
    able = enough & (rates > asked)
    if not able.any():
        high = 1.0 - wilson_low(counts - hits, counts)
        return None, surest, bool((high[enough] >= asked).any())
    wanted = np.ceil(CONFIDENT**2 * asked * (1 - asked) / (rates[able] - asked) ** 2)
    more = np.maximum(wanted - counts[able], 1) * tickets / counts[able]
    return math.ceil(float(more.min())), surest, False


def sentence(
    aspect: str, found: Mapping[str, Any], classes: Mapping[str, Mapping[str, Any]]
) -> str:
    """Say in plain words what can be switched on, and what it takes to switch on more."""
    asked = _percent(found["asked"])
    ready = [label for label, one in classes.items() if one["ready"]]
    if not ready:
        none = f"not ready for auto at {asked} on any of {len(classes)} classes"
        return f"{aspect}: {none}{_lower(classes)}"
    told = f"{aspect}: ready for auto at {asked} on {len(ready)} of {len(classes)} classes"
    share = found["written"] / max(1, found["n"])
    told += f", {_percent(share)} of tickets"
    lacking = [(one["needs"], label) for label, one in classes.items() if one["needs"]]
    named = [f"{label} needs {count} more tickets" for count, label in sorted(lacking)[:NAMED]]
    split = [label for label, one in classes.items() if one.get("split")]
    others = {
        label: one
        for label, one in classes.items()
        if not (one["ready"] or one["needs"] or label in split)
    }
    for unclear, what in ((True, "too small to tell"), (False, "not right often enough")):
        names = [label for label, one in others.items() if one["unclear"] is unclear]
        if names:
            named.append(f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {what}")
    if split:
        named.append(f"{_listed(split)} are split by words, of which no ticket tells the right one")
    return "; ".join([told, *named])


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"


def _lower(classes: Mapping[str, Mapping[str, Any]]) -> str:
    for level in LOWER:
        able = sum(one["most"] >= level for one in classes.values())
        if able:
            return f"; at {_percent(level)} {able} would be"
    return "; the history is too small or its classes too alike"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
