from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from adapters.memory import FIELDS, MemoryAdapter
from connector.desk import Desk, connect
from connector.errors import ConfigError
from connector.model import TAGS, Agent, Aspect, FieldInfo, FieldKind, Mode, Staff
from connector.ports import NO_NAMES, Labels, Names, StandsFor
from connector.settings import TenantSettings, WhySettings

CATEGORY = {"field": "category", "mode": "auto"}


class TwoLabelEngine:
    """An engine whose bundle knows two categories; it notes what it is asked for."""

    bundle = "words@1"

    def __init__(self) -> None:
        self.asked: list[Labels] = []
        self.named: Names = NO_NAMES

    def labels(self, aspect: Aspect) -> Sequence[str]:
        return ("network", "hardware") if aspect is Aspect.CATEGORY else ()

    def classifier(self, labels: Labels, names: Names = NO_NAMES) -> object:
        self.asked.append(labels)
        self.named = names
        return self


@pytest.fixture
def engine() -> TwoLabelEngine:
    return TwoLabelEngine()


def settings(**aspects: Mapping[str, Any]) -> TenantSettings:
    return TenantSettings(tenant="acme", desk=None, aspects=aspects)


def connected(adapter: MemoryAdapter, engine: TwoLabelEngine, **aspects: Mapping[str, Any]) -> Desk:
    return connect(settings(**aspects), adapter, engine)


def problems(
    adapter: MemoryAdapter, engine: TwoLabelEngine, **aspects: Mapping[str, Any]
) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        connected(adapter, engine, **aspects)
    return tuple(caught.value.problems)


def test_a_desk_is_connected_with_its_fields_staff_and_own_labels(adapter, engine) -> None:
    adapter.employ(Staff(agents=(Agent(id="a1", name="Ana Ruiz"),)))
    own = {"lan": ("wires",), "laptop": ("notebook",)}
    desk = connected(
        adapter,
        engine,
        category={**CATEGORY, "labels": own, "values": {"lan": "network", "laptop": "hardware"}},
        priority={"field": "priority", "mode": "suggest", "treat_as_empty": ["normal"]},
        sentiment={"field": "no such field", "mode": "off"},
    )
    assert (desk.tenant, desk.bundle, desk.identity.name) == ("acme", "words@1", "Triage")
    assert [agent.name for agent in desk.staff.agents] == ["Ana Ruiz"]
    assert engine.asked == [{Aspect.CATEGORY: own}]
    category, priority = desk.rules
    assert (category.field.id, category.mode) == ("category", Mode.AUTO)
    assert category.values["lan"] == "network"
    assert (priority.field.id, priority.treat_as_empty) == ("priority", {"normal"})


def test_own_names_stand_for_labels_of_the_bundle(adapter, engine) -> None:
    own = {"network": {"stands_for": ["network", "hardware"]}}
    connected(adapter, engine, category={**CATEGORY, "labels": own})
    assert engine.asked == [{}]
    named = engine.named[Aspect.CATEGORY]
    assert named == {"network": StandsFor(labels=("network", "hardware"))}
    missing = {"lan": {"stands_for": "netwrk"}}
    found = problems(adapter, engine, category={**CATEGORY, "labels": missing})
    assert found[0] == (
        "acme: aspects.category.labels.lan.stands_for: words@1 has no label 'netwrk', did you mean"
        " 'network'?; it answers network, hardware"
    )
    assert "lacks the options lan" in found[1]


def test_tags_can_be_mapped_on_a_desk_that_lists_them(adapter, engine) -> None:
    [rule] = connected(adapter, engine, category={"field": TAGS, "mode": "auto"}).rules
    assert (rule.field.id, rule.by_tag) == (TAGS, True)


@pytest.mark.parametrize(
    ("chosen", "place"),
    [
        ({"field": TAGS, "mode": "auto"}, "field"),
        ({"field": TAGS, "mode": "shadow"}, "field"),
        ({"field": "category", "mode": "suggest"}, "mode"),
    ],
)
def test_a_desk_that_lists_no_tags_shows_no_suggestions(clock, engine, chosen, place) -> None:
    bare = MemoryAdapter(clock, fields=[field for field in FIELDS if field.id != TAGS])
    [problem] = problems(bare, engine, category=chosen)
    assert problem == (
        f"acme: aspects.category.{place}: this desk keeps no tags, in which `suggest` shows"
        " answers; give it a field for them where its platform takes one, or write `shadow` or"
        " `auto`"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("catgory", "'category' (Category)"),
        ("Category", "'category' (Category)"),
        ("suggested asignee", "'suggested' (Suggested assignee)"),
    ],
)
def test_a_field_that_is_missing_is_named_with_the_closest_one(
    adapter, engine, name, meant
) -> None:
    [problem] = problems(adapter, engine, category={"field": name})
    assert problem == (
        f"acme: aspects.category.field: the desk has no field {name!r}, did you mean {meant}?;"
        " create it there, or map another one"
    )


def test_a_field_whose_id_says_nothing_is_found_by_its_title(clock, engine) -> None:
    kind = FieldInfo(id="360001", title="Ticket Kind", kind=FieldKind.TEXT)
    adapter = MemoryAdapter(clock, fields=(kind,))
    [problem] = problems(adapter, engine, category={"field": "ticket_kind"})
    assert "did you mean '360001' (Ticket Kind)?" in problem


