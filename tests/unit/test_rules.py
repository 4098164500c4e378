"""Guard rails over a model's answers: which fit, in which order, with which reason."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connector import rules
from connector.model import Aspect, Prediction
from connector.rulebook import PRIORITIES, Rulebook, contradictions
from connector.rules import Facts, Ruling, apply, taken_up

VIP = {"requester": ["*@board.acme.example"]}


def book(**sections: object) -> Rulebook:
    return Rulebook.model_validate(sections)


def priority(label: str | None = "normal", confidence: float = 0.9, **shares: float) -> Prediction:
    ranking = tuple(sorted(shares.items(), key=lambda one: -one[1])) or ((label, confidence),)
    return Prediction(
        aspect=Aspect.PRIORITY, label=label, confidence=confidence, ranking=ranking, reason="Read."
    )


def category(label: str | None = "laptop", confidence: float = 0.9, **shares: float) -> Prediction:
    return replace(priority(label, confidence, **shares), aspect=Aspect.CATEGORY)


def mood(label: str, confidence: float = 0.9) -> Prediction:
    return Prediction(aspect=Aspect.SENTIMENT, label=label, confidence=confidence)


def ruled(ticket, answers, a_book, text: str = "", group: str = "", **bars: float) -> Ruling:
    facts = Facts(ticket=ticket, text=text, group=group)
    return apply(facts, answers, a_book, {Aspect(name): bar for name, bar in bars.items()})


def the(aspect: Aspect, ruling: Ruling) -> Prediction:
    [found] = [one for one in ruling.predictions if one.aspect is aspect]
    return found


def test_without_rules_nothing_is_changed(a_ticket) -> None:
    answers = (category(), priority(), mood("negative"))
    ruling = ruled(a_ticket(), answers, book())
    assert (ruling.predictions, ruling.kept_from_auto) == (answers, {})


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"requester": "ceo@acme.example"}, True),
        ({"requester": ["x", "*@ACME.example"]}, True),
        ({"requester": "ceo"}, False),
        ({"organisation": "77"}, True),
        ({"organisation": "7"}, False),
        ({"tag": "vip"}, True),
        ({"tag": ["gold", "VIP"]}, True),
        ({"tag": "vi"}, False),
        ({"group": "Legal"}, True),
        ({"group": "g9"}, True),
        ({"group": "legal desk"}, False),
        ({"keyword": "court order"}, True),
        ({"keyword": "order"}, True),
        ({"keyword": "court  ORDER"}, True),
        ({"keyword": "cour"}, False),
        ({"keyword": "c.urt"}, False),
        ({"keyword": "(urgent)"}, True),
        ({"sentiment": "negative"}, True),
        ({"sentiment": "negative", "sure": 0.95}, False),
        ({"sentiment": "positive"}, False),
        ({"tag": "vip", "keyword": "court order"}, True),
        ({"tag": "vip", "keyword": "invoice"}, False),
    ],
)
def test_a_condition_fits_when_each_of_its_keys_does(a_ticket, when, fits) -> None:
    ticket = a_ticket(
        requester="CEO@acme.example", organisation="77", group="g9", tags=frozenset({"vip"})
    )
    ruling = ruled(
        ticket,
        [category(), mood("negative")],
        book(never_auto={"one": {"when": when}}),
        text="A court\norder came (urgent)",
        group="Legal",
    )
    assert (Aspect.CATEGORY in ruling.kept_from_auto) is fits


def test_an_unknown_requester_fits_no_pattern(a_ticket) -> None:
    ruling = ruled(a_ticket(), [category()], book(never_auto={"all": {"when": {"requester": "*"}}}))
    assert ruling.kept_from_auto == {}


def test_what_is_never_automatic_names_the_first_rule_and_its_aspects(a_ticket) -> None:
    both = book(
        never_auto={
            "vip": {"when": VIP, "aspects": ["priority"]},
            "board": {"when": VIP},
        }
    )
    kept = ruled(a_ticket(requester="a@board.acme.example"), [priority()], both).kept_from_auto
    assert "'vip'" in kept[Aspect.PRIORITY]
    assert "'board'" in kept[Aspect.CATEGORY]


def test_anger_raises_the_priority_by_one_and_says_so(a_ticket) -> None:
    anger = {"anger": {"by": 1, "when": {"sentiment": "negative"}}}
    ruling = ruled(
        a_ticket(), [priority(), mood("negative")], book(priority={"shifts": anger}), priority=0.9
    )
    found = the(Aspect.PRIORITY, ruling)
    assert (found.label, found.said, found.rules) == ("high", "normal", ("anger",))
    assert found.reason == "Read. Raised from normal by rule 'anger'."
    assert found.confidence == 0.9


def test_shifts_add_up_and_end_at_the_ends(a_ticket) -> None:
    both = {"a": {"by": 1, "when": {"tag": "x"}}, "b": {"by": 3, "when": {"tag": "x"}}}
    ticket = a_ticket(tags=frozenset({"x"}))
    found = the(Aspect.PRIORITY, ruled(ticket, [priority()], book(priority={"shifts": both})))
    assert (found.label, found.rules) == ("urgent", ("a", "b"))
    assert found.said == "normal"


def test_what_the_model_is_not_sure_of_is_not_shifted(a_ticket) -> None:
    up = book(priority={"shifts": {"up": {"by": 1, "when": {"tag": "x"}}}})
    ticket = a_ticket(tags=frozenset({"x"}))
    unsure = [priority(confidence=0.6)]
    assert the(Aspect.PRIORITY, ruled(ticket, unsure, up, priority=0.7)).label == "normal"
    abstained = [priority(label=None, confidence=0.3)]
    assert the(Aspect.PRIORITY, ruled(ticket, abstained, up)).label is None


def test_a_promise_counts_before_the_confidence(a_ticket) -> None:
    up = book(priority={"shifts": {"up": {"by": 1, "when": {"tag": "x"}}}})
    ticket = a_ticket(tags=frozenset({"x"}))
    promised = [replace(priority(confidence=0.6), promised=0.95)]
    assert the(Aspect.PRIORITY, ruled(ticket, promised, up, priority=0.9)).label == "high"


def test_a_floor_raises_and_a_ceiling_lowers_and_the_floor_has_the_last_word(a_ticket) -> None:
    both = book(
        priority={
            "floors": {"outage": {"label": "high", "when": {"keyword": "outage"}}},
            "ceilings": {"all": {"label": "normal"}},
        }
    )
    quiet = the(Aspect.PRIORITY, ruled(a_ticket(), [priority("urgent")], both))
    assert (quiet.label, quiet.rules) == ("normal", ("all",))
    loud = the(Aspect.PRIORITY, ruled(a_ticket(), [priority("urgent")], both, text="an outage"))
    assert (loud.label, loud.rules, loud.said) == ("high", ("all", "outage"), "urgent")
    within = the(Aspect.PRIORITY, ruled(a_ticket(), [priority("low")], both))
    assert (within.label, within.rules) == ("low", ())


def test_a_floor_holds_where_the_model_is_not_sure(a_ticket) -> None:
    outage = book(
        priority={
            "floors": {
                "outage": {"label": "high", "when": {"keyword": "outage"}},
                "plant": {"label": "urgent", "when": {"keyword": "plant"}},
            }
        }
    )
    answers = [priority(label=None, confidence=0.3)]
    found = the(Aspect.PRIORITY, ruled(a_ticket(), answers, outage, text="outage", priority=0.9))
    assert (found.label, found.is_ordered, found.said) == ("high", True, None)
    both = ruled(a_ticket(), answers, outage, text="outage in the plant")
    assert the(Aspect.PRIORITY, both).label == "urgent"


def test_under_prioritising_costs_more(a_ticket) -> None:
    answer = priority("normal", 0.5, normal=0.5, high=0.35, urgent=0.15)
    even = the(Aspect.PRIORITY, ruled(a_ticket(), [answer], book(priority={"costs": {}})))
    assert even.label == "normal"
    dear = book(priority={"costs": {"under": 3}})
    found = the(Aspect.PRIORITY, ruled(a_ticket(), [answer], dear))
    assert (found.label, found.confidence, found.promised) == ("high", 0.35, None)
    assert "costs less than normal" in found.reason


def test_a_single_cost_of_the_matrix_counts_instead(a_ticket) -> None:
    answer = priority("normal", 0.85, normal=0.85, urgent=0.15)
    assert (
        the(
            Aspect.PRIORITY,
            ruled(
                a_ticket(),
                [answer],
                book(priority={"costs": {"matrix": {"urgent": {"normal": 100}}}}),
            ),
        ).label
        == "urgent"
    )


def test_an_answer_moved_by_costs_is_held_to_its_own_share(a_ticket) -> None:
    """The dial stays true: what is likeliest may pass the bar, what costs least may not."""
    up = {"costs": {"under": 50}, "shifts": {"up": {"by": 1, "when": {"tag": "x"}}}}
    answer = priority("normal", 0.9, normal=0.9, high=0.1)
    ticket = a_ticket(tags=frozenset({"x"}))
    found = the(Aspect.PRIORITY, ruled(ticket, [answer], book(priority=up), priority=0.8))
    assert (found.label, found.confidence) == ("high", 0.1)


@given(
    shares=some.lists(some.floats(0.01, 1), min_size=4, max_size=4),
    under=some.floats(1, 50),
)
def test_dearer_under_prioritising_never_lowers(shares, under) -> None:
    total = sum(shares)
    parts = {label: share / total for label, share in zip(PRIORITIES, shares, strict=True)}
    best = max(parts, key=lambda label: parts[label])
    answer = priority(best, parts[best], **parts)
    costs = [book(priority={"costs": {"under": each}}).priority.costs for each in (1, under)]
    even, dear = (rules._least_cost(answer, each, PRIORITIES).label for each in costs if each)
    assert PRIORITIES.index(dear) >= PRIORITIES.index(even)


def test_unsure_of_the_narrower_category_the_wider_one_is_answered(a_ticket) -> None:
    tree = book(category={"parents": {"laptop": "hardware", "printer": "hardware"}})
    answer = category("laptop", 0.5, laptop=0.5, printer=0.45, network=0.05)
    found = the(Aspect.CATEGORY, ruled(a_ticket(), [answer], tree, category=0.9))
    assert (found.label, found.said, found.rules) == ("hardware", "laptop", ("parents",))
    assert found.confidence == pytest.approx(0.95)
    sure = the(Aspect.CATEGORY, ruled(a_ticket(), [answer], tree, category=0.4))
    assert sure.label == "laptop"
    too_high = the(Aspect.CATEGORY, ruled(a_ticket(), [answer], tree, category=0.96))
    assert too_high.label == "laptop"


def test_the_nearest_wider_category_that_is_sure_enough_is_answered(a_ticket) -> None:
    tree = book(
        category={"parents": {"lid": "laptop", "laptop": "hardware", "printer": "hardware"}}
    )
    answer = category(None, 0.4, lid=0.4, laptop=0.2, printer=0.3, network=0.1)
    assert the(Aspect.CATEGORY, ruled(a_ticket(), [answer], tree)).label == "laptop"
    assert the(Aspect.CATEGORY, ruled(a_ticket(), [answer], tree, category=0.8)).label == "hardware"


def test_half_of_the_shares_is_not_enough_without_a_bar(a_ticket) -> None:
    tree = book(category={"parents": {"laptop": "hardware"}})
    answer = category(None, 0.5, laptop=0.5, network=0.5)
    assert the(Aspect.CATEGORY, ruled(a_ticket(), [answer], tree)).label is None


def test_an_ordered_category_is_given_whatever_the_model_says(a_ticket) -> None:
    phishing = book(
        category={
            "orders": {
                "phishing": {"label": "security", "when": {"keyword": "phishing"}},
                "second": {"label": "network", "when": {"keyword": "phishing"}},
            }
        }
    )
    for said in (category(), category(label=None, confidence=0.1)):
        found = the(Aspect.CATEGORY, ruled(a_ticket(), [said], phishing, text="Phishing!"))
        assert (found.label, found.is_ordered, found.rules) == ("security", True, ("phishing",))
        assert found.said == said.label
    same = the(Aspect.CATEGORY, ruled(a_ticket(), [category("security")], phishing, "phishing"))
    assert (same.is_ordered, same.rules) == (False, ())


def test_a_ticket_is_taken_up_by_an_answer_a_change_or_an_assignment(a_ticket) -> None:
    ours = {"c1": "network", "tags:priority": "triaged_priority_high"}
    stands = {"fields": {"c1": "network"}, "tags": frozenset({"triaged_priority_high"})}
    assert taken_up(a_ticket(**stands), ours) == ""
    assert "answered" in taken_up(a_ticket(**stands, answered=True), ours)
    assert "changed" in taken_up(a_ticket(**{**stands, "fields": {"c1": "printer"}}), ours)
    assert "took" in taken_up(a_ticket(**{**stands, "tags": frozenset()}), ours)
    assert "has the ticket" in taken_up(a_ticket(**stands, assignee="a1"), ours)
    assert taken_up(a_ticket(**stands, assignee="a1"), {**ours, "assignee": "a1"}) == ""


def test_rules_that_cannot_be_meant_are_told_with_their_place() -> None:
    wrong = book(
        priority={
            "order": ["low", "high", "low"],
            "floors": {"x": {"label": "hihg"}},
            "costs": {"matrix": {"high": {"lwo": 1}}},
        },
        category={"parents": {"a": "b", "b": "a", "c": "a"}},
    )
    found = dict(contradictions(wrong))
    assert set(found) == {
        ("priority", "order"),
        ("priority", "floors", "x", "label"),
        ("priority", "costs", "matrix", "high", "lwo"),
        ("category", "parents", "a"),
        ("category", "parents", "b"),
    }
    assert "low, high, low" in found["priority", "floors", "x", "label"]
