"""The sandbox's dispatcher: credential, rate limit, faults, and the table of calls."""

import time
from http import HTTPStatus

from adapters.practice.server import dispatch, route
from adapters.servicenow.sandbox.control import ControlCalls
from adapters.servicenow.sandbox.door import Door
from adapters.servicenow.sandbox.exchange import Fault, Refusal, Reply, Request, refusal
from adapters.servicenow.sandbox.hooks import BusinessRule
from adapters.servicenow.sandbox.state import DeskState
from adapters.servicenow.sandbox.tables import TableCalls
from connector.model import Secret

_TABLE = r"/api/now/(v1/|v2/|)table/([a-z0-9_]+)"
_ROW = rf"{_TABLE}/([0-9a-z]+)"


class Desk:
    """The instance behind the server: dispatches a request to what answers it."""

    def __init__(self, state: DeskState, rule: BusinessRule, door: Door, secret: Secret) -> None:
        self.state = state
        self.door = door
        self.control = ControlCalls(state, rule, door, secret)
        self.tables = TableCalls(state)
        control, tables = self.control, self.tables
        self._routes = (
            route("GET", _TABLE, tables.list),
            route("POST", _TABLE, tables.create),
            route("GET", _ROW, tables.read),
            route("PATCH PUT", _ROW, tables.update),
            route("DELETE", _ROW, tables.delete),
            route("GET", "/sandbox/tenant", control.tenant),
            route("POST", "/sandbox/staff", control.staff),
            route("POST", "/sandbox/tickets", control.arrive),
            route("POST", "/sandbox/tickets/{key}", control.change),
            route("GET", "/sandbox/tickets/{key}", control.show),
            route("POST", "/sandbox/webhook", control.webhook),
            route("GET", "/sandbox/webhook/deliveries", control.deliveries),
            route("POST", "/sandbox/settings", control.settings),
            route("POST", "/sandbox/faults", control.add_faults),
            route("GET", "/sandbox/calls", control.count_calls),
        )

    def answer(self, request: Request) -> Reply:
        """Answer one call; never raises `Refusal`."""
        try:
            if request.path.startswith("/sandbox/"):
                with self.state.lock:
                    return self._handle(request)
            return self._answer_api(request)
        except Refusal as refused:
            return refused.reply
        except (KeyError, TypeError, ValueError) as error:
            return self.refused(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    def refused(self, status: HTTPStatus, why: str) -> Reply:
        """Refuse a call that could not be read."""
        return refusal(status, status.phrase, why).reply

    def _answer_api(self, request: Request) -> Reply:
        mishaps, call = self.control.mishaps, f"{request.method} {request.path}"
        if mishaps.latency:
            time.sleep(mishaps.latency)
        with self.state.lock:
            mishaps.count(call)
            limits = self.door.limits(mishaps.rate_limit)
            reply = self._with_fault(request, mishaps.meet(call))
        return Reply(
            status=reply.status,
            body=reply.body,
            headers={**limits, **reply.headers},
            dropped=reply.dropped,
        )

    def _with_fault(self, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and fault.before is not None:
            fault.before()
        elif fault is not None and fault.empty_page:
            return self.tables.empty_page(request)
        elif fault is not None:
            return fault.reply()
        if request.path == "/oauth_token.do":
            return self.door.token(request)
        self.tables.user = self.door.user(request)
        return self._handle(request)

    def _handle(self, request: Request) -> Reply:
        reply = dispatch(self._routes, request)
        if reply is None:
            raise refusal(
                HTTPStatus.BAD_REQUEST,
                "Requested URI does not represent any resource",
                request.path,
            )
        return reply
