"""Looks daily whether a desk still has the fields and options that answers need.

What is gone pauses its class and is told; nothing is ever made on a desk. What comes back is used
again.
"""

from collections.abc import Callable, Collection
from difflib import get_close_matches

import structlog

from connector.desk import Desk, at_levels, gone, offered, with_fields
from connector.errors import Rejected, TriagedError
from connector.model import Need, TenantId
from connector.ports import Engine
from connector.roster import Doing, Roster
from connector.settings import TenantSettings
from connector.store import Store

LOOKED_FOR = 5.0
"""Seconds between two looks whether a desk is to be asked; each look is one small query."""

DAILY = 86_400.0
"""Seconds between two questions to a desk that has everything."""

HOURLY = 3_600.0
"""Those to one that lacks something: so long does a class stay paused after the option is back."""

_log = structlog.get_logger()


class ValueCheck:
    """Asks desks for their fields: at the start, daily, and when one refused a value."""

    def __init__(
        self,
        store: Store,
        roster: Roster,
        settings: Callable[[TenantId], TenantSettings | None],
        engine: Callable[[TenantSettings], Engine],
    ) -> None:
        self._store = store
        self._roster = roster
        self._settings = settings
        self._engine = engine
        self._asked: dict[TenantId, float] = {}

    def look(self) -> None:
        """Ask the desks that are to be asked now; a desk's trouble pauses its tenant."""
        for tenant in self._roster.connected():
            try:
                desk = self._roster.desk(tenant) if self._is_due(tenant) else None
                settings = self._settings(tenant)
                if desk is not None and settings is not None:
                    self._take_up(desk, settings)
                    self._roster.worked(tenant, Doing.VISIT)
            except Rejected as error:
                # Tickets can be worked on all the same, by what the desk told last.
                _log.warning("values_refused", tenant=tenant, error=str(error))
                self._asked[tenant] = self._now()
            except TriagedError as error:
                self._roster.failed(tenant, Doing.VISIT, error)

    def note(self, desk: Desk, settings: TenantSettings) -> None:
        """Keep what a desk that is just being connected has, and tell what is gone."""
        engine = self._engine(settings)
        here = offered(settings, desk.fields, engine)
        missing = gone(settings, desk.fields, engine, desk.known)
        self._asked[desk.tenant] = self._now()
        if self._store.leads(desk.tenant):
            self._tell(desk, missing)
            self._store.options.note(desk.tenant, here, missing)

    def _take_up(self, desk: Desk, settings: TenantSettings) -> None:
        engine = self._engine(settings)
        fields = desk.adapter.describe_fields()
        known = self._store.options.known(desk.tenant)
        missing = gone(settings, fields, engine, known)
        now = with_fields(desk, settings, fields, missing, known)
        self.note(now, settings)
        levels = self._store.levels.of(desk.tenant)

        def change(present: Desk) -> Desk:
            if present.adapter is not desk.adapter:  # it was connected anew meanwhile
                return present
            return at_levels(with_fields(present, settings, fields, missing, known), levels)

        self._roster.amend(desk.tenant, change)

    def _is_due(self, tenant: TenantId) -> bool:
        since = self._now() - self._asked.get(tenant, 0.0)
        if since >= DAILY:
            return True
        if self._store.options.refused_since(tenant, self._asked[tenant]):
            return True
        return since >= HOURLY and bool(self._store.options.gone(tenant))

    def _tell(self, desk: Desk, missing: Collection[Need]) -> None:
        before = set(self._store.options.gone(desk.tenant))
        options = {rule.aspect: rule.field.options for rule in desk.wanted}
        for aspect, label, value in sorted(set(missing) - before):
            close = get_close_matches(value, options.get(aspect, ()), n=1)
            _log.error(
                "option_gone",
                tenant=desk.tenant,
                aspect=aspect,
                label=label,
                option=value,
                close="".join(close),
            )
        for aspect, label, value in sorted(before - set(missing)):
            _log.info("option_back", tenant=desk.tenant, aspect=aspect, label=label, option=value)

    def _now(self) -> float:
        return self._store.clock.now().timestamp()
