"""The sandbox's dispatcher: credential, rate limit, faults, and the table of calls."""

import base64
import binascii
import hmac
import time
from http import HTTPStatus

from adapters.practice.server import DeskServer, dispatch, route
from adapters.zendesk.sandbox.control import ControlCalls
from adapters.zendesk.sandbox.exchange import Fault, Refusal, Reply, Request, refusal
from adapters.zendesk.sandbox.hooks import Webhooks
from adapters.zendesk.sandbox.reading import ReadingCalls
from adapters.zendesk.sandbox.state import ACCOUNT, DeskState
from adapters.zendesk.sandbox.writing import WritingCalls
from connector.model import Secret

SHOWN_LIMIT = 700
"""Calls per minute that the headers tell of while no limit is set: the Enterprise plan's."""

MINUTE = 60.0

__all__ = ["Desk", "DeskServer"]


class Desk:
    """The desk behind the server: dispatches a request to what answers it."""

    def __init__(self, state: DeskState, hooks: Webhooks, token: Secret, secret: Secret) -> None:
        self.state = state
        self.control = ControlCalls(state, hooks, token, secret)
        self.reading = ReadingCalls(state)
        writing = WritingCalls(state, hooks)
        self._credential = f"{ACCOUNT}/token:{token.reveal()}".encode()
        self._window = (0, 0)
        control, reading = self.control, self.reading
        v2 = r"/api/v2"
        self._routes = (
            route("GET", rf"{v2}/users/me(\.json)?", lambda r, *_: reading.me(r)),
            route("GET", rf"{v2}/ticket_fields\.json", reading.fields),
            route("GET", rf"{v2}/groups\.json", reading.groups),
            route("GET", rf"{v2}/group_memberships\.json", reading.memberships),
            route("GET", rf"{v2}/users/{{id}}/group_memberships\.json", reading.memberships_of),
            route("GET", rf"{v2}/users\.json", reading.users),
            route("GET", rf"{v2}/triggers/active\.json", reading.triggers),
            route("GET", rf"{v2}/tickets/show_many\.json", reading.show_many),
            route("GET", rf"{v2}/tickets/{{id}}\.json", reading.ticket),
            route("GET", rf"{v2}/tickets/{{id}}/comments\.json", reading.comments),
            route("GET", rf"{v2}/incremental/tickets/cursor\.json", reading.export),
            route("PUT", rf"{v2}/tickets/update_many\.json", writing.update_many),
            route("POST", rf"{v2}/tickets\.json", writing.create),
            route("PUT", rf"{v2}/tickets/{{id}}\.json", writing.update),
            route("DELETE", rf"{v2}/tickets/{{id}}\.json", writing.delete),
            route("PUT POST DELETE", rf"{v2}/tickets/{{id}}/tags\.json", writing.change_tags),
            route("GET", rf"{v2}/job_statuses/{{key}}\.json", writing.job),
            route("POST", rf"{v2}/webhooks", writing.create_webhook),
            route("GET", rf"{v2}/webhooks/{{key}}/signing_secret", writing.signing_secret),
            route("POST", rf"{v2}/webhooks/test", writing.test_webhook),
            route("GET", "/sandbox/tenant", control.tenant),
            route("POST", "/sandbox/staff", control.staff),
            route("POST", "/sandbox/tickets", control.arrive),
            route("POST", "/sandbox/tickets/{id}", control.change),
            route("GET", "/sandbox/tickets/{id}", control.show),
            route("POST", "/sandbox/webhook", control.webhook),
            route("GET", "/sandbox/webhook/deliveries", control.deliveries),
            route("POST", "/sandbox/settings", control.settings),
            route("POST", "/sandbox/options", control.options),
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
            told = f"{type(error).__name__}: {error}"
            return refusal(HTTPStatus.BAD_REQUEST, "InvalidRequest", told).reply

    def refused(self, status: HTTPStatus, why: str) -> Reply:
        """Refuse a call that could not be read."""
        return refusal(status, status.phrase, why).reply

    def _answer_api(self, request: Request) -> Reply:
        mishaps, call = self.control.mishaps, f"{request.method} {request.path}"
        if mishaps.latency:
            time.sleep(mishaps.latency)
        with self.state.lock:
            mishaps.count(call)
            limits = self._limits()
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
            return self.reading.empty_page(request)
        elif fault is not None:
            return fault.reply()
        if not self._knows(request.authorization):
            raise refusal(HTTPStatus.UNAUTHORIZED, "Couldn't authenticate you")
        return self._handle(request)

    def _knows(self, authorization: str) -> bool:
        try:
            given = base64.b64decode(authorization.removeprefix("Basic "), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._credential)

    def _limits(self) -> dict[str, str]:
        """Count the call and give the headers that tell of it; refuses it over the limit."""
        now = self.state.now().timestamp()
        minute, used = self._window
        if int(now // MINUTE) != minute:
            minute, used = int(now // MINUTE), 0
        self._window = (minute, used + 1)
        limit = self.control.mishaps.rate_limit or SHOWN_LIMIT
        left, reset = max(limit - used - 1, 0), max(int((minute + 1) * MINUTE - now), 1)
        if not self.control.mishaps.rate_limit:
            left = max(left, 1)
        elif used >= limit:
            text, wait = "Number of allowed API requests per minute exceeded", str(reset)
            raise Refusal(
                Reply(status=HTTPStatus.TOO_MANY_REQUESTS, body=text, headers={"Retry-After": wait})
            )
        return {
            "X-Rate-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(left),
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(reset),
        }

    def _handle(self, request: Request) -> Reply:
        reply = dispatch(self._routes, request)
        if reply is None:
            raise refusal(HTTPStatus.NOT_FOUND, "InvalidEndpoint", "Not found")
        return reply
