"""What an answer rests on: words, similar tickets, the bundle; told as a note and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from connector.model import Action, Aspect, Case, TicketId, Verdict

SIMILAR = 3
"""Resolved tickets that are named."""
DIGITS = 3
ALMOST = 0.995
"""A confidence that would be written as 100 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """A resolved ticket, where agents see it (empty: nobody knows), and the cosine to this one."""

    ticket: TicketId
    url: str
    likeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What was set or suggested on a ticket, and what for."""

    bundle: str
    verdicts: Sequence[Verdict]
    words: Mapping[Aspect, Sequence[str]]
    """The words of the ticket without which the model would be less sure, the weightiest first."""
    similar: Sequence[Similar]


def alike(cases: Sequence[Case], ticket: TicketId, vector: bytes) -> Sequence[tuple[Case, float]]:
    """Give the resolved tickets that are most like a ticket, and how much; it is none of them."""
    others = [
        case for case in cases if case.ticket != ticket and 0 < len(case.vector) == len(vector)
    ]
    if not others:
        return ()
    known = np.frombuffer(b"".join(case.vector for case in others), "<f2").astype(np.float32)
    near = known.reshape(len(others), -1) @ np.frombuffer(vector, "<f2").astype(np.float32)
    order = np.argsort(-near, kind="stable")[:SIMILAR]
    return [(others[place], float(near[place])) for place in order]


def as_note(why: Why) -> str:
    """Write it for agents, as plain text."""
    lines = [f"Set by triaged ({why.bundle}), a machine. Whatever you change stays as you set it."]
    for verdict in why.verdicts:
        answer = verdict.prediction
        how = "suggested, " if verdict.action is Action.SUGGEST else ""
        given = f"{how}{_sure(answer.confidence)} sure"
        lines += ["", f"{answer.aspect}: {answer.display or answer.label} ({given})"]
        # A reason that ends with the same percentage would only say it again.
        if verdict.reason and f"({answer.confidence:.0%})" not in verdict.reason:
            lines.append(f"  {verdict.reason}")
        if words := why.words.get(answer.aspect):
            lines.append(f"  Words that mattered: {', '.join(words)}")
    if why.similar:
        lines += ["", "Similar resolved tickets:"]
        lines += [f"  {one.url or one.ticket}" for one in why.similar]
    return "\n".join(lines)


def _sure(confidence: float) -> str:
    """Write a confidence; nothing is ever wholly sure."""
    return "over 99%" if confidence >= ALMOST else f"{confidence:.0%}"


def as_json(why: Why) -> str:
    """Write it for programs, on one line."""
    told = {
        "bundle": why.bundle,
        "answers": [_answer(verdict, why.words) for verdict in why.verdicts],
        "similar": [
            {"ticket": one.ticket, "url": one.url, "likeness": round(one.likeness, DIGITS)}
            for one in why.similar
        ],
    }
    return json.dumps(told, ensure_ascii=False)


def _answer(verdict: Verdict, words: Mapping[Aspect, Sequence[str]]) -> dict[str, Any]:
    answer = verdict.prediction
    promised = None if answer.promised is None else round(answer.promised, DIGITS)
    return {
        "aspect": answer.aspect,
        "value": answer.display or answer.label,
        "action": verdict.action,
        "confidence": round(answer.confidence, DIGITS),
        "promised": promised,
        "words": list(words.get(answer.aspect, ())),
        "reason": verdict.reason,
        "rules": list(answer.rules),
    }
