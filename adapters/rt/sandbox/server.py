"""REST2's part of the practice desk: credential, and the table of calls."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.practice.server import Route, dispatch, route
from adapters.practice.window import MINUTE, Window
from adapters.rt.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.rt.sandbox.hooks import Scrip
from adapters.rt.sandbox.reading import ReadingCalls, known_user
from adapters.rt.sandbox.state import DeskState
from adapters.rt.sandbox.writing import WritingCalls


class RtApi:
    """Answers users by their tokens."""

    def __init__(self, state: DeskState, scrip: Scrip) -> None:
        self._state = state
        self._reading = ReadingCalls(state)
        self._window = Window(state.now, MINUTE)
        self._routes = _api(self._reading, WritingCalls(state, self._reading, scrip))

    def answer(self, request: Request) -> Reply:
        """Answer a call; raises `Refusal`."""
        who = known_user(self._state, request.authorization, request.basic).name
        bound = (each._replace(handler=_bound(each.handler, who)) for each in self._routes)
        reply = dispatch(bound, request)
        if reply is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        return reply

    def empty_page(self, request: Request) -> Reply:
        """Answer a list with no row and the news that there are more."""
        return self._reading.empty_page(request)

    def limits(self, granted: int) -> Mapping[str, str]:
        """Refuse calls over the limit: RT has none, but what stands before it may have one."""
        self._window.hold(granted)
        return {}

    def refusal(self, status: HTTPStatus, why: str) -> Refusal:
        """Refuse a call that makes no sense."""
        return refusal(status, why)


def _bound(handler: Any, who: str) -> Any:
    return lambda request, *found: handler(request, who, *found)


def _api(reading: ReadingCalls, writing: WritingCalls) -> tuple[Route, ...]:
    v2, name = r"/REST/2\.0", r"([^/]+)"
    return (
        route("GET", rf"{v2}/rt", reading.version),
        route("GET", rf"{v2}/user/{name}", reading.user),
        route("GET", rf"{v2}/queues/all", reading.queues),
        route("GET", rf"{v2}/queue/{name}", reading.queue),
        route("GET", rf"{v2}/customfield/{{id}}", reading.custom_field),
        route("GET", rf"{v2}/group/{{id}}/members", reading.members),
        route("GET", rf"{v2}/tickets", reading.tickets),
        route("GET", rf"{v2}/transactions", reading.transactions),
        route("POST", rf"{v2}/attachments", reading.attachments),
        route("GET", rf"{v2}/ticket/{{id}}", reading.ticket),
        route("GET", rf"{v2}/ticket/{{id}}/history", reading.history),
        route("POST", rf"{v2}/ticket", writing.create),
        route("PUT", rf"{v2}/ticket/{{id}}", writing.update),
        route("DELETE", rf"{v2}/ticket/{{id}}", writing.delete),
        route("POST", rf"{v2}/ticket/{{id}}/(correspond|comment)", writing.say),
    )
