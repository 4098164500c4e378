import pytest

from connector.decide import Rule, decide, standing, still_wanted
from connector.model import (
    TAGS,
    Action,
    Aspect,
    FieldInfo,
    FieldKind,
    FieldUpdate,
    Mode,
    Prediction,
    Verdict,
)

FIELD = FieldInfo(
    id="c1", title="Category", kind=FieldKind.CHOICE, options=("network", "hardware", "net")
)


def rule(**changes: object) -> Rule:
    plain = {"aspect": Aspect.CATEGORY, "field": FIELD, "mode": Mode.AUTO, "values": {}}
    return Rule(**{**plain, **changes})


def says(label: str | None = "network", confidence: float = 0.9, **more: object) -> Prediction:
    return Prediction(aspect=Aspect.CATEGORY, label=label, confidence=confidence, **more)


def verdict(ticket, prediction=None, a_rule=None, ours=None) -> Verdict:
    [found] = decide(ticket, [prediction or says()], [a_rule or rule()], ours or {})
    return found


def test_an_empty_field_is_written(a_ticket) -> None:
    found = verdict(a_ticket())
    assert found.action is Action.WRITE
    assert found.update == FieldUpdate(aspect=Aspect.CATEGORY, field="c1", value="network")


@pytest.mark.parametrize("empty", [None, "", ()])
def test_unset_in_every_spelling_is_empty(a_ticket, empty) -> None:
    assert verdict(a_ticket(fields={"c1": empty})).action is Action.WRITE


def test_the_value_that_stands_is_not_written_again(a_ticket) -> None:
    found = verdict(a_ticket(fields={"c1": "network"}))
    assert (found.action, found.update) == (Action.EQUAL, None)


def test_a_persons_value_stays(a_ticket) -> None:
    found = verdict(a_ticket(fields={"c1": "hardware"}))
    assert (found.action, found.update) == (Action.PERSON, None)


def test_our_own_earlier_value_may_change(a_ticket) -> None:
    found = verdict(a_ticket(fields={"c1": "hardware"}), ours={"c1": "hardware"})
    assert found.action is Action.WRITE
    assert found.update is not None
    assert found.update.replaces == "hardware"


@pytest.mark.parametrize("now", ["net", None])
def test_our_value_that_a_person_changed_or_cleared_stays_so(a_ticket, now) -> None:
    found = verdict(a_ticket(fields={"c1": now}), ours={"c1": "hardware"})
    assert found.action is Action.PERSON


def test_a_desks_own_default_counts_as_empty(a_ticket) -> None:
    found = verdict(a_ticket(fields={"c1": "net"}), a_rule=rule(treat_as_empty=frozenset({"net"})))
    assert found.action is Action.WRITE


def test_abstaining_writes_nothing(a_ticket) -> None:
    found = verdict(a_ticket(), says(label=None, confidence=0.3, reason="two are near"))
    assert (found.action, found.update, found.reason) == (Action.ABSTAIN, None, "two are near")


def test_below_the_dial_nothing_is_written(a_ticket) -> None:
    found = verdict(a_ticket(), says(confidence=0.94), rule(precision=0.95))
    assert found.action is Action.ABSTAIN
    assert found.reason == "confidence 0.94 is below the asked 0.95"
    assert verdict(a_ticket(), says(confidence=0.95), rule(precision=0.95)).update


def test_shadow_records_only(a_ticket) -> None:
    found = verdict(a_ticket(), a_rule=rule(mode=Mode.SHADOW))
    assert (found.action, found.update) == (Action.RECORD, None)


def test_an_option_that_the_desk_lacks_is_never_invented(a_ticket) -> None:
    found = verdict(a_ticket(), says(label="security"))
    assert (found.action, found.update) == (Action.NO_OPTION, None)
    assert found.reason == "Category has no option 'security'"


def test_a_label_is_written_under_the_desks_name(a_ticket) -> None:
    found = verdict(a_ticket(), a_rule=rule(values={"network": "net"}))
    assert found.update is not None
    assert found.update.value == "net"


