"""Visits to desks: connecting those that are not yet, and looking what changed there."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event

import structlog

from connector.desk import Desk, at_levels, connect
from connector.errors import Rejected, TriagedError
from connector.handover import Handover
from connector.model import Aspect, TenantId
from connector.pipeline import learn
from connector.poll import Poller
from connector.ports import Clock
from connector.pulse import Pulses
from connector.roster import Doing, Roster
from connector.store import Store
from connector.tenancy import Occupant, Tenancy
from connector.valuecheck import ValueCheck

HISTORY = timedelta(days=30)
"""How far back resolved tickets are read, once, to suggest assignees by."""

PATIENCE = 180.0
"""Seconds that a visit may be silent, as a worker may."""

_log = structlog.get_logger()


class Visits:
    """Visits one desk at a time per thread; a desk that is down stops nobody else."""

    def __init__(  # noqa: PLR0913 - a part each
        self,
        *,
        tenancy: Tenancy,
        handover: Handover,
        values: ValueCheck,
        poller: Poller,
        roster: Roster,
        store: Store,
        clock: Clock,
        stopping: Event,
        wake: Callable[[], None],
        pulses: Pulses,
        again: Callable[[TenantId, float], None],
    ) -> None:
        self._tenancy = tenancy
        self._handover = handover
        self._values = values
        self._poller = poller
        self._roster = roster
        self._store = store
        self._clock = clock
        self._stopping = stopping
        self._wake = wake
        self._pulses = pulses
        self._again = again

    def visit(self, tenant: TenantId) -> None:
        """Connect a tenant's desk where that is still to do, then look what changed there.

        A desk that cannot be connected is visited again after a pause, by `again`.
        """
        with self._pulses.running(f"visit {tenant}", PATIENCE):
            occupant = self._tenancy.occupant(tenant)
            if occupant is None:
                return
            if self._roster.wants_connection(tenant):
                self._connect(occupant)
            self._poller.look(tenant)
            if self._tenancy.occupant(tenant) is not occupant:  # this was a visit for nothing
                self._again(tenant, 0.0)

    def _connect(self, occupant: Occupant) -> None:
        tenant = occupant.settings.id
        try:
            engine = self._handover.engine(occupant.settings)
            known = self._store.options.known(tenant)
            desk = connect(occupant.settings, occupant.adapter, engine, known)
            desk = at_levels(desk, self._store.levels.of(tenant))
            self._values.note(desk, occupant.settings)
            self._learn_history(desk)
        except TriagedError as error:
            with self._tenancy.held(occupant) as is_current:
                pause = self._roster.failed(tenant, Doing.VISIT, error) if is_current else 0.0
            if pause:
                self._again(tenant, pause)
            return
        with self._tenancy.held(occupant) as is_current:
            if not is_current:
                return
            self._roster.admit(desk)
        self._roster.worked(tenant, Doing.VISIT)
        for warning in desk.identity.warnings:
            _log.warning("desk_warning", tenant=tenant, warning=warning)
        _log.info("tenant_connected", tenant=tenant, account=desk.identity.account)
        self._wake()

    def _learn_history(self, desk: Desk) -> None:
        """Read resolved tickets once, so that the first suggestions have something to go by."""
        compares = any(rule.aspect is Aspect.ASSIGNEE for rule in desk.rules) or desk.why.is_wanted
        if not compares or self._store.cases.has_history(desk.tenant):
            return
        if not self._store.leads(desk.tenant):  # the daemon that does learns for all
            return
        learnt = 0
        try:
            # First the place in the stream: reading history may take longer than that looks back.
            self._poller.read(desk)
            for page in desk.adapter.history(self._clock.now() - HISTORY):
                learn(desk, self._store, page.items)
                self._pulses.beat()
                learnt += len(page.items)
                if self._stopping.is_set():
                    return
        except Rejected as error:
            _log.warning("history_refused", tenant=desk.tenant, error=error.detail)
            return
        self._store.cases.note_history(desk.tenant)
        _log.info("history_learnt", tenant=desk.tenant, tickets=learnt)
