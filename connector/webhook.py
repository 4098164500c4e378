"""The intake that is fast: a signed hint to look at a ticket, durable before it is answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

import structlog

from connector.errors import Forged, StateUnusable, Unreadable
from connector.metrics import Metrics
from connector.model import Delivery, TenantId
from connector.ports import Adapter, Clock
from connector.store import Arrived, Received, Store

TOLERANCE = timedelta(seconds=300)
"""How far a signed time may be from ours: a caught call cannot be sent again later."""

LONGEST_ID = 200
"""Characters of a delivery's id that are kept as they are; a stranger may make it a header long."""

COUNTED_ANEW = 1.0
"""Seconds between two counts of a tenant's open tickets: a call costs none of its own."""

ACCEPTED, REFUSED, BUSY = 202, 401, 503

_log = structlog.get_logger()


class Call(NamedTuple):
    """A webhook call as it came; header names are lower-case."""

    tenant: str
    body: bytes
    headers: Mapping[str, str]


class WebhookIntake:
    """Takes webhook calls for all tenants."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        wake: Callable[[], None],
    ) -> None:
        self._adapters: Mapping[TenantId, Adapter] = {}
        self._backlogs: Mapping[TenantId, int] = {}
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._wake = wake
        self._counted: dict[TenantId, tuple[float, bool]] = {}

    def serve(
        self,
        adapters: Mapping[TenantId, Adapter],
        backlogs: Mapping[TenantId, int] = MappingProxyType({}),
    ) -> None:
        """Take calls for these tenants from now on, each up to so many open tickets."""
        self._adapters, self._backlogs = dict(adapters), dict(backlogs)

    def take(self, calls: Sequence[Call]) -> Sequence[int]:
        """Give the HTTP status to answer each call: 202 only once the work is on disk.

        The work of all calls is one commit. An unknown tenant is answered as a wrong signature is,
        after the same work, so that nobody can list tenants.
        """
        checked = [self._checked(call) for call in calls]
        arrived = [each for each in checked if isinstance(each, Arrived)]
        results = iter(self._store.inbox.take_in(arrived))
        statuses = [
            self._ending(each, next(results)) if isinstance(each, Arrived) else each
            for each in checked
        ]
        for status in statuses:
            self._metrics.webhook(status)
        return statuses

    def _ending(self, arrived: Arrived, result: Received | StateUnusable) -> int:
        if isinstance(result, StateUnusable):
            _log.error("webhook_not_stored", tenant=arrived.tenant, error=type(result).__name__)
            return BUSY
        if result is Received.NEW and arrived.tickets:
            self._metrics.received(arrived.tenant, "webhook", len(arrived.tickets))
            self._wake()
        return ACCEPTED

    def _checked(self, call: Call) -> Arrived | int:
        tenant = TenantId(call.tenant)
        adapter = self._adapters.get(tenant)
        try:
            if adapter is None:
                self._refuse(call.body)
                return REFUSED
            arrived = self._read(tenant, adapter, call)
            return BUSY if self._is_full(tenant) else arrived
        except Forged as error:
            _log.warning("webhook_refused", tenant=tenant if adapter else "", error=error.detail)
            return REFUSED
        except StateUnusable as error:
            _log.error("webhook_not_stored", tenant=tenant, error=type(error).__name__)
            return BUSY

    def _read(self, tenant: TenantId, adapter: Adapter, call: Call) -> Arrived:
        try:
            delivery = self._verified(adapter, call.body, call.headers)
        except Unreadable as error:
            _log.warning("webhook_held", tenant=tenant, error=error.detail)
            # Nothing in it could be read, not even an id: the same bytes are the same delivery.
            name = sha256(call.body).hexdigest()
            return Arrived(tenant=tenant, delivery=name, unreadable=error.detail)
        return Arrived(tenant=tenant, delivery=_kept(delivery.id), tickets=delivery.tickets)

    def _refuse(self, body: bytes) -> None:
        """Have an unsigned call refused by the first desk, for the work that this takes."""
        for adapter in self._adapters.values():
            adapter.parse_webhook(body, {})  # always raises `Forged`

    def _is_full(self, tenant: TenantId) -> bool:
        """Tell whether the tenant has more open tickets than it shall, as of a second ago."""
        most = self._backlogs.get(tenant)
        if most is None:
            return False
        now = self._clock.monotonic()
        until, full = self._counted.get(tenant, (now, False))
        if now >= until:
            is_full = self._store.inbox.has_open(tenant, most)
            if is_full and not full:
                _log.warning("webhooks_paused", tenant=tenant, backlog=most)
            full = is_full
            self._counted[tenant] = (now + COUNTED_ANEW, full)
        return full

    def _verified(self, adapter: Adapter, body: bytes, headers: Mapping[str, str]) -> Delivery:
        delivery = adapter.parse_webhook(body, headers)
        sent_at = delivery.sent_at
        if sent_at is not None and abs(self._clock.now() - sent_at) > TOLERANCE:
            raise Forged("its signed time is more than five minutes from ours")
        return delivery


def _kept(delivery: str) -> str:
    return delivery if len(delivery) <= LONGEST_ID else sha256(delivery.encode()).hexdigest()
