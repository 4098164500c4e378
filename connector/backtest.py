"""How good suggestions of assignees would have been on tickets that are resolved; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from connector.assign import MIN_SHARE, RECENT, Experience, Ranking, Wishes
from connector.model import Agent, Case, Past, Staff

TESTED = 0.3
"""The share of the tickets, the newest, that is asked about."""
AT_ONCE = 25
"""Tickets after which what was resolved meanwhile is learnt from: a desk does so at each batch."""
TOP = 3
COMMONEST = "the commonest people"
"""The rival that always names those who resolved most so far."""
CONFIDENT = 1.96
"""Standard errors to each side that hold in 95 of 100 cases."""

Guess = Sequence[str]
"""People, the likeliest first."""
Hits = tuple[bool, bool]
"""Whether the right person was named first, and among the first three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How often the person who resolved it was named first, and among the first three."""

    top_1: float
    top_3: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A simpler way to name people, and by how much ours is right more often: 95 % intervals of
    the difference, ticket by ticket.
    """

    score: Score
    lead_1: tuple[float, float]
    lead_3: tuple[float, float]


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
    rivals: Mapping[str, Rival]
    """On all tickets: the commonest people, then for each thing that tickets are known by whoever
    resolved most with the same value."""
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


class _Tables:
    """Who resolved how many so far, in all and with the same value."""

    def __init__(self, pasts: Sequence[Past]) -> None:
        self._coming = sorted(pasts, key=lambda one: -one.resolved_at)
        self._every: Counter[str] = Counter()
        self._alike: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def learn(self, now: float) -> None:
        """Take in what is resolved by now."""
        while self._coming and self._coming[-1].resolved_at <= now:
            one = self._coming.pop()
            self._every[one.case.assignee] += 1
            for pair in one.known_by.items():
                self._alike[pair][one.case.assignee] += 1

    def guesses(self, one: Past) -> dict[str, Guess]:
        """Give each rival's guess; whoever has no one to name goes on with the commonest."""
        common = [person for person, _ in self._every.most_common(TOP)]
        found: dict[str, Guess] = {COMMONEST: common}
        for pair in one.known_by.items():
            alike = [person for person, _ in self._alike[pair].most_common(TOP)]
            found[pair[0]] = list(dict.fromkeys([*alike, *common]))[:TOP]
        return found


def backtest(past: Sequence[Past], wishes: Wishes) -> Backtest:
    """Ask about the newest tickets in the order in which they came.

    All tickets are known by the same things.
    """
    pasts = sorted((one for one in past if one.case.assignee), key=lambda one: one.opened_at)
    begin = len(pasts) - round(len(pasts) * TESTED)
    real, ours, tables = _Desk(), _Desk(), _Tables(pasts)
    all_hits: list[Hits] = []
    named_hits: list[Hits] = []
    rival_hits: dict[str, list[Hits]] = defaultdict(list)
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
        tables.learn(one.opened_at)
        for name, guess in tables.guesses(one).items():
            rival_hits[name].append(_hits(guess, one.case.assignee))
        real.until[one.case.assignee].append(one.resolved_at)
        led = _guess(experience.rank(one.case.vector, ours.load(one.opened_at), one.group))
        ours.until[led[0] if led else one.case.assignee].append(one.resolved_at)
    return Backtest(
        tickets=len(all_hits),
        everybody=_score(all_hits),
        named=len(named_hits) / max(1, len(all_hits)),
        suggested=_score(named_hits),
        rivals={name: _beside(all_hits, hits) for name, hits in rival_hits.items()},
        spread=ours.spread,
        spread_before=real.spread,
    )


def _as_time_goes(
    pasts: Sequence[Past], begin: int, wishes: Wishes
) -> Iterator[tuple[int, Experience, Staff]]:
    """Yield each tested ticket's place with what was resolved when its batch began."""
    for start in range(begin, len(pasts), AT_ONCE):
        now = pasts[start].opened_at
        resolved = [one for one in pasts[:start] if one.resolved_at <= now]
        resolved.sort(key=lambda one: one.resolved_at)
        known = [one.case for one in resolved[-RECENT:]]  # the case book gives no more
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


def _hits(guess: Guess, right: str) -> Hits:
    return list(guess[:1]) == [right], right in guess


def _score(hits: Sequence[Hits]) -> Score:
    rows = np.array(hits, float).reshape(-1, 2)
    top_1, top_3 = rows.mean(axis=0) if len(rows) else (0.0, 0.0)
    return Score(top_1=float(top_1), top_3=float(top_3))


def _beside(ours: Sequence[Hits], theirs: Sequence[Hits]) -> Rival:
    """Compare on the same tickets: most are right or wrong for both, and tell nothing."""
    ahead = np.array(ours, float) - np.array(theirs, float)
    means = ahead.mean(axis=0)
    margins = CONFIDENT * ahead.std(axis=0) / len(ahead) ** 0.5
    leads = [
        (float(mean - margin), float(mean + margin))
        for mean, margin in zip(means, margins, strict=True)
    ]
    return Rival(score=_score(theirs), lead_1=leads[0], lead_3=leads[1])
