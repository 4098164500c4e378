import hmac

import pytest
from sqlalchemy.exc import OperationalError

from adapters.memory import DELIVERY, MemoryAdapter
from connector.metrics import Metrics
from connector.model import Secret, TenantId
from connector.webhook import WebhookIntake

ACME = TenantId("acme")
SECRET = Secret("our-own-test-secret-01")


@pytest.fixture
def adapter(clock) -> MemoryAdapter:
    return MemoryAdapter(clock, SECRET)


@pytest.fixture
def woken() -> list[bool]:
    return []


@pytest.fixture
def intake(adapter, store, clock, woken) -> WebhookIntake:
    return WebhookIntake(
        adapters={ACME: adapter},
        store=store,
        clock=clock,
        metrics=Metrics(),
        wake=lambda: woken.append(True),
        backlogs={ACME: 3},
    )


def test_a_signed_call_is_durable_work(intake, adapter, store, woken) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    assert intake.take("acme", body, headers) == 202
    assert [job.ticket for job in store.inbox.claim(9, tenants=[ACME])] == ["1"]
    assert woken == [True]


def test_a_replay_is_accepted_and_changes_nothing(intake, adapter, store, woken) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    intake.take("acme", body, headers)
    store.inbox.done(store.inbox.claim(9, tenants=[ACME])[0])
    assert intake.take("acme", body, headers) == 202
    assert store.inbox.claim(9, tenants=[ACME]) == ()
    assert woken == [True]


def test_a_wrong_signature_and_an_unknown_tenant_get_the_same_answer(intake, adapter) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), Secret("another"))
    assert intake.take("acme", body, headers) == 401
    assert intake.take("nobody", body, headers) == 401


@pytest.mark.parametrize(("seconds", "status"), [(299, 202), (301, 401), (-299, 202), (-301, 401)])
def test_a_signed_time_must_be_near_ours(intake, adapter, clock, seconds, status) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    clock.pass_time(seconds)
    assert intake.take("acme", body, headers) == status


def test_a_changed_body_is_refused(intake, adapter, store) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    assert intake.take("acme", body + b" ", headers) == 401
    assert store.overview() == ()


def test_a_signed_call_that_names_no_ticket_is_held(intake, adapter, store) -> None:
    body, headers = adapter.call_webhook("no number", SECRET)
    assert intake.take("acme", body, headers) == 202
    [one] = store.overview()
    assert one.states == {"held": 1}


@pytest.mark.parametrize(("step", "ticket"), [("receive", "1"), ("hold", "no number")])
def test_a_full_disk_is_answered_with_busy(
    intake, adapter, store, monkeypatch, step, ticket
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, OSError("database or disk is full"))

    monkeypatch.setattr(store.inbox, step, full)
    body, headers = adapter.call_webhook(ticket, SECRET)
    assert intake.take("acme", body, headers) == 503


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
            assert intake.take(tenant, body, {}) == 401
    assert tally.seen == [0, 0, 2, 2, 100_000, 100_000]


def test_a_desk_without_a_secret_costs_the_same(clock, store, monkeypatch) -> None:
    bare = WebhookIntake(
        adapters={ACME: MemoryAdapter(clock)},
        store=store,
        clock=clock,
        metrics=Metrics(),
        wake=lambda: None,
    )
    tally = Tally(monkeypatch)
    assert (bare.take("acme", b"{}", {}), tally.seen) == (401, [2])


def test_a_full_backlog_is_busy_until_work_is_done(intake, adapter, store, clock) -> None:
    def call() -> int:
        clock.pass_time(1)
        return intake.take("acme", *adapter.call_webhook(adapter.arrive("a", "b"), SECRET))

    assert [call() for _ in range(4)] == [202, 202, 202, 503]
    store.inbox.done(store.inbox.claim(1, tenants=[ACME])[0])
    assert call() == 202


def test_a_forged_call_is_refused_also_when_the_backlog_is_full(intake, adapter, clock) -> None:
    for _ in range(3):
        intake.take("acme", *adapter.call_webhook(adapter.arrive("a", "b"), SECRET))
    clock.pass_time(1)
    assert intake.take("acme", b"{}", {}) == 401


def test_both_secrets_are_good_while_one_is_changed(clock, store) -> None:
    desk = MemoryAdapter(clock, SECRET, previous_secret=Secret("the one before"))
    both = WebhookIntake(
        adapters={ACME: desk}, store=store, clock=clock, metrics=Metrics(), wake=lambda: None
    )
    keys = (SECRET, Secret("the one before"), Secret("another"))
    assert [both.take("acme", *desk.call_webhook(desk.arrive("a", "b"), key)) for key in keys] == [
        202,
        202,
        401,
    ]


def test_the_longest_delivery_id_is_kept_short(intake, adapter, store) -> None:
    body, headers = adapter.call_webhook(adapter.arrive("a", "b"), SECRET)
    for tail in ("1", "2"):
        headers[DELIVERY] = "x" * 60_000 + tail
        assert [intake.take("acme", body, headers) for _ in range(2)] == [202, 202]
    [job] = store.inbox.claim(9, tenants=[ACME])
    assert job.marks == 2
