"""Who stands where on the ladder, who has to come down, and who could go up: pure.

`off → shadow → suggest → auto`, by class. Down goes a class whose answers were right less often
than `precision` asks, as soon as that is certain to 95 %. Up it goes by a person's word alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

from connector import sequential, shares
from connector.decide import Rule, Step
from connector.model import TAGS, Action, Aspect, Mode
from connector.store import Level, Trial

LADDER = (Mode.OFF, Mode.SHADOW, Mode.SUGGEST, Mode.AUTO)

LEFT_ALONE = frozenset({Action.HOLDOUT})

SEEN = frozenset({Action.WRITE, Action.SUGGEST})
"""Answers that people had before their eyes: most will let them stand, right or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One class on the ladder, and what its answers at this level have shown.

    `label` is empty for an aspect that is judged as a whole. `wanted` is the mode of the tenant's
    file, `mode` what holds. `evidence` is against the asked precision, as `connector.sequential`
    measures it.
    """

    aspect: Aspect
    label: str
    wanted: Mode
    mode: Mode
    asked: float
    judged: int
    right: int
    evidence: float = 1.0
    lately: tuple[int, int] = (0, 0)
    """How many were right of how many, of the newest answers that speak most against it."""
    since: float = 0.0
    reason: str = ""
    below: Mode = Mode.SHADOW
    above: Mode = Mode.AUTO

    @property
    def is_lowered(self) -> bool:
        """Whether less is done than the tenant's file says."""
        return self.mode is not self.wanted

    @property
    def falls(self) -> bool:
        """Whether the class has to come down a step."""
        return self.mode in {Mode.AUTO, Mode.SUGGEST} and self.evidence >= sequential.ALARM

    @property
    def could_rise(self) -> bool:
        """Whether its answers promise the asked precision by the bound of training (ADR 0016)."""
        if self.mode not in {Mode.SHADOW, Mode.SUGGEST} or not self.asked or not self.judged:
            return False
        return shares.interval(self.right, self.judged, shares.ONE_SIDED)[0] >= self.asked


def lowered(rule: Rule, levels: Iterable[Level]) -> Rule:
    """Give a rule that goes no further than the levels of its aspect say."""
    bounds = {level.label: level for level in levels if level.aspect is rule.aspect}
    whole = bounds.pop("", None)
    steps = {
        label: _bounded(rule.at(label), whole, bounds.get(label))
        for label in {*rule.steps, *bounds}
    }
    most = _bounded(rule, whole)
    return replace(rule, mode=most.mode, lowered=most.reason, steps=steps)


def _bounded(rule: Rule, *bounds: Level | None) -> Step:
    step = Step(mode=rule.mode, precision=rule.precision, reason=rule.lowered)
    for level in bounds:
        if level is not None and LADDER.index(level.mode) < LADDER.index(step.mode):
            step = replace(step, mode=level.mode, reason=level.reason)
    if step.reason and step.mode is Mode.SUGGEST and not rule.can_suggest:
        # Raised to a step that this desk has no tags for: `triaged ladder` does not ask desks.
        return replace(step, mode=Mode.SHADOW)
    return step


def standings(
    rules: Sequence[Rule], levels: Sequence[Level], trials: Sequence[Trial]
) -> Iterator[Standing]:
    """Tell where every class stands that is on a level of its own or was judged.

    `rules` are those of the tenant's file. Assignees are judged together: people are not ranked
    here, and each has few tickets.
    """
    for rule in rules:
        bounds = {level.label: level for level in levels if level.aspect is rule.aspect}
        found: dict[str, list[Trial]] = {label: [] for label in bounds}
        for trial in trials:
            if trial.aspect is rule.aspect and trial.precision > 0:
                found.setdefault(_judged_with(trial), []).append(trial)
        for label in sorted(found):
            yield _standing(rule, label, bounds.get(label), found[label])


def _judged_with(trial: Trial) -> str:
    return "" if trial.aspect is Aspect.ASSIGNEE else trial.label


def _standing(rule: Rule, label: str, level: Level | None, trials: Sequence[Trial]) -> Standing:
    wanted = rule.at(label)
    mode = lowered(rule, [level] if level else []).at(label).mode
    since = level.since if level else 0.0
    here = [trial for trial in trials if trial.decided_at > since]
    return Standing(
        aspect=rule.aspect,
        label=label,
        wanted=wanted.mode,
        mode=mode,
        asked=wanted.precision,
        judged=len(here),
        right=sum(trial.is_right for trial in here),
        evidence=_evidence(here, wanted.precision),
        lately=_lately(here, wanted.precision),
        since=since,
        reason=level.reason if level else "",
        below=_next(wanted, mode, down=True),
        above=_next(wanted, mode, down=False),
    )


def _evidence(trials: Sequence[Trial], asked: float) -> float:
    """Give the evidence of both arms: half of the capital is bet in each.

    People let most of what they see stand, so that the few tickets that are held out may tell what
    the many do not. An answer that was decided under another dial had to meet the lower of the two.
    """
    arms = [
        [(trial.is_right, min(trial.precision, asked)) for trial in trials if trial.action in arm]
        for arm in (SEEN, LEFT_ALONE)
    ]
    return sum(map(sequential.against, arms)) / len(arms)


def _lately(trials: Sequence[Trial], asked: float) -> tuple[int, int]:
    """Give the newest answers, from where on they lie furthest below what was asked.

    A class that was good for a year is still right often enough in all when it has to come down:
    a person needs to see what changed.
    """
    best, most, right = (sum(trial.is_right for trial in trials), len(trials)), 0.0, 0
    for count, trial in enumerate(reversed(trials), 1):
        right += trial.is_right
        if right < asked * count and (weight := count * _apart(right / count, asked)) > most:
            best, most = (right, count), weight
    return best


def _apart(rate: float, asked: float) -> float:
    """Give how unlikely a rate is where `asked` is true (Kullback and Leibler), for each answer."""
    parts = ((rate, asked), (1.0 - rate, max(1.0 - asked, 1.0 - sequential.MOST)))
    return sum(found * log(found / told) for found, told in parts if found > 0)


def _next(rule: Rule, mode: Mode, *, down: bool) -> Mode:
    """Give the next step that makes a difference: not every desk has tags to suggest by."""
    steps: Mapping[Mode, Mode] = (
        {Mode.AUTO: Mode.SUGGEST, Mode.SUGGEST: Mode.SHADOW}
        if down
        else {Mode.SHADOW: Mode.SUGGEST, Mode.SUGGEST: Mode.AUTO}
    )
    found = steps.get(mode, mode)
    if found is Mode.SUGGEST and (not rule.can_suggest or rule.field.id == TAGS):
        found = steps[found]
    return found
