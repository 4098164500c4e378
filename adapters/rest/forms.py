"""The forms that options take: addresses, paths, pointers, headers, templates."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from adapters.address import based_url
from adapters.rest.pointer import is_pointer
from adapters.rest.template import names_in

PLACEHOLDERS = frozenset({"id", "revision", "field", "value"})

_PATH = re.compile(r"(/[\w.~:{}-]+)+/?", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_KEYLIKE = re.compile(r"(api[_-]?key|(access[_-]?)?token|secret|passw(or)?d|auth)", re.IGNORECASE)


class Part(BaseModel):
    """A part of the section: frozen, and refusing keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _plain_path(value: str) -> str:
    if not _PATH.fullmatch(value) or "{" in value or ".." in value:
        raise PydanticCustomError(
            "path",
            "write a path that begins with a slash, such as /tickets; parameters go into `query`",
        )
    return value


def _path_with_id(value: str) -> str:
    if not _PATH.fullmatch(value) or ".." in value or names_in(value) != ["id"]:
        raise PydanticCustomError(
            "path", "write a path that begins with a slash and has {example} once", _ID_EXAMPLE
        )
    return value


def _web_url(value: str) -> str:
    if not re.match(r"https?://", value) or names_in(value) != ["id"]:
        raise PydanticCustomError(
            "web", "write an address that has {example} in place of the ticket's id", _ID_EXAMPLE
        )
    return value


_ID_EXAMPLE = {"example": "{id}"}


def _pointer(value: str) -> str:
    if not is_pointer(value):
        raise PydanticCustomError(
            "pointer",
            "write a JSON pointer: empty for the whole, or such as /ticket/custom/0/value",
        )
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise PydanticCustomError("header", "write a header's name, such as X-Signature")
    return value


def _query(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if _KEYLIKE.fullmatch(name):
            raise PydanticCustomError(
                "key_in_address",
                "{name} looks like a key, and addresses stand in logs: send it by `auth`",
                {"name": name},
            )
    return value


def _template(value: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(names_in(value)) - PLACEHOLDERS)
    if unknown:
        raise PydanticCustomError(
            "template",
            "{name} is no placeholder; known: id, revision, field, value",
            {"name": f"{{{unknown[0]}}}"},
        )
    return value


DeskUrl = Annotated[
    str,
    based_url(
        "the address that all of the API's paths follow, such as https://desk.acme.example/api/v2",
        re.compile(r"(/[\w.~:{}-]+)*", re.ASCII),
    ),
]
PlainPath = Annotated[str, AfterValidator(_plain_path)]
PathWithId = Annotated[str, AfterValidator(_path_with_id)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
Pointer = Annotated[str, AfterValidator(_pointer)]
HeaderName = Annotated[str, AfterValidator(_header)]
Query = Annotated[dict[Annotated[str, Field(min_length=1)], str], AfterValidator(_query)]
Template = Annotated[dict[str, Any], AfterValidator(_template)]
