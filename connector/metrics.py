"""Counts for Prometheus: what came in, what became of it, how long it took."""

from collections.abc import Collection, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from connector.desk import Desk
from connector.model import Aspect, TenantId
from connector.pipeline import Ending
from connector.store import Balance, TenantOverview

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """One daemon's counts, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry)
        self._received = counter(
            "triaged_received", "Tickets that intake asked to look at", ["tenant", "source"]
        )
        self._webhooks = counter("triaged_webhook_requests", "Webhook calls by answer", ["status"])
        self._verdicts = counter(
            "triaged_verdicts", "Decisions by aspect and action", ["tenant", "aspect", "action"]
        )
        self._endings = counter(
            "triaged_tickets", "Tickets by how their path ended", ["tenant", "ending"]
        )
        self._waited = Histogram(
            "triaged_ticket_seconds",
            "From hearing of a ticket to its fields being written",
            ["tenant"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = gauge("triaged_inbox_rows", "Rows of the inbox by state", ["tenant", "state"])
        self._stopped = gauge(
            "triaged_tenant_stopped",
            "1 for a tenant that waits for a person: its credential or fields are refused",
            ["tenant"],
        )
        self._braked = gauge(
            "triaged_brake_pulled",
            "1 for a tenant that was stopped for writing too much, until a person releases it",
            ["tenant"],
        )
        self._gone = gauge(
            "triaged_options_gone",
            "Options and fields of the desk that answers need and that it has no more",
            ["tenant"],
        )
        self._demotions = counter(
            "triaged_demotions",
            "Classes taken down a step because too many answers were corrected",
            ["tenant", "aspect"],
        )
        self._lowered = gauge(
            "triaged_lowered_classes",
            "Classes that do less than their tenant's file says",
            ["tenant", "aspect"],
        )
        self._missing = gauge(
            "triaged_books_missing",
            "Events that were received and are in no account: anything but 0 is a fault of ours",
            ["tenant"],
        )
        self._ready = gauge("triaged_ready", "1 once every part of the daemon is up")
        now = (self._rows, self._missing, self._stopped, self._braked, self._gone, self._lowered)
        self._read_anew = now

    def received(self, tenant: TenantId, source: str, count: int) -> None:
        """Count tickets that intake put into the inbox."""
        self._received.labels(tenant, source).inc(count)

    def webhook(self, status: int) -> None:
        """Count an answered webhook call."""
        self._webhooks.labels(str(status)).inc()

    def ticket(self, tenant: TenantId, ending: Ending, waited: float | None) -> None:
        """Count the end of a ticket's path; `waited` is in seconds, and told of fresh work only."""
        self._endings.labels(tenant, ending.next.value).inc()
        if ending.entry is None:
            return
        if waited is not None:
            self._waited.labels(tenant).observe(waited)
        for verdict in ending.entry.verdicts:
            self._verdicts.labels(tenant, verdict.prediction.aspect, verdict.action).inc()

    def demoted(self, tenant: TenantId, aspect: Aspect) -> None:
        """Count a class that was taken down a step."""
        self._demotions.labels(tenant, aspect).inc()

    def ready(self, *, is_ready: bool) -> None:
        """Note whether the daemon is ready."""
        self._ready.set(int(is_ready))

    def text(
        self,
        overviews: Sequence[TenantOverview] = (),
        balances: Sequence[Balance] = (),
        stopped: Collection[TenantId] = (),
        desks: Sequence[Desk] = (),
    ) -> bytes:
        """Give all counts in the Prometheus text format, with the inbox as it is now."""
        for gauge in self._read_anew:
            gauge.clear()
        for overview in overviews:
            self._gone.labels(overview.tenant).set(len(overview.gone))
            for state, rows in overview.states.items():
                self._rows.labels(overview.tenant, state).set(rows)
        for balance in balances:
            self._missing.labels(balance.tenant).set(balance.missing)
        braked = [overview.tenant for overview in overviews if overview.brake]
        for gauge, tenants in ((self._stopped, stopped), (self._braked, braked)):
            for tenant in tenants:
                gauge.labels(tenant).set(1)
        lowered = ((desk.tenant, rule) for desk in desks for rule in desk.rules)
        for tenant, rule in lowered:
            self._lowered.labels(tenant, rule.aspect).set(rule.lowered_classes)
        return generate_latest(self._registry)
