"""The options that say what a tenant may map: fields with what they offer, tags, and who works."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from adapters.rest.forms import Part, PlainPath, Pointer, Query, Template


class Listed(Part):
    """A list that the desk gives."""

    path: PlainPath
    """Where it is asked for."""
    items: Pointer = ""
    """Where the answer has the list."""
    query: Query = Field(default_factory=dict)
    """Parameters of every call, such as those that ask for an order."""


class ChoicesOptions(Listed):
    """A list of the values that a field takes."""

    value: Pointer
    """Where a row has the value, as a ticket shows it."""


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool) and value is not None:
        raise PydanticCustomError("scalar", "write a text, a number, true, false or null")
    return value


Scalar = Annotated[str | int | float | bool | None, BeforeValidator(_scalar)]


class FieldOptions(Part):
    """One field: where a ticket has it, what it takes, how it is written."""

    at: Pointer
    """Where a ticket has the value; with `where`, the list of which one row is this field."""
    where: dict[str, str] = Field(default_factory=dict)
    """For desks that keep their own fields as a list of rows: what the row has, such as
    `{id: "360001"}`."""
    value: Pointer = ""
    """Where that row has the value."""
    kind: Literal["text", "choice", "choices", "agent"] = "text"
    """`text` takes anything, `choice` one of its values, `choices` several, `agent` an id."""
    title: str = ""
    """What people call it; its name here unless given."""
    name: str = ""
    """What `{field}` stands for in `write.field`; its name here unless given."""
    values: dict[str, Scalar] = Field(default_factory=dict)
    """The values that it takes: how we call each, and what the desk holds for it, such as
    `{low: 1, high: 3}`. An empty name stands for nothing set, where the desk says `0` for it."""
    options: tuple[str, ...] = ()
    """The same where both are called alike."""
    choices: ChoicesOptions | None = None
    """The same where the desk lists them."""
    write: Template | None = None
    """The piece of the body that sets it, where `write.field` does not."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("values", "options", "choices") if getattr(self, name)]
        chosen = self.kind in {"choice", "choices"}
        if chosen != bool(given) or len(given) > 1:
            raise PydanticCustomError(
                "choices",
                "a choice needs one of `values`, `options` and `choices`; other kinds take none",
            )
        return self


class TagsOptions(Part):
    """Tags, in which `suggest` shows answers."""

    at: Pointer
    """Where a ticket has them: a list of texts, or one text."""
    separator: str = Field(default="", max_length=3)
    """What stands between tags where they are one text, such as a comma."""
    write: Template | None = None
    """The piece of the body that sets them, `{value}` being all of them; without it they go where
    `at` finds them."""


class GroupsOptions(Listed):
    """Assignment groups."""

    id: Pointer
    """Where a row has the group's id, as tickets name it."""
    name: Pointer
    """Where it has the group's name."""
    members: Pointer | None = None
    """Where a group has the ids of its agents, where the agents do not have their groups'."""


class AgentsOptions(Listed):
    """People who work tickets."""

    id: Pointer
    """Where a row has the agent's id, as tickets name it."""
    name: Pointer
    """Where it has the agent's name."""
    email: Pointer | None = None
    """Where it has the agent's address."""
    groups: Pointer | None = None
    """Where an agent has the id of a group, or a list of them."""


class StaffOptions(Part):
    """Who can be suggested as an assignee."""

    groups: GroupsOptions
    agents: AgentsOptions
