"""The intake that is fast: a signed hint to look at a ticket, durable before it is answered."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256

import structlog
from sqlalchemy.exc import DBAPIError

from connector.errors import Forged, StateUnusable, Unreadable
from connector.metrics import Metrics
from connector.model import Delivery, TenantId
from connector.ports import Adapter, Clock
from connector.store import Received, Store

TOLERANCE = timedelta(seconds=300)
"""How far a signed time may be from ours: a caught call cannot be sent again later."""

ACCEPTED, REFUSED, BUSY = 202, 401, 503

_log = structlog.get_logger()


class WebhookIntake:
    """Takes webhook calls for all tenants."""

    def __init__(
        self,
        *,
        adapters: Mapping[TenantId, Adapter],
        store: Store,
        clock: Clock,
        metrics: Metrics,
        wake: Callable[[], None],
    ) -> None:
        self._adapters = adapters
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._wake = wake

    def take(self, name: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Give the HTTP status to answer: 202 only once the work is on disk.

        An unknown tenant is answered as a wrong signature is, so that nobody can list tenants.
        """
        tenant = TenantId(name)
        try:
            status = self._take(tenant, body, headers)
        except (DBAPIError, StateUnusable) as error:
            _log.error("webhook_not_stored", tenant=tenant, error=type(error).__name__)
            status = BUSY
        self._metrics.webhook(status)
        return status

    def _take(self, tenant: TenantId, body: bytes, headers: Mapping[str, str]) -> int:
        adapter = self._adapters.get(tenant)
        if adapter is None:
            return REFUSED
        try:
            delivery = self._verified(adapter, body, headers)
        except Forged as error:
            _log.warning("webhook_refused", tenant=tenant, error=error.detail)
            return REFUSED
        except Unreadable as error:
            _log.warning("webhook_held", tenant=tenant, error=error.detail)
            # Nothing in it could be read, not even an id: the same bytes are the same delivery.
            self._store.inbox.hold(tenant, error.detail, delivery=sha256(body).hexdigest())
            return ACCEPTED
        received = self._store.inbox.receive(tenant, delivery.tickets, delivery=delivery.id)
        if received is Received.NEW:
            self._metrics.received(tenant, "webhook", len(delivery.tickets))
            self._wake()
        return ACCEPTED

    def _verified(self, adapter: Adapter, body: bytes, headers: Mapping[str, str]) -> Delivery:
        delivery = adapter.parse_webhook(body, headers)
        sent_at = delivery.sent_at
        if sent_at is not None and abs(self._clock.now() - sent_at) > TOLERANCE:
            raise Forged("its signed time is more than five minutes from ours")
        return delivery
