"""Watches what people make of the answers, and takes a class down a step when it has to be."""

from collections.abc import Sequence
from functools import partial

import structlog

from connector import feedback
from connector.desk import Desk, at_levels
from connector.errors import TriagedError
from connector.ladder import Standing, standings
from connector.metrics import Metrics
from connector.model import Aspect, Mode, TenantId
from connector.roster import Doing, Roster
from connector.store import Level, Store

LOOKED_FOR = 5.0
"""Seconds between two looks at what was judged; a look without news reads one count."""

MATURED = 600.0
"""Seconds between two looks at what stood for long enough: days do not end to the minute."""

REST = 20.0
"""Times that a look took before the next one: however many answers there are, a twentieth of a core
is spent on them at most."""

_log = structlog.get_logger()


class Demotion:
    """Judges every class anew when there is news, and keeps the desks at work on their levels.

    It looks at what is, not at what happened: what a person changed by `triaged ladder`, or another
    daemon of the store, is taken up at the next look.
    """

    def __init__(self, store: Store, roster: Roster, metrics: Metrics) -> None:
        self._store = store
        self._roster = roster
        self._metrics = metrics
        self._mature_at = 0.0
        self._seen: dict[TenantId, object] = {}
        self._rested = 0.0
        self._proposed: set[tuple[TenantId, Aspect, str, Mode]] = set()

    def look(self) -> None:
        """Look after every connected tenant; a store that fails is tried anew at the next look."""
        begun = self._store.clock.monotonic()
        if begun < self._rested:
            return
        for desk in self._roster.desks():
            try:
                self._mature()
                self._look_after(desk)
            except TriagedError as error:
                self._roster.failed(desk.tenant, Doing.VISIT, error)
        ended = self._store.clock.monotonic()
        self._rested = ended + REST * (ended - begun)

    def _mature(self) -> None:
        """Judge, from time to time, what nobody touched for long enough."""
        now = self._store.clock.monotonic()
        if now >= self._mature_at:
            decided_before = self._store.clock.now() - feedback.SETTLES
            self._store.feedback.mature(decided_before.timestamp())
            self._mature_at = now + MATURED

    def _look_after(self, desk: Desk) -> None:
        levels = self._store.levels.of(desk.tenant)
        if self._store.leads(desk.tenant):
            levels = self._judge(desk, levels)
        if at_levels(desk, levels).rules != desk.rules:
            self._roster.amend(desk.tenant, partial(at_levels, levels=levels))

    def _judge(self, desk: Desk, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        """Take down what has to come down; give the levels that hold then."""
        news = (self._store.feedback.newest(desk.tenant), levels, desk.wanted)
        if news == self._seen.get(desk.tenant):
            return levels
        found = tuple(standings(desk.wanted, levels, self._store.feedback.trials(desk.tenant)))
        fallen = [one for one in found if one.falls]
        for one in fallen:
            self._take_down(desk.tenant, one)
        self._propose(desk.tenant, found)
        if fallen:
            levels = self._store.levels.of(desk.tenant)
        self._seen[desk.tenant] = (news[0], levels, desk.wanted)
        return levels

    def _take_down(self, tenant: TenantId, one: Standing) -> None:
        right, judged = one.lately
        reason = (
            f"demoted from {one.mode}: {right} of the last {judged} were right,"
            f" {one.asked:g} was asked"
        )
        self._store.levels.put(tenant, one.aspect, one.label, one.below, reason)
        self._metrics.demoted(tenant, one.aspect)
        _log.error(
            "class_demoted",
            tenant=tenant,
            aspect=one.aspect,
            label=one.label,
            before=one.mode,
            mode=one.below,
            judged=judged,
            right=right,
            asked=one.asked,
        )

    def _propose(self, tenant: TenantId, found: Sequence[Standing]) -> None:
        """Tell once of each class that could go up; nothing is done about it."""
        for one in found:
            key = (tenant, one.aspect, one.label, one.mode)
            if not one.could_rise:
                self._proposed.discard(key)
            elif key not in self._proposed:
                self._proposed.add(key)
                _log.info(
                    "promotion_proposed",
                    tenant=tenant,
                    aspect=one.aspect,
                    label=one.label,
                    mode=one.mode,
                    proposed=one.above,
                    judged=one.judged,
                    right=one.right,
                    asked=one.asked,
                )
