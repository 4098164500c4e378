"""The sandbox's dispatcher: credential, faults, and the table of calls."""

import base64
import binascii
import time
from http import HTTPStatus
from typing import Any

from adapters.practice.server import Route, dispatch, route
from adapters.rt.sandbox.control import ControlCalls
from adapters.rt.sandbox.exchange import Fault, Refusal, Reply, Request, refusal
from adapters.rt.sandbox.hooks import Scrip
from adapters.rt.sandbox.reading import ReadingCalls, known_user
from adapters.rt.sandbox.state import DeskState
from adapters.rt.sandbox.writing import WritingCalls
from connector.model import Secret

MINUTE = 60.0


class Desk:
    """The desk behind the server: dispatches a request to what answers it."""

    def __init__(self, state: DeskState, scrip: Scrip, secret: Secret) -> None:
        self.state = state
        self.control = ControlCalls(state, scrip, secret)
        self.reading = ReadingCalls(state)
        self._window = (0, 0)
        self._routes = (*_api(self.reading, WritingCalls(state, self.reading, scrip)),)
        self._control = (*_control(self.control),)

    def answer(self, request: Request) -> Reply:
        """Answer one call; never raises `Refusal`."""
        try:
            if request.path.startswith("/sandbox/"):
                with self.state.lock:
                    return self._handle(self._control, request)
            return self._answer_api(request)
        except Refusal as refused:
            return refused.reply
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return refusal(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}").reply

    def refused(self, status: HTTPStatus, why: str) -> Reply:
        """Refuse a call that could not be read."""
        return refusal(status, why).reply

    def _answer_api(self, request: Request) -> Reply:
        mishaps, call = self.control.mishaps, f"{request.method} {request.path}"
        if mishaps.latency:
            time.sleep(mishaps.latency)
        with self.state.lock:
            mishaps.count(call)
            self._limit()
            return self._with_fault(request, mishaps.meet(call))

    def _with_fault(self, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and fault.before is not None:
            fault.before()
        elif fault is not None and fault.empty_page:
            return self.reading.empty_page(request)
        elif fault is not None:
            return fault.reply()
        who = known_user(self.state, request.authorization, _basic(request.authorization))
        return self._handle(self._routes, request, who.name)

    def _limit(self) -> None:
        """Refuse calls over the limit: RT has none, but what stands before it may have one."""
        limit, now = self.control.mishaps.rate_limit, self.state.now().timestamp()
        minute, used = self._window
        used = used if int(now // MINUTE) == minute else 0
        self._window = (int(now // MINUTE), used + 1)
        if limit and used >= limit:
            wait = str(max(int(MINUTE - now % MINUTE), 1))
            raise Refusal(Reply(status=HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": wait}))

    def _handle(self, routes: tuple[Route, ...], request: Request, *who: str) -> Reply:
        bound = (each._replace(handler=_bound(each.handler, who)) for each in routes)
        reply = dispatch(bound, request)
        if reply is None:
            raise refusal(HTTPStatus.NOT_FOUND)
        return reply


def _bound(handler: Any, who: tuple[str, ...]) -> Any:
    return lambda request, *found: handler(request, *who, *found)


def _basic(authorization: str) -> str:
    try:
        return base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


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


def _control(control: ControlCalls) -> tuple[Route, ...]:
    return (
        route("GET", "/sandbox/tenant", control.tenant),
        route("POST", "/sandbox/staff", control.staff),
        route("POST", "/sandbox/tickets", control.arrive),
        route("POST", "/sandbox/tickets/{id}", control.change),
        route("GET", "/sandbox/tickets/{id}", control.show),
        route("POST", "/sandbox/webhook", control.webhook),
        route("GET", "/sandbox/webhook/deliveries", control.deliveries),
        route("POST", "/sandbox/settings", control.settings),
        route("POST", "/sandbox/faults", control.add_faults),
        route("GET", "/sandbox/calls", control.count_calls),
    )
