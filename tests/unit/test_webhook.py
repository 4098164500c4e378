import hmac
from collections.abc import Mapping

import pytest

from adapters.memory import DELIVERY, MemoryAdapter
from connector.metrics import Metrics
from connector.model import Secret, TenantId
from connector.webhook import Call, WebhookIntake

ACME = TenantId("acme")
SECRET = Secret("our-own-test-secret-01")


def take(intake: WebhookIntake, tenant: str, body: bytes, headers: Mapping[str, str]) -> int:
    [status] = intake.take([Call(tenant, body, headers)])
    return status


@pytest.fixture
def adapter(clock) -> MemoryAdapter:
    return MemoryAdapter(clock, SECRET)


@pytest.fixture
def woken() -> list[bool]:
    return []


@pytest.fixture
def intake(adapter, store, clock, woken) -> WebhookIntake:
    made = WebhookIntake(
        store=store, clock=clock, metrics=Metrics(), wake=lambda: woken.append(True)
    )
    made.serve({ACME: adapter}, {ACME: 3})
    return made


def test_a_signed_call_is_durable_work(intake, adapter, store, woken) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    assert take(intake, "acme", body, headers) == 202
    assert [job.ticket for job in store.inbox.claim(9, tenants=[ACME])] == ["1"]
    assert woken == [True]


def test_a_replay_is_accepted_and_changes_nothing(intake, adapter, store, woken) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    take(intake, "acme", body, headers)
    store.inbox.done(store.inbox.claim(9, tenants=[ACME])[0])
    assert take(intake, "acme", body, headers) == 202
    assert store.inbox.claim(9, tenants=[ACME]) == ()
    assert woken == [True]


def test_a_wrong_signature_and_an_unknown_tenant_get_the_same_answer(intake, adapter) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), Secret("another"))
    assert take(intake, "acme", body, headers) == 401
    assert take(intake, "nobody", body, headers) == 401


@pytest.mark.parametrize(("seconds", "status"), [(299, 202), (301, 401), (-299, 202), (-301, 401)])
def test_a_signed_time_must_be_near_ours(intake, adapter, clock, seconds, status) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    clock.pass_time(seconds)
    assert take(intake, "acme", body, headers) == status


def test_a_changed_body_is_refused(intake, adapter, store) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    assert take(intake, "acme", body + b" ", headers) == 401
    assert store.overview() == ()


def test_a_signed_call_that_names_no_ticket_is_held(intake, adapter, store) -> None:
    body, headers = adapter.call_webhook("no number", SECRET)
    assert take(intake, "acme", body, headers) == 202
    [one] = store.overview()
    assert one.states == {"held": 1}


@pytest.mark.parametrize("ticket", ["1", "no number"])
def test_a_store_that_takes_nothing_is_answered_with_busy(intake, adapter, store, ticket) -> None:
    body, headers = adapter.call_webhook(ticket, SECRET)
    store._database.close()
    assert take(intake, "acme", body, headers) == 503


def test_calls_that_come_together_get_an_answer_each(intake, adapter, store) -> None:
    good = Call("acme", *adapter.call_webhook(adapter.arrive("a", "b"), SECRET))
    held = Call("acme", *adapter.call_webhook("no number", SECRET))
    forged = Call("acme", good.body, {})
    assert intake.take([forged, good, held, good]) == [401, 202, 202, 202]
    [job] = store.inbox.claim(9, tenants=[ACME])
    assert (job.ticket, job.marks) == ("1", 1)
    assert store.overview()[0].states["held"] == 1


class Tally:
    """Counts the bytes that are signed, and signs."""

    def __init__(self, monkeypatch) -> None:
        self._new = hmac.new
        self.seen: list[int] = []
        monkeypatch.setattr(hmac, "new", self._count)

    def _count(self, key, message, kind) -> hmac.HMAC:
        self.seen.append(len(message))
        return self._new(key, message, kind)


def test_an_unknown_tenant_costs_the_work_of_a_wrong_signature(intake, monkeypatch) -> None:
    tally = Tally(monkeypatch)
    for body in (b"", b"{}", b"x" * 100_000):
        for tenant in ("acme", "nobody"):
            assert take(intake, tenant, body, {}) == 401
    assert tally.seen == [0, 0, 2, 2, 100_000, 100_000]


def test_a_desk_without_a_secret_costs_the_same(clock, store, monkeypatch) -> None:
    bare = WebhookIntake(store=store, clock=clock, metrics=Metrics(), wake=lambda: None)
    bare.serve({ACME: MemoryAdapter(clock)})
    tally = Tally(monkeypatch)
    assert (take(bare, "acme", b"{}", {}), tally.seen) == (401, [2])


def test_a_full_backlog_is_busy_until_work_is_done(intake, adapter, store, clock) -> None:
    def call() -> int:
        clock.pass_time(1)
        return take(intake, "acme", *adapter.call_webhook(adapter.arrive("a", "b"), SECRET))

    assert [call() for _ in range(4)] == [202, 202, 202, 503]
    store.inbox.done(store.inbox.claim(1, tenants=[ACME])[0])
    assert call() == 202


def test_a_forged_call_is_refused_also_when_the_backlog_is_full(intake, adapter, clock) -> None:
    for _ in range(3):
        take(intake, "acme", *adapter.call_webhook(adapter.arrive("a", "b"), SECRET))
    clock.pass_time(1)
    assert take(intake, "acme", b"{}", {}) == 401


def test_both_secrets_are_good_while_one_is_changed(clock, store) -> None:
    desk = MemoryAdapter(clock, SECRET, previous_secret=Secret("the one before"))
    both = WebhookIntake(store=store, clock=clock, metrics=Metrics(), wake=lambda: None)
    both.serve({ACME: desk})
    keys = (SECRET, Secret("the one before"), Secret("another"))
    assert [take(both, "acme", *desk.call_webhook(desk.arrive("a", "b"), key)) for key in keys] == [
        202,
        202,
        401,
    ]


def test_the_longest_delivery_id_is_kept_short(intake, adapter, store) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    for tail in ("1", "2"):
        headers[DELIVERY] = "x" * 60_000 + tail
        assert [take(intake, "acme", body, headers) for _ in range(2)] == [202, 202]
    [job] = store.inbox.claim(9, tenants=[ACME])
    assert job.marks == 2


def test_who_is_served_no_longer_is_refused_and_who_is_new_is_taken(intake, adapter, clock) -> None:
    other = MemoryAdapter(clock, SECRET)
    intake.serve({TenantId("beta"): other})
    assert take(intake, "acme", *adapter.call_webhook(adapter.arrive("a", "b"), SECRET)) == 401
    assert take(intake, "beta", *other.call_webhook(other.arrive("a", "b"), SECRET)) == 202
