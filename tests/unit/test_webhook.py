import pytest
from sqlalchemy.exc import OperationalError

from adapters.memory import MemoryAdapter
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
