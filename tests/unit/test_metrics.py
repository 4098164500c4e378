from connector.metrics import Metrics
from connector.model import TenantId, TicketId
from connector.store import Store

ACME = TenantId("acme")


def test_the_inbox_is_counted_as_it_is_now(store: Store) -> None:
    metrics = Metrics()
    store.inbox.receive(ACME, [TicketId("1"), TicketId("2")], delivery="d1")
    store.inbox.claim(1, tenants=[ACME])
    text = metrics.text(store.overview(), store.audit(), {ACME}).decode()
    assert 'triaged_inbox_rows{state="ready",tenant="acme"} 1.0' in text
    assert 'triaged_inbox_rows{state="leased",tenant="acme"} 1.0' in text
    assert 'triaged_tenant_stopped{tenant="acme"} 1.0' in text
    for job in store.inbox.claim(2, tenants=[ACME]):
        store.inbox.done(job)
    later = metrics.text(store.overview()).decode()
    assert 'triaged_inbox_rows{state="ready"' not in later
    assert 'triaged_inbox_rows{state="done",tenant="acme"} 2.0' in later
    assert "triaged_tenant_stopped{" not in later
