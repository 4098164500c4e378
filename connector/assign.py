"""Whom a ticket is like to end up with: nearest resolved tickets, weighed by present load; pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from connector.model import Agent, Aspect, Case, Prediction, Staff

NEIGHBOURS = 15
"""Resolved tickets that vote: enough to smooth over one odd case, few enough to stay specific."""

MIN_CASES = 10
"""Resolved tickets below which a suggestion would be an anecdote."""

MIN_SHARE = 0.5
"""Share of the votes that a group needs: below it, two groups would be equally right."""

_SHARPNESS = 12.0
"""How much nearer tickets outvote farther ones: a cosine .1 higher weighs about three times."""


def suggest(
    vector: bytes,
    cases: Sequence[Case],
    load: Mapping[str, int],
    staff: Staff,
    *,
    group: str = "",
) -> Prediction:
    """Suggest a group first, then the person in it; confidence is the group's share of the votes.

    `load` counts open tickets per agent id. The share is a vote, not a calibrated probability.
    Only people who still serve in the group are named. A ticket that is in a `group` already
    stays there: somebody of it is named, or nobody.
    """
    usable = [case for case in cases if case.group and len(case.vector) == len(vector)]
    if not vector or len(usable) < MIN_CASES:
        return _abstain(f"only {len(usable)} resolved tickets to compare with")
    near, weights = _nearest(vector, usable)
    groups = _votes([case.group for case in near], weights)
    group = group or max(groups, key=lambda name: groups[name])
    share = groups.get(group, 0.0) / sum(groups.values())
    name = next((known.name for known in staff.groups if known.id == group), group)
    if share < MIN_SHARE:
        return _abstain(f"only {share:.0%} of similar tickets went to {name}", share)
    people = _people(group, near, weights, load, staff)
    ranking = tuple((agent.id, score) for agent, score in people)
    if not people:
        return _abstain(f"similar tickets went to {name}, which has no agent now", share)
    agent = people[0][0]
    like = sum(case.group == group for case in near)
    return Prediction(
        aspect=Aspect.ASSIGNEE,
        label=agent.id,
        confidence=share,
        ranking=ranking,
        display=f"{agent.name} ({name})",
        reason=(
            f"{like} of the {len(near)} most similar resolved tickets went to {name};"
            f" {agent.name} has {load.get(agent.id, 0)} open tickets"
        ),
    )


def _nearest(vector: bytes, cases: Sequence[Case]) -> tuple[Sequence[Case], Sequence[float]]:
    """Give the most similar cases and the weight of each one's vote."""
    known = _matrix(b"".join(case.vector for case in cases)).reshape(len(cases), -1)
    similarity = known @ _matrix(vector)
    best = np.argsort(-similarity, kind="stable")[:NEIGHBOURS]
    weights = np.exp(_SHARPNESS * (similarity[best] - similarity[best[0]]))
    return [cases[index] for index in best], [float(weight) for weight in weights]


def _matrix(vectors: bytes) -> NDArray[np.float32]:
    return np.frombuffer(vectors, dtype="<f2").astype(np.float32)


def _votes(choices: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    votes: dict[str, float] = defaultdict(float)
    for choice, weight in zip(choices, weights, strict=True):
        votes[choice] += weight
    return votes


def _people(
    group: str,
    near: Sequence[Case],
    weights: Sequence[float],
    load: Mapping[str, int],
    staff: Staff,
) -> Sequence[tuple[Agent, float]]:
    """Rank the group's agents by skill (votes) divided by how busy they are, best first.

    Somebody with the group's average load keeps half of their votes, an idle person all. Where
    nobody of the group has votes, the least busy comes first.
    """
    agents = [agent for agent in staff.agents if group in agent.groups]
    skill = _votes([case.assignee for case in near], weights)
    average = sum(load.get(agent.id, 0) for agent in agents) / max(1, len(agents))
    scores = {
        agent.id: (skill.get(agent.id, 0.0) + 1e-6) / (1 + load.get(agent.id, 0) / (average or 1))
        for agent in agents
    }
    total = sum(scores.values()) or 1.0
    ranked = sorted(agents, key=lambda agent: (-scores[agent.id], agent.id))
    return [(agent, scores[agent.id] / total) for agent in ranked]


def _abstain(reason: str, confidence: float = 0.0) -> Prediction:
    return Prediction(aspect=Aspect.ASSIGNEE, label=None, confidence=confidence, reason=reason)
