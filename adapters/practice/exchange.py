"""What the handlers of a practice desk take and give: request, reply, refusal, fault."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Handler = Callable[["Request"], "Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call: path without query, the query's last values, and the body read as JSON or a form.

    Header names are lower-case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    base: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def authorization(self) -> str:
        """Give the credential's header."""
        return self.headers.get("authorization", "")

    @property
    def basic(self) -> str:
        """Give what a Basic credential says, `name:password`; nothing where there is none."""
        kind, _, given = self.authorization.partition(" ")
        try:
            return base64.b64decode(given, validate=True).decode() if kind == "Basic" else ""
        except (binascii.Error, ValueError):
            return ""

    @property
    def told(self) -> Mapping[str, Any]:
        """Give the body's JSON object; raises `ValueError` when it is none."""
        if not isinstance(self.body, dict):
            raise ValueError("the body is no JSON object")  # noqa: TRY004 what readers raise
        return self.body

    def number(self, name: str, default: int) -> int:
        """Read a number from the query; raises `ValueError`."""
        told = self.query.get(name, str(default))
        if not told.isdecimal():
            raise ValueError(f"{name} is no number")
        return int(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: JSON, or text when `body` is one; `dropped` means the line goes dead instead."""

    status: int = HTTPStatus.OK
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False

    def encoded(self) -> tuple[bytes, str]:
        """Give the body's bytes and their media type."""
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        if self.body is None:
            return b"", "application/json; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json; charset=utf-8"


class Refusal(Exception):
    """A call that the desk answers with an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Senseless(Exception):
    """A control call that asks for what does not exist; its text says what."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with the next `times` calls whose "METHOD /path" begins so.

    `before` runs first and lets the call go on, to have somebody come between two calls.
    """

    match: str
    times: int = 1
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = ""
    drop: bool = False
    empty_page: bool = False
    before: Callable[[], object] | None = None

    def reply(self) -> Reply:
        """Give the answer that stands in for the desk's own."""
        return Reply(status=self.status, body=self.body, headers=self.headers, dropped=self.drop)
