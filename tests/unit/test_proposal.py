import pytest

from connector import config, registry
from connector.cli import tenantfile
from connector.cli.proposal import Proposal, candidates, likely, propose
from connector.model import Aspect, FieldInfo, FieldKind, Mode

SHIPPED = {
    Aspect.CATEGORY: ("hardware", "software", "network"),
    Aspect.PRIORITY: ("low", "normal", "high", "urgent"),
    Aspect.SENTIMENT: ("negative", "neutral", "positive"),
    Aspect.ASSIGNEE: (),
}


def choice(title: str, *options: str, name: str = "7") -> FieldInfo:
    return FieldInfo(id=name, title=title, kind=FieldKind.CHOICE, options=options)


def proposed(aspect: Aspect, field: FieldInfo) -> Proposal:
    found = propose(aspect, field, SHIPPED[aspect])
    assert isinstance(found, Proposal), found
    return found


@pytest.mark.parametrize(
    ("aspect", "title"),
    [
        (Aspect.CATEGORY, "Kategorie"),
        (Aspect.CATEGORY, "Ticket category"),
        (Aspect.CATEGORY, "Catégorie de la demande"),
        (Aspect.PRIORITY, "Priorität"),
        (Aspect.SENTIMENT, "Stimmung"),
    ],
)
def test_a_field_is_found_by_its_title_in_the_users_language(aspect, title) -> None:
    fields = [choice("Status", "new", "open"), choice(title, "a", "b"), choice("Type", "x", "y")]
    assert likely(aspect, fields) == fields[1]


def test_where_no_title_tells_a_person_is_asked() -> None:
    fields = [choice("Status", "new", "open"), choice("Area", "a", "b")]
    assert likely(Aspect.CATEGORY, fields) is None
    assert set(candidates(Aspect.CATEGORY, fields)) == set(fields)


def test_a_suggested_assignee_is_better_put_into_text() -> None:
    agent = FieldInfo(id="assignee", title="Assignee", kind=FieldKind.AGENT)
    text = FieldInfo(id="9", title="Suggested assignee", kind=FieldKind.TEXT)
    assert likely(Aspect.ASSIGNEE, [agent, text]) == text
    assert "outright" in proposed(Aspect.ASSIGNEE, agent).remark


def test_the_shipped_labels_are_used_where_the_desk_has_them_all() -> None:
    field = choice("Category", "it_hardware", "it_software", "it_network", "it_other")
    found = proposed(Aspect.CATEGORY, field)
    assert found.labels == {}
    assert found.values == {
        "hardware": "it_hardware",
        "software": "it_software",
        "network": "it_network",
    }


def test_a_desks_own_options_become_labels_in_its_own_words() -> None:
    field = choice("Category", "cat_vpn-access", "cat_Payroll run", "cat_lunch")
    found = proposed(Aspect.CATEGORY, field)
    assert found.labels == {
        "vpn_access": "vpn access",
        "payroll_run": "payroll run",
        "lunch": "lunch",
    }
    assert found.values["payroll_run"] == "cat_Payroll run"


@pytest.mark.parametrize(
    "options",
    [
        ("niedrig", "mittel", "hoch", "dringend"),
        ("p-low", "p-medium", "p-high", "p-critical"),
        ("Low", "Normal", "High", "Urgent"),
    ],
)
def test_priorities_are_told_by_their_names(options) -> None:
    assert tuple(proposed(Aspect.PRIORITY, choice("Priority", *options)).values.values()) == options


def test_numbered_priorities_are_taken_as_told_and_shown_to_a_person() -> None:
    found = proposed(Aspect.PRIORITY, choice("Priority", "3", "1", "2", "5", "4"))
    assert found.values == {"urgent": "1", "high": "2", "normal": "3", "low": "4"}
    assert "1 is taken for the most urgent" in found.remark


def test_what_lacks_an_option_is_not_proposed() -> None:
    told = propose(Aspect.SENTIMENT, choice("Mood", "happy", "angry"), SHIPPED[Aspect.SENTIMENT])
    assert told == "the field '7' (Mood) has no option that surely means neutral"


EVIL = (
    *("yes", "no", "null", "1e3", "0x1f", "a: b", "#x", '"', "'", "\\", "[x]", "- x", "é ü", "&a"),
    *("*a", "!x", "%x", "@x", "`x`", "a #b", "~", "2026-11-27", "secret:x", "\u2028", "\u202e"),
)


def test_whatever_a_desk_calls_its_options_the_file_says_the_same(tmp_path) -> None:
    field = choice("Category\nmode: auto # \u2028x", *EVIL, name="12: 3")
    found = Proposal(
        aspect=Aspect.CATEGORY,
        field=field,
        labels={option: option for option in EVIL},
        values={option: f"v {option}" for option in EVIL},
    )
    file = tmp_path / "tenant.yaml"
    desk = {"url": "https://a.example", "account": "a@b.example", "token": "secret:acme.token"}
    text = tenantfile.tenant_text(
        name="acme",
        desk=desk,
        platform="zendesk",
        proposals={Aspect.CATEGORY: found, Aspect.SENTIMENT: None},
        modes={Aspect.CATEGORY: Mode.SHADOW},
    )
    file.write_text(text, encoding="utf-8")
    tenant = config.load_tenant(file, registry.platforms())
    category = tenant.aspects.category
    assert category is not None
    assert category.field == "12: 3"
    assert {label: own.words for label, own in category.labels.items()} == {
        option: (option,) for option in EVIL
    }
    assert category.values == {option: f"v {option}" for option in EVIL}
    assert category.mode == "shadow"
    assert "sentiment: no field of the desk" in text
