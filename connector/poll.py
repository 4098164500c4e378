"""The intake that loses nothing: reads a desk's stream of changes from the stored cursor on."""

from collections.abc import Callable
from threading import Event

import structlog

from connector.desk import Desk
from connector.errors import Rejected, TriagedError
from connector.metrics import Metrics
from connector.model import TenantId
from connector.roster import Doing, Roster
from connector.store import Store

_log = structlog.get_logger()


class Poller:
    """Looks at desks when told to; every page and its cursor become durable together."""

    def __init__(
        self,
        *,
        store: Store,
        roster: Roster,
        metrics: Metrics,
        stopping: Event,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._roster = roster
        self._metrics = metrics
        self._stopping = stopping
        self._wake = wake

    def look(self, tenant: TenantId) -> None:
        """Take everything in that changed since the last look; a desk's trouble pauses its tenant.

        Nothing is done where another daemon of the store polls the tenant. A pause or stop in the
        middle loses nothing: the next look goes on from the last page.
        """
        desk = self._roster.desk(tenant)
        if desk is None:
            return
        try:
            if self._store.leads(tenant):
                self.read(desk)
            self._roster.worked(tenant, Doing.VISIT)
        except Rejected as error:
            # The cursor is no longer good, say. Said at every look, until a person acts; work that
            # webhooks bring goes on.
            _log.error("poll_refused", tenant=tenant, error=str(error))
        except TriagedError as error:
            self._roster.failed(tenant, Doing.VISIT, error, desk)

    def read(self, desk: Desk) -> None:
        """Take in what changed at a desk since the stored cursor; raises what the desk raises."""
        for page in desk.adapter.changed_since(self._store.inbox.cursor(desk.tenant)):
            new = self._store.inbox.receive_page(desk.tenant, page.items, page.cursor)
            self._metrics.received(desk.tenant, "poll", new)
            if new:
                self._wake()
            if self._stopping.is_set():
                return
