"""How good suggestions of assignees would have been on tickets that are resolved; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from connector.assign import MIN_SHARE, Experience, Ranking, Wishes
from connector.model import Agent, Case, Staff

TESTED = 0.3
"""The share of the tickets, the newest, that is asked about."""
AT_ONCE = 25
"""Tickets after which what was resolved meanwhile is learnt from: a desk does so at each batch."""
TOP = 3

Guess = Sequence[str]
"""People, the likeliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A resolved ticket, and from when to when it was open, in seconds since 1970."""

    case: Case
    opened_at: float
    resolved_at: float
    group: str = ""
    """The group that it was in already when somebody was to be suggested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How often the person who resolved it was named first, and among the first three."""

    top_1: float
    top_3: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What was found on the newest tickets, learning only from those resolved before each."""

    tickets: int
    everybody: Score
    """On all tickets, whether or not it was sure enough to say."""
    named: float
    """The share of tickets for which somebody would have been suggested."""
    suggested: Score
    """On those."""
    commonest: Score
    """Always naming those who resolved most so far."""
    spread: float
    """How unevenly open tickets lie when each goes to whom we name first: the mean over arrivals of
    the standard deviation of open tickets a person, by their mean."""
    spread_before: float
    """The same as it was."""


@dataclass(slots=True)
class _Desk:
    """Who has what open; resolved tickets are let go of as time passes."""

    until: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seen: list[float] = field(default_factory=list)

    def load(self, now: float) -> Counter[str]:
        for person, ends in self.until.items():
            self.until[person] = [end for end in ends if end > now]
        return Counter({person: len(ends) for person, ends in self.until.items()})

    def note(self, now: float, people: Sequence[str]) -> None:
        counts = self.load(now)
        loads = [counts.get(person, 0) for person in people]
        if sum(loads):
            self.seen.append(float(np.std(loads) / np.mean(loads)))

    @property
    def spread(self) -> float:
        return float(np.mean(self.seen)) if self.seen else 0.0


def backtest(past: Sequence[Past], wishes: Wishes) -> Backtest:
    """Ask about the newest tickets in the order in which they came."""
    pasts = sorted((one for one in past if one.case.assignee), key=lambda one: one.opened_at)
    begin = len(pasts) - round(len(pasts) * TESTED)
    real, ours = _Desk(), _Desk()
    all_hits, named_hits, common_hits = [], [], []
    for place, experience, staff in _as_time_goes(pasts, begin, wishes):
        one = pasts[place]
        people = [agent.id for agent in staff.agents]
        for desk in (real, ours):
            desk.note(one.opened_at, people)
        # Accuracy is asked as the desk was; where tickets would lie, as it would have become.
        found = experience.rank(one.case.vector, real.load(one.opened_at), one.group)
        all_hits.append(_hits(_guess(found), one.case.assignee))
        if found is not None and found.share >= MIN_SHARE:
            named_hits.append(all_hits[-1])
        counts = Counter(earlier.case.assignee for earlier in pasts[:place])
        common = [person for person, _ in counts.most_common(TOP)]
        common_hits.append(_hits(common, one.case.assignee))
        real.until[one.case.assignee].append(one.resolved_at)
        led = _guess(experience.rank(one.case.vector, ours.load(one.opened_at), one.group))
        ours.until[led[0] if led else one.case.assignee].append(one.resolved_at)
    return Backtest(
        tickets=len(all_hits),
        everybody=_score(all_hits),
        named=len(named_hits) / max(1, len(all_hits)),
        suggested=_score(named_hits),
        commonest=_score(common_hits),
        spread=ours.spread,
        spread_before=real.spread,
    )


def _as_time_goes(
    pasts: Sequence[Past], begin: int, wishes: Wishes
) -> Iterator[tuple[int, Experience, Staff]]:
    """Yield each tested ticket's place with what was resolved when its batch began."""
    for start in range(begin, len(pasts), AT_ONCE):
        now = pasts[start].opened_at
        known = [one.case for one in pasts[:start] if one.resolved_at <= now]
        staff = staff_of(known)
        experience = Experience(known, staff, wishes)
        for place in range(start, min(start + AT_ONCE, len(pasts))):
            yield place, experience, staff


def staff_of(cases: Sequence[Case]) -> Staff:
    """Take whoever resolved a group's tickets for one of its people."""
    groups: Mapping[str, set[str]] = defaultdict(set)
    for case in cases:
        groups[case.assignee].add(case.group)
    agents = (
        Agent(id=person, name=person, groups=tuple(sorted(of)))
        for person, of in sorted(groups.items())
        if person
    )
    return Staff(agents=tuple(agents))


def _guess(found: Ranking | None) -> Guess:
    return [agent.id for agent, _ in found.people[:TOP]] if found else []


def _hits(guess: Guess, right: str) -> tuple[bool, bool]:
    return guess[:1] == [right], right in guess


def _score(hits: Sequence[tuple[bool, bool]]) -> Score:
    rows = np.array(hits, float).reshape(-1, 2)
    top_1, top_3 = rows.mean(axis=0) if len(rows) else (0.0, 0.0)
    return Score(top_1=float(top_1), top_3=float(top_3))
