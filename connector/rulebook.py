"""A tenant's guard rails as they are written in YAML: what holds whatever the model says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from connector.model import Aspect
from connector.section import Section, Texts

PRIORITIES = ("low", "normal", "high", "urgent")
"""The labels of the model that comes with triaged, the lowest first."""


class When(Section):
    """Which tickets a rule is for: every key that is given must fit, and of a list any one.

    Upper and lower case are the same. `*` stands for anything, but in keywords.
    """

    requester: Texts = ()
    """Who filed it, as the desk names them: a number on Zendesk, a `sys_id` on ServiceNow, an
    address on Request Tracker."""
    organisation: Texts = ()
    """The requester's organisation, by the id that the desk has for it, where it has any."""
    tag: Texts = ()
    """A tag on the ticket."""
    group: Texts = ()
    """The group that has the ticket, by name or id."""
    keyword: Texts = ()
    """Whole words, or several in a row, in the subject or the requester's messages."""
    sentiment: Texts = ()
    """What the model reads the requester's mood as."""
    sure: float = Field(default=0.8, ge=0, le=1)
    """How sure the model has to be of that mood: below 0.8 one answer in five would be wrong."""


def _narrows(when: When) -> When:
    if not any(getattr(when, name) for name in When.model_fields if name != "sure"):
        raise PydanticCustomError(
            "when",
            "name at least one of requester, organisation, tag, group, keyword and sentiment",
        )
    return when


Condition = Annotated[When, AfterValidator(_narrows)]


class NeverAuto(Section):
    """Tickets that a person decides on: what would be written is suggested instead.

    On a desk without tags it is recorded only.
    """

    when: Condition
    """Which tickets."""
    aspects: tuple[Aspect, ...] = tuple(Aspect)
    """For which questions; all of them unless it says."""


class Order(Section):
    """A category that certain tickets get, whatever the model says."""

    label: str = Field(min_length=1)
    """The category's label."""
    when: Condition
    """Which tickets."""


class Shift(Section):
    """A priority that is raised or lowered by some steps."""

    by: int = Field(ge=-3, le=3)
    """Steps: 1 is one higher, -1 is one lower."""
    when: Condition
    """Which tickets."""


class Bound(Section):
    """A priority that certain tickets have at least, or at most."""

    label: str = Field(min_length=1)
    """The priority's label."""
    when: Condition | None = None
    """Which tickets; all of them unless it says."""


class Costs(Section):
    """What a wrong priority costs; the answer with the least expected cost is given.

    With equal costs that is the middle of what the model holds for possible.
    """

    under: float = Field(default=1.0, gt=0)
    """The cost of each step by which a ticket is ranked too low."""
    over: float = Field(default=1.0, gt=0)
    """The cost of each step by which it is ranked too high. A ticket that waits too long usually
    costs more than one that is looked at too early."""
    matrix: dict[str, dict[str, Annotated[float, Field(ge=0)]]] = Field(default_factory=dict)
    """Single costs that are otherwise: `right: {given: cost}`."""


class PriorityRules(Section):
    """Rules for the priority."""

    order: tuple[str, ...] = PRIORITIES
    """All priorities, the lowest first."""
    costs: Costs | None = None
    """Weigh mistakes, instead of giving the likeliest answer."""
    shifts: dict[str, Shift] = Field(default_factory=dict)
    """Raise or lower what the model says, by name of the rule; one after the other."""
    ceilings: dict[str, Bound] = Field(default_factory=dict)
    """The most that is given, by name of the rule."""
    floors: dict[str, Bound] = Field(default_factory=dict)
    """The least that is given, by name of the rule; also where the model abstains, and over a
    ceiling."""


class CategoryRules(Section):
    """Rules for the category."""

    parents: dict[str, str] = Field(default_factory=dict)
    """Under which wider category a narrower one lies: `laptop: hardware`. A model that is unsure of
    the narrower one, and sure of what lies above, answers the wider one."""
    orders: dict[str, Order] = Field(default_factory=dict)
    """Categories that are given whatever the model says, by name of the rule; the first that fits
    counts."""


class Rulebook(Section):
    """Guard rails: what holds whatever the model says."""

    never_auto: dict[str, NeverAuto] = Field(default_factory=dict)
    """Tickets that are never written to without a person, by name of the rule."""
    priority: PriorityRules = PriorityRules()
    category: CategoryRules = CategoryRules()
    retriage: Literal["until_touched", "always"] = "until_touched"
    """Whether a requester's new message may change what stands there: until a person has taken the
    ticket up, or always. The sentiment follows every message."""

    @property
    def always_retriages(self) -> bool:
        """Whether new messages change answers also after a person took the ticket up."""
        return self.retriage == "always"


NO_RULES = Rulebook()


def contradictions(book: Rulebook) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what cannot be meant, and the path in `rules` where it stands."""
    order = book.priority.order
    if len(set(order)) < len(order):
        yield ("priority", "order"), "a priority stands twice"
    for path, label in _named(book.priority):
        if label not in order:
            told = f"{label!r} is no priority of `order`: {', '.join(order)}"
            yield ("priority", *path), told
    for label in book.category.parents:
        if label in above(label, book.category.parents):
            yield ("category", "parents", label), "lies in itself; a widest category has no parent"


def above(label: str | None, parents: Mapping[str, str]) -> Sequence[str]:
    """Give the categories that one lies in, the nearest first."""
    found: list[str] = []
    while label is not None and (wider := parents.get(label)) and wider not in found:
        label = wider
        found.append(wider)
    return found


def _named(rules: PriorityRules) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every priority that a rule names, and where."""
    for kind, bounds in (("ceilings", rules.ceilings), ("floors", rules.floors)):
        for name, bound in bounds.items():
            yield (kind, name, "label"), bound.label
    for right, given in rules.costs.matrix.items() if rules.costs else ():
        yield ("costs", "matrix", right), right
        for label in given:
            yield ("costs", "matrix", right, label), label
