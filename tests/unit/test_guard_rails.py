"""Guard rails on the whole line: what is suggested, written, and left to people."""

import pytest
from by_hand import ACME, HandDaemon, changed, rule

from connector.desk import connect
from connector.errors import ConfigError
from connector.model import Action, Aspect
from connector.rulebook import Rulebook
from connector.settings import TenantSettings


def daemon_of(store, desk, clock, **sections: object) -> HandDaemon:
    book = Rulebook.model_validate(sections)
    rules = (rule(Aspect.CATEGORY, "category"), rule(Aspect.PRIORITY, "priority"))
    daemon = HandDaemon(store, changed(desk, book=book, rules=rules), clock)
    daemon.poller.look(ACME)
    return daemon


def test_a_vips_ticket_is_suggested_to_and_not_written(store, desk, adapter, clock) -> None:
    daemon = daemon_of(store, desk, clock, never_auto={"vip": {"when": {"requester": "ceo"}}})
    ticket = adapter.arrive("network down", "no network", requester="CEO")
    other = adapter.arrive("network down", "no network", requester="ann")
    daemon.round()
    after = adapter.read(ticket)
    assert after.fields["category"] is None
    assert "triaged_category_network" in after.tags
    assert adapter.read(other).fields["category"] == "network"
    [entry] = store.ledger.of(ACME, ticket)
    found = entry.verdicts[0]
    assert found.action is Action.SUGGEST
    assert found.reason == "it says network Not automatic: rule 'vip': a person decides."


def test_a_rule_that_changed_an_answer_is_kept_with_it(store, desk, adapter, clock) -> None:
    floors = {"down": {"label": "urgent", "when": {"keyword": "down"}}}
    daemon = daemon_of(store, desk, clock, priority={"floors": floors})
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    assert adapter.read(ticket).fields["priority"] == "urgent"
    [entry] = store.ledger.of(ACME, ticket)
    kept = entry.verdicts[1].prediction
    assert (kept.label, kept.said, kept.rules) == ("urgent", "normal", ("down",))
    assert "floor of rule 'down'" in entry.verdicts[1].reason


@pytest.mark.parametrize("when", ["answered", "assigned"])
def test_new_words_change_nothing_once_a_person_is_at_work(
    store, desk, adapter, clock, when
) -> None:
    daemon = daemon_of(store, desk, clock)
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.reply(ticket, "hm")
    daemon.round()
    if when == "answered":
        adapter.answer(ticket)
    else:
        adapter.change(ticket, fields={"assignee": "a1"})
    adapter.reply(ticket, "urgent: it is the hardware")
    daemon.round()
    after = adapter.read(ticket)
    assert (after.fields["category"], after.fields["priority"]) == ("network", "normal")
    assert {each.action for each in store.ledger.of(ACME, ticket)[-1].verdicts} <= {
        Action.PERSON,
        Action.EQUAL,
    }


def test_new_words_change_answers_until_then_and_always_where_it_says_so(
    store, desk, adapter, clock
) -> None:
    daemon = daemon_of(store, desk, clock, retriage="always")
    ticket = adapter.arrive("network down", "no network")
    daemon.round()
    adapter.answer(ticket)
    adapter.reply(ticket, "urgent: it is worse")
    daemon.round()
    assert adapter.read(ticket).fields["priority"] == "high"


def settings(**rules: object) -> TenantSettings:
    return TenantSettings.model_validate(
        {
            "tenant": "acme",
            "desk": {},
            "aspects": {
                "category": {"field": "category", "labels": {"network": "a", "software": "b"}},
                "priority": {"field": "priority"},
            },
            "rules": rules,
        }
    )


class Answering:
    bundle = "words@1"

    def labels(self, aspect: Aspect) -> tuple[str, ...]:
        return ("low", "normal", "high", "urgent", "p0") if aspect is Aspect.PRIORITY else ()

    def classifier(self, labels: object, *_: object) -> object:
        return labels


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"priority": {"shifts": {"x": {"by": 1, "when": {"tag": "a"}}}}}, "also answers p0"),
        (
            {"category": {"orders": {"x": {"label": "netwrok", "when": {"tag": "a"}}}}},
            "rules.category.orders.x.label: there is no category 'netwrok'",
        ),
    ],
)
def test_rules_that_do_not_fit_the_model_are_told_when_the_desk_is_connected(
    adapter, rules, told
) -> None:
    with pytest.raises(ConfigError, match=told):
        connect(settings(**rules), adapter, Answering())


def test_rules_that_fit_come_with_the_desk(adapter) -> None:
    fitting = {"category": {"parents": {"network": "hardware"}}}
    assert connect(settings(**fitting), adapter, Answering()).book.category.parents
