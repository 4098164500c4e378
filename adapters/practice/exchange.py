"""What the handlers of a practice desk take and give: request, reply, refusal, fault."""

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
