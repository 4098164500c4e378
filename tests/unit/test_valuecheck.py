"""An option that a desk loses pauses its class, and nothing else."""

from dataclasses import replace

import pytest
from by_hand import ACME, HandDaemon
from structlog.testing import capture_logs
from test_desk import TwoLabelEngine, settings

from adapters.memory import FIELDS
from connector.desk import connect
from connector.errors import ConfigError, Rejected
from connector.model import Action, Aspect
from connector.valuecheck import DAILY, HOURLY, ValueCheck

TENANT = settings(
    category={"field": "category", "mode": "auto"}, priority={"field": "priority", "mode": "shadow"}
)


class Watched:
    """A daemon by hand whose desk's fields a test may change."""

    def __init__(self, store, adapter, clock, classifier) -> None:
        self.store, self.adapter, self.clock, self.classifier = store, adapter, clock, classifier
        self.engine = TwoLabelEngine()
        self.asked = 0
        self.offer(*self.options())
        adapter.describe_fields = self._describe
        self.start()

    def start(self) -> None:
        known = self.store.options.known(ACME)
        desk = connect(TENANT, self.adapter, self.engine, known)
        self.daemon = HandDaemon(self.store, replace(desk, classifier=self.classifier), self.clock)
        self.check = ValueCheck(
            self.store, self.daemon.roster, {ACME: TENANT}.get, lambda _settings: self.engine
        )
        self.check.note(desk, TENANT)
        self.daemon.poller.look(ACME)

    @staticmethod
    def options() -> tuple[str, ...]:
        return next(field.options for field in FIELDS if field.id == "category")

    def offer(self, *options: str) -> None:
        self.fields = tuple(
            replace(field, options=options) if field.id == "category" else field for field in FIELDS
        )

    def _describe(self) -> object:
        self.asked += 1
        return self.fields

    def later(self, seconds: float) -> list[tuple[str, str]]:
        """Let time pass, and give what a look tells of options."""
        self.clock.pass_time(seconds)
        with capture_logs() as logs:
            self.check.look()
        return [
            (event["event"], event["option"])
            for event in logs
            if event["event"].startswith("option")
        ]

    def answer(self, word: str) -> tuple[Action, object]:
        ticket = self.adapter.arrive(word, f"the {word}")
        self.daemon.round()
        [verdict, *_] = self.store.ledger.of(ACME, ticket)[-1].verdicts
        return verdict.action, self.adapter.read(ticket).fields["category"]


@pytest.fixture
def watched(store, adapter, clock, classifier) -> Watched:
    return Watched(store, adapter, clock, classifier)


def test_a_deleted_option_pauses_its_class_and_comes_back_by_itself(watched, store) -> None:
    assert watched.answer("network") == (Action.WRITE, "network")
    watched.offer("hardware", "software")
    assert watched.later(DAILY) == [("option_gone", "network")]
    assert watched.answer("network") == (Action.NO_OPTION, None)
    assert watched.answer("hardware") == (Action.WRITE, "hardware")
    [overview] = store.overview()
    assert [(one.label, one.value) for one in overview.gone] == [("network", "network")]
    assert watched.later(DAILY) == []  # said once

    watched.offer(*watched.options())
    assert watched.later(HOURLY) == [("option_back", "network")]
    assert watched.answer("network") == (Action.WRITE, "network")
    [overview] = store.overview()
    assert overview.gone == ()


def test_a_renamed_option_is_named_with_what_is_spelt_alike(watched) -> None:
    watched.offer("network_new", "hardware")
    watched.clock.pass_time(DAILY)
    with capture_logs() as logs:
        watched.check.look()
    [told] = [event for event in logs if event["event"] == "option_gone"]
    assert (told["label"], told["option"], told["close"]) == ("network", "network", "network_new")


def test_a_restart_keeps_the_class_paused_and_the_tenant_at_work(watched) -> None:
    watched.offer("hardware")
    watched.later(DAILY)
    watched.start()
    assert watched.answer("network") == (Action.NO_OPTION, None)
    assert watched.answer("hardware") == (Action.WRITE, "hardware")


def test_an_option_that_was_never_there_is_a_mistake_in_the_file(
    store, adapter, clock, classifier
) -> None:
    watched = Watched(store, adapter, clock, classifier)
    other = settings(
        category={"field": "category", "mode": "auto", "values": {"network": "netwrk"}}
    )
    with pytest.raises(ConfigError, match="lacks the options netwrk"):
        connect(other, adapter, watched.engine, store.options.known(ACME))


def test_a_field_that_is_gone_pauses_its_aspect_alone(watched) -> None:
    watched.fields = tuple(field for field in FIELDS if field.id != "category")
    told = watched.later(DAILY)
    assert ("option_gone", "category") in told
    assert watched.answer("hardware") == (Action.NO_OPTION, None)
    watched.start()
    assert watched.answer("hardware") == (Action.NO_OPTION, None)


def test_a_drop_down_without_any_option_takes_none(watched) -> None:
    watched.offer()
    watched.later(DAILY)
    assert watched.answer("hardware") == (Action.NO_OPTION, None)


def test_the_desk_is_asked_daily_and_when_it_refused_a_value(watched, store) -> None:
    before = watched.asked
    watched.later(60)
    assert watched.asked == before
    watched.later(DAILY)
    assert watched.asked == before + 1

    def refused_since(_tenant, _moment) -> bool:
        return True

    store.options.refused_since = refused_since
    watched.later(60)
    assert watched.asked == before + 2


def test_a_ticket_that_is_set_aside_counts_as_a_refusal(watched, store, clock) -> None:
    now = clock.now().timestamp()
    assert not store.options.refused_since(ACME, now - 1)
    watched.offer("hardware")
    ticket = watched.adapter.arrive("network", "the network")
    watched.daemon.poller.look(ACME)
    [job] = store.inbox.claim(1, tenants=[ACME])
    assert job.ticket == ticket
    store.inbox.dead(job, "refused")
    assert store.options.refused_since(ACME, now - 1)
    assert not store.options.refused_since(ACME, now + 1)


def test_what_is_no_longer_needed_is_forgotten(store) -> None:
    one, other = (Aspect.CATEGORY, "network", "network"), (Aspect.CATEGORY, "", "category")
    store.options.note(ACME, {one, other}, set())
    assert store.options.known(ACME) == {one, other}
    store.options.note(ACME, {other}, set())
    assert store.options.known(ACME) == {other}
    store.options.note(ACME, set(), set())
    assert store.options.known(ACME) == frozenset()


def test_a_desk_that_refuses_to_tell_is_worked_on_all_the_same(watched) -> None:
    def refuse() -> object:
        raise Rejected("no right to see fields")

    watched.adapter.describe_fields = refuse
    watched.clock.pass_time(DAILY)
    with capture_logs() as logs:
        watched.check.look()
        watched.check.look()
    assert [event["event"] for event in logs] == ["values_refused"]
    assert watched.answer("network") == (Action.WRITE, "network")
