"""Counts for Prometheus: what came in, what became of it, how long it took."""

from collections.abc import Collection, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from connector.model import TenantId
from connector.pipeline import Ending
from connector.store import Balance, TenantOverview

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """One daemon's counts, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._received = Counter(
            "triaged_received",
            "Tickets that intake asked to look at",
            ["tenant", "source"],
            registry=self._registry,
        )
        self._webhooks = Counter(
            "triaged_webhook_requests",
            "Webhook calls by answer",
            ["status"],
            registry=self._registry,
        )
        self._verdicts = Counter(
            "triaged_verdicts",
            "Decisions by aspect and action",
            ["tenant", "aspect", "action"],
            registry=self._registry,
        )
        self._endings = Counter(
            "triaged_tickets",
            "Tickets by how their path ended",
            ["tenant", "ending"],
            registry=self._registry,
        )
        self._waited = Histogram(
            "triaged_ticket_seconds",
            "From hearing of a ticket to its fields being written",
            ["tenant"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = Gauge(
            "triaged_inbox_rows",
            "Rows of the inbox by state",
            ["tenant", "state"],
            registry=self._registry,
        )
        self._stopped = Gauge(
            "triaged_tenant_stopped",
            "1 for a tenant that waits for a person: its credential or fields are refused",
            ["tenant"],
            registry=self._registry,
        )
        self._missing = Gauge(
            "triaged_books_missing",
            "Events that were received and are in no account: anything but 0 is a fault of ours",
            ["tenant"],
            registry=self._registry,
        )
        self._ready = Gauge(
            "triaged_ready", "1 once every part of the daemon is up", registry=self._registry
        )

    def received(self, tenant: TenantId, source: str, count: int) -> None:
        """Count tickets that intake put into the inbox."""
        self._received.labels(tenant, source).inc(count)

    def webhook(self, status: int) -> None:
        """Count an answered webhook call."""
        self._webhooks.labels(str(status)).inc()

    def ticket(self, tenant: TenantId, ending: Ending, waited: float) -> None:
        """Count the end of a ticket's path; `waited` is in seconds."""
        self._endings.labels(tenant, ending.next.value).inc()
        if ending.entry is None:
            return
        self._waited.labels(tenant).observe(waited)
        for verdict in ending.entry.verdicts:
            self._verdicts.labels(tenant, verdict.prediction.aspect, verdict.action).inc()

    def ready(self, *, is_ready: bool) -> None:
        """Note whether the daemon is ready."""
        self._ready.set(int(is_ready))

    def text(
        self,
        overviews: Sequence[TenantOverview] = (),
        balances: Sequence[Balance] = (),
        stopped: Collection[TenantId] = (),
    ) -> bytes:
        """Give all counts in the Prometheus text format, with the inbox as it is now."""
        for gauge in (self._rows, self._missing, self._stopped):
            gauge.clear()
        for overview in overviews:
            for state, rows in overview.states.items():
                self._rows.labels(overview.tenant, state).set(rows)
        for balance in balances:
            self._missing.labels(balance.tenant).set(balance.missing)
        for tenant in stopped:
            self._stopped.labels(tenant).set(1)
        return generate_latest(self._registry)
