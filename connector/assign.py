"""Whom a ticket is like to end up with: nearest resolved tickets, weighed by present load; pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from connector.model import Agent, Aspect, Case, Prediction, Staff

NEIGHBOURS = 30
"""Resolved tickets that vote: enough to smooth over one odd case, few enough to stay specific."""

RECENT = 3000
"""Resolved tickets that a suggestion looks back on: 2.3 MB of vectors, read in some 20 ms for each
batch. With 1,000 the right person was among three for .73 of the tickets of a history with many
kinds of them, with 3,000 for .81, with all 5,000 for .82."""

MIN_CASES = 10
"""Resolved tickets below which a suggestion would be an anecdote."""

MIN_SHARE = 0.5
"""Share of the votes that a group needs: below it, two groups would be equally right."""

CUSTOM = 5.0
"""Votes that what is usual in a group has beside those of the nearest tickets: where these are few
or disagree, whoever resolves most of the group's tickets comes first."""

NAMED = 3
"""People that a reason names."""

_SHARPNESS = 12.0
"""How much nearer tickets outvote farther ones: a cosine .1 higher weighs about three times."""

_BARELY = 1e-6
"""The vote of somebody who resolved nothing yet: behind everybody who did."""

_Votes = Mapping[str, float]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a desk wants considered beside who resolved what."""

    half_life: timedelta = timedelta(days=90)
    """The age at which a resolved ticket counts half: people change teams and learn."""
    load: float = 0.5
    """How much open tickets count: with 1, somebody with as many as the others have in the mean
    keeps half of their votes; 0 looks at skill alone."""
    most_open: float = 3.0
    """Times what the others of a group have open in the mean, above which somebody comes last."""
    away: frozenset[str] = frozenset()
    """Ids or mail addresses of people who are not to be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Which group, how sure, who, best first with their share, and the tickets that tell it."""

    group: str
    share: float
    people: Sequence[tuple[Agent, float]]
    near: Sequence[Case]


class Experience:
    """What a desk's resolved tickets tell about who is good at what."""

    def __init__(self, cases: Sequence[Case], staff: Staff, wishes: Wishes = Wishes()) -> None:
        self._cases = [case for case in cases if case.group]
        self._wishes = wishes
        self._names = {group.id: group.name for group in staff.groups}
        self._present = [
            agent for agent in staff.agents if not wishes.away & {agent.id, agent.email}
        ]
        newest = max((case.updated_at for case in self._cases), default=0.0)
        days = np.array([newest - case.updated_at for case in self._cases]) / 86400
        self._weights = 0.5 ** (days / (wishes.half_life / timedelta(days=1)))
        self._customs = self._usual()
        self._matrices: dict[int, tuple[NDArray[np.intp], Floats]] = {}

    def suggest(self, vector: bytes, load: Mapping[str, int], group: str = "") -> Prediction:
        """Suggest a group first, then the person in it; confidence is the group's share of votes.

        `load` counts open tickets per agent id. The share is a vote, not a calibrated probability.
        Only people who still serve in the group are named. A ticket that is in a `group` already
        stays there: somebody of it is named, or nobody. The ranking goes on with other people, of
        other groups too, best first.
        """
        found = self.rank(vector, load, group)
        if found is None:
            known = len(self._comparable(len(vector))[0]) if vector else 0
            return _abstain(f"only {known} resolved tickets to compare with")
        named = self._names.get(found.group, found.group)
        if found.share < MIN_SHARE:
            return _abstain(
                f"only {found.share:.0%} of similar tickets went to {named}", found.share
            )
        if not found.people or found.group not in found.people[0][0].groups:
            why = f"similar tickets went to {named}, which has no agent now"
            return _abstain(why, found.share)
        first = found.people[0][0]
        like = sum(case.group == found.group for case in found.near)
        return Prediction(
            aspect=Aspect.ASSIGNEE,
            label=first.id,
            confidence=found.share,
            ranking=tuple((agent.id, score) for agent, score in found.people),
            display=f"{first.name} ({named})",
            reason=(
                f"{like} of the {len(found.near)} most similar resolved tickets went to {named};"
                f" {_told(found, load)}"
            ),
        )

    def rank(self, vector: bytes, load: Mapping[str, int], group: str = "") -> Ranking | None:
        """Rank everybody present, whether or not it is sure enough to say; the best of the group
        first. Nothing where there is too little to compare with.
        """
        places, known = self._comparable(len(vector))
        if not vector or len(places) < MIN_CASES:
            return None
        near, weights = self._nearest(places, known, vector)
        votes = _votes([case.group for case in near], weights)
        shares = {name: vote / sum(votes.values()) for name, vote in votes.items()}
        chosen = group or max(shares, key=lambda name: shares[name])
        people = self._people(near, weights, {group: 1.0} if group else shares, load)
        first = next((agent for agent, _ in people if chosen in agent.groups), None)
        people.sort(key=lambda one: one[0] is not first)
        return Ranking(group=chosen, share=shares.get(chosen, 0.0), people=people, near=near)

    def _comparable(self, length: int) -> tuple[NDArray[np.intp], Floats]:
        """Give the cases with vectors of a length, which another encoder's have not, as rows."""
        if length not in self._matrices:
            fit = [place for place, one in enumerate(self._cases) if len(one.vector) == length]
            rows = _matrix(b"".join(self._cases[place].vector for place in fit))
            self._matrices[length] = np.array(fit, np.intp), rows.reshape(len(fit), length // 2)
        return self._matrices[length]

    def _nearest(
        self, places: NDArray[np.intp], known: Floats, vector: bytes
    ) -> tuple[Sequence[Case], Sequence[float]]:
        """Give the most similar cases and the weight of each one's vote."""
        similarity = known @ _matrix(vector)
        best = np.argsort(-similarity, kind="stable")[:NEIGHBOURS]
        weights = np.exp(_SHARPNESS * (similarity[best] - similarity[best[0]]))
        weights = weights * self._weights[places[best]]
        return [self._cases[place] for place in places[best]], weights.tolist()

    def _usual(self) -> Mapping[str, _Votes]:
        """Give, by group, what share of its tickets each person resolves of late."""
        found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for case, weight in zip(self._cases, self._weights.tolist(), strict=True):
            found[case.group][case.assignee] += weight
        return {
            group: {person: vote / sum(votes.values()) for person, vote in votes.items()}
            for group, votes in found.items()
        }

    def _people(
        self,
        near: Sequence[Case],
        weights: Sequence[float],
        shares: _Votes,
        load: Mapping[str, int],
    ) -> list[tuple[Agent, float]]:
        """Rank people by skill times how free they are; the overloaded come last."""
        scores: dict[str, float] = defaultdict(float)
        overloaded = set()
        for group, share in shares.items():
            agents = [agent for agent in self._present if group in agent.groups]
            skill = self._skill(group, near, weights)
            whole = sum(load.get(agent.id, 0) for agent in agents)
            for agent in agents:
                own = load.get(agent.id, 0)
                busy = own / max(1.0, (whole - own) / max(1, len(agents) - 1))
                if busy > self._wishes.most_open:
                    overloaded.add(agent.id)
                able = skill.get(agent.id, 0.0) + _BARELY
                scores[agent.id] += share * able / (1 + busy) ** self._wishes.load
        total = sum(scores.values()) or 1.0
        ranked = [agent for agent in self._present if agent.id in scores]
        ranked.sort(key=lambda agent: (agent.id in overloaded, -scores[agent.id], agent.id))
        return [(agent, scores[agent.id] / total) for agent in ranked]

    def _skill(self, group: str, near: Sequence[Case], weights: Sequence[float]) -> _Votes:
        """Give each person's share of the near tickets of a group, and of what is usual there."""
        pairs = list(zip(near, weights, strict=True))
        here = [(case.assignee, weight) for case, weight in pairs if case.group == group]
        votes = _votes([person for person, _ in here], [weight for _, weight in here])
        usual = self._customs.get(group, {})
        whole = sum(votes.values()) + CUSTOM
        return {
            person: (votes.get(person, 0.0) + CUSTOM * usual.get(person, 0.0)) / whole
            for person in {*votes, *usual}
        }


def _matrix(vectors: bytes) -> Floats:
    return np.frombuffer(vectors, dtype="<f2").astype(np.float32)


def _votes(choices: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    votes: dict[str, float] = defaultdict(float)
    for choice, weight in zip(choices, weights, strict=True):
        votes[choice] += weight
    return votes


def _told(found: Ranking, load: Mapping[str, int]) -> str:
    """Say of each person how many of the near tickets they resolved, and how many are open."""
    parts = []
    for agent, _ in found.people[:NAMED]:
        resolved = sum(case.assignee == agent.id for case in found.near)
        parts.append(f"{agent.name} resolved {resolved}, has {load.get(agent.id, 0)} open")
    return "; then ".join(parts)


def _abstain(reason: str, confidence: float = 0.0) -> Prediction:
    return Prediction(aspect=Aspect.ASSIGNEE, label=None, confidence=confidence, reason=reason)