def test_a_suggestion_is_a_tag_and_leaves_the_field_alone(a_ticket) -> None:
    found = verdict(a_ticket(fields={"c1": "hardware"}), a_rule=rule(mode=Mode.SUGGEST))
    assert found.action is Action.SUGGEST
    assert found.slot == "tags:category"
    assert found.update == FieldUpdate(
        aspect=Aspect.CATEGORY, field=TAGS, value="triaged_category_network"
    )


def test_a_changed_suggestion_takes_our_earlier_tag_away(a_ticket) -> None:
    found = verdict(
        a_ticket(tags=frozenset({"vip", "triaged_category_hardware"})),
        a_rule=rule(mode=Mode.SUGGEST),
        ours={"tags:category": "triaged_category_hardware"},
    )
    assert found.update is not None
    assert found.update.replaces == "triaged_category_hardware"


def test_a_suggestion_that_a_person_removed_is_not_made_again(a_ticket) -> None:
    found = verdict(
        a_ticket(),
        a_rule=rule(mode=Mode.SUGGEST),
        ours={"tags:category": "triaged_category_network"},
    )
    assert found.action is Action.PERSON


def test_tags_hold_only_characters_that_every_desk_takes(a_ticket) -> None:
    named = says(label="Accès réseau / Wi-Fi!")
    found = verdict(a_ticket(), named, rule(mode=Mode.SUGGEST))
    assert found.update is not None
    assert found.update.value == "triaged_category_accès_réseau_wi_fi"


@pytest.mark.parametrize(
    ("kind", "value"), [(FieldKind.TEXT, "Ana Ruiz (Network)"), (FieldKind.AGENT, "12")]
)
def test_an_assignee_is_written_as_the_field_takes_it(a_ticket, kind, value) -> None:
    answer = Prediction(
        aspect=Aspect.ASSIGNEE, label="12", confidence=0.8, display="Ana Ruiz (Network)"
    )
    wanted = rule(aspect=Aspect.ASSIGNEE, field=FieldInfo(id="a1", title="To", kind=kind))
    [found] = decide(a_ticket(), [answer], [wanted], {})
    assert found.update is not None
    assert found.update.value == value


def test_a_rule_without_an_answer_is_passed_over(a_ticket) -> None:
    assert decide(a_ticket(), [], [rule()], {}) == ()


def test_a_plan_wants_only_what_nobody_contradicted(a_ticket) -> None:
    plan = [verdict(a_ticket())]
    assert {slot: update.value for slot, update in still_wanted(a_ticket(), plan).items()} == {
        "c1": "network"
    }
    assert still_wanted(a_ticket(fields={"c1": " network "}), plan) == {}
    assert still_wanted(a_ticket(fields={"c1": "hardware"}), plan) == {}


def test_a_tag_stands_when_it_is_among_the_tags(a_ticket) -> None:
    update = FieldUpdate(aspect=Aspect.CATEGORY, field=TAGS, value="t")
    assert standing(a_ticket(tags=frozenset({"t", "u"})), update)
    assert not standing(a_ticket(tags=frozenset({"u"})), update)


@pytest.mark.parametrize(
    ("promised", "asked", "action"),
    [
        (0.96, 0.95, Action.WRITE),
        (0.95, 0.95, Action.WRITE),
        (0.94, 0.95, Action.ABSTAIN),
        (0.0, 0.5, Action.ABSTAIN),
        (0.0, 0.0, Action.WRITE),
    ],
)
def test_what_a_bundle_promises_decides_and_not_its_confidence(
    a_ticket, promised, asked, action
) -> None:
    found = verdict(a_ticket(), says(confidence=0.93, promised=promised), rule(precision=asked))
    assert found.action is action
    if action is Action.ABSTAIN:
        assert found.reason == (
            f"the precision that can be promised, {promised:.2f} is below the asked {asked:.2f}"
        )


def test_without_promises_the_confidence_has_to_do(a_ticket) -> None:
    found = verdict(a_ticket(), says(confidence=0.93), rule(precision=0.95))
    assert (found.action, found.reason) == (
        Action.ABSTAIN,
        "confidence 0.93 is below the asked 0.95",
    )