def test_no_field_is_proposed_that_is_not_close(adapter, engine) -> None:
    [problem] = problems(adapter, engine, category={"field": "xyzzy"})
    assert problem == (
        "acme: aspects.category.field: the desk has no field 'xyzzy';"
        " create it there, or map another one"
    )


def test_options_that_are_missing_are_listed_with_those_that_are_there(clock, engine) -> None:
    offers = FieldInfo(id="kind", title="Kind", kind=FieldKind.CHOICE, options=("lan", "other"))
    adapter = MemoryAdapter(clock, fields=(offers,))
    mapped = {"field": "kind", "mode": "auto"}
    named = "acme: aspects.category.values: the desk's field 'kind' (Kind) lacks the options "
    mend = "; add them on the desk or rename them under `values` (it has lan, other)"
    assert problems(adapter, engine, category=mapped) == (f"{named}network, hardware{mend}",)
    mapped["values"] = {"network": "lan"}
    assert problems(adapter, engine, category=mapped) == (f"{named}hardware{mend}",)
    mapped["values"] = {"network": "lan", "hardware": "other"}
    assert connected(adapter, engine, category=mapped).rules


def test_a_tenants_own_labels_need_options_and_not_the_bundles(adapter, engine) -> None:
    own = {**CATEGORY, "labels": {"plumbing": "water"}}
    [problem] = problems(adapter, engine, category=own)
    assert "lacks the options plumbing;" in problem


@pytest.mark.parametrize("mode", ["shadow", "suggest"])
def test_what_is_not_written_into_its_field_needs_no_options(adapter, engine, mode) -> None:
    for field in ("sentiment", "products"):
        assert connected(adapter, engine, category={"field": field, "mode": mode}).rules


def test_a_text_field_takes_every_label(adapter, engine) -> None:
    assert connected(adapter, engine, category={"field": "group", "mode": "auto"}).rules


@pytest.mark.parametrize("aspect", [Aspect.CATEGORY, Aspect.ASSIGNEE])
@pytest.mark.parametrize(
    "kind", [FieldKind.CHOICES, FieldKind.NUMBER, FieldKind.FLAG, FieldKind.OTHER]
)
def test_a_kind_of_field_that_cannot_be_written_is_refused(clock, engine, kind, aspect) -> None:
    adapter = MemoryAdapter(clock, fields=(FieldInfo(id="f1", title="Field", kind=kind),))
    [problem] = problems(adapter, engine, **{aspect: {"field": "f1", "mode": "auto"}})
    assert problem == (
        f"acme: aspects.{aspect}.field: the desk's field 'f1' (Field) takes {kind};"
        " map a text or drop-down field"
    )


def test_an_assignee_is_not_written_into_a_drop_down(adapter, engine) -> None:
    [problem] = problems(adapter, engine, assignee={"field": "sentiment", "mode": "auto"})
    assert problem == (
        "acme: aspects.assignee.field: the desk's field 'sentiment' (Sentiment) has fixed options;"
        " map a text field or the assignee"
    )


@pytest.mark.parametrize("field", ["suggested", "assignee"])
def test_an_assignee_is_written_into_a_text_or_the_assignee(adapter, engine, field) -> None:
    [rule] = connected(adapter, engine, assignee={"field": field, "mode": "auto"}).rules
    assert rule.field in FIELDS
    assert rule.field.id == field


def test_all_that_is_wrong_is_told_at_once(adapter, engine) -> None:
    told = problems(
        adapter,
        engine,
        category={"field": "sentiment", "mode": "auto"},
        priority={"field": "priorty", "mode": "suggest"},
        sentiment={"field": "products", "mode": "auto"},
        assignee={"field": "category", "mode": "auto"},
    )
    assert [problem.split(": ")[1] for problem in told] == [
        "aspects.category.values",
        "aspects.priority.field",
        "aspects.sentiment.field",
        "aspects.assignee.field",
    ]
    assert engine.asked == []


class Mute:
    """A desk whose adapter has no power to leave notes."""

    def __init__(self, inner: MemoryAdapter) -> None:
        self.check = inner.check
        self.describe_fields = inner.describe_fields


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ({"field": "sugested"}, "why.field: the desk has no field 'sugested'"),
        ({"field": "priority"}, "why.field: the desk's field 'priority' (Priority) takes choice"),
        ({"field": "suggested"}, "why.field: aspects.sentiment goes into this field"),
        ({"note": True}, "why.note: this platform's adapter leaves no notes"),
    ],
)
def test_what_cannot_be_explained_is_told_at_the_start(
    adapter, engine, why: Mapping[str, Any], said: str
) -> None:
    told = settings(category=CATEGORY, sentiment={"field": "suggested", "mode": "shadow"})
    told = told.model_copy(update={"why": WhySettings(**why)})
    with pytest.raises(ConfigError) as caught:
        connect(told, Mute(adapter) if why.get("note") else adapter, engine)
    assert said in "\n".join(caught.value.problems)


def test_a_desk_that_explains_is_connected(adapter, engine) -> None:
    told = settings(category=CATEGORY)
    told = told.model_copy(update={"why": WhySettings(note=True, field="suggested")})
    assert connect(told, adapter, engine).why == WhySettings(note=True, field="suggested")
