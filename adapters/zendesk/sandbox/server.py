"""The sandbox's HTTP server: credential, rate limit, faults, and the table of calls."""

import base64
import binascii
import hmac
import json
import re
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from adapters.zendesk.sandbox.control import ControlCalls
from adapters.zendesk.sandbox.exchange import Fault, Refusal, Reply, Request, refusal
from adapters.zendesk.sandbox.hooks import Webhooks
from adapters.zendesk.sandbox.reading import ReadingCalls
from adapters.zendesk.sandbox.state import ACCOUNT, DeskState
from adapters.zendesk.sandbox.writing import WritingCalls
from connector.model import Secret

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes; a hundred tickets in one call stay far below."""

SHOWN_LIMIT = 700
"""Calls per minute that the headers tell of while no limit is set: the Enterprise plan's."""

MINUTE = 60.0


class Route(NamedTuple):
    """A call: methods, path, and what answers it."""

    methods: str
    path: re.Pattern[str]
    handler: Any


def _route(methods: str, path: str, handler: Any) -> Route:
    return Route(
        methods, re.compile(path.replace("{id}", r"(\d+)").replace("{key}", r"([\w-]+)")), handler
    )


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
            _route("GET", rf"{v2}/users/me(\.json)?", lambda r, *_: reading.me(r)),
            _route("GET", rf"{v2}/ticket_fields\.json", reading.fields),
            _route("GET", rf"{v2}/groups\.json", reading.groups),
            _route("GET", rf"{v2}/group_memberships\.json", reading.memberships),
            _route("GET", rf"{v2}/users/{{id}}/group_memberships\.json", reading.memberships_of),
            _route("GET", rf"{v2}/users\.json", reading.users),
            _route("GET", rf"{v2}/triggers/active\.json", reading.triggers),
            _route("GET", rf"{v2}/tickets/show_many\.json", reading.show_many),
            _route("GET", rf"{v2}/tickets/{{id}}\.json", reading.ticket),
            _route("GET", rf"{v2}/tickets/{{id}}/comments\.json", reading.comments),
            _route("GET", rf"{v2}/incremental/tickets/cursor\.json", reading.export),
            _route("PUT", rf"{v2}/tickets/update_many\.json", writing.update_many),
            _route("POST", rf"{v2}/tickets\.json", writing.create),
            _route("PUT", rf"{v2}/tickets/{{id}}\.json", writing.update),
            _route("DELETE", rf"{v2}/tickets/{{id}}\.json", writing.delete),
            _route("PUT POST DELETE", rf"{v2}/tickets/{{id}}/tags\.json", writing.change_tags),
            _route("GET", rf"{v2}/job_statuses/{{key}}\.json", writing.job),
            _route("POST", rf"{v2}/webhooks", writing.create_webhook),
            _route("GET", rf"{v2}/webhooks/{{key}}/signing_secret", writing.signing_secret),
            _route("POST", rf"{v2}/webhooks/test", writing.test_webhook),
            _route("GET", "/sandbox/tenant", control.tenant),
            _route("POST", "/sandbox/staff", control.staff),
            _route("POST", "/sandbox/tickets", control.arrive),
            _route("POST", "/sandbox/tickets/{id}", control.change),
            _route("GET", "/sandbox/tickets/{id}", control.show),
            _route("POST", "/sandbox/webhook", control.webhook),
            _route("GET", "/sandbox/webhook/deliveries", control.deliveries),
            _route("POST", "/sandbox/settings", control.settings),
            _route("POST", "/sandbox/faults", control.add_faults),
            _route("GET", "/sandbox/calls", control.count_calls),
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

    def _answer_api(self, request: Request) -> Reply:
        if self.control.latency:
            time.sleep(self.control.latency)
        call = f"{request.method} {request.path}"
        with self.state.lock:
            self.control.calls[call] = self.control.calls.get(call, 0) + 1
            limits = self._limits()
            fault = self.control.fault(call)
            reply = self._with_fault(request, fault)
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
        limit = self.control.rate_limit or SHOWN_LIMIT
        left, reset = max(limit - used - 1, 0), max(int((minute + 1) * MINUTE - now), 1)
        if not self.control.rate_limit:
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
        for route in self._routes:
            matched = route.path.fullmatch(request.path)
            if matched and request.method in route.methods.split():
                reply: Reply = route.handler(request, *matched.groups())
                return reply
        raise refusal(HTTPStatus.NOT_FOUND, "InvalidEndpoint", "Not found")


class DeskServer(ThreadingHTTPServer):
    """Serves a desk on one address; connections stay open between calls."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
        self.desk = desk
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, DeskHandler)

    @property
    def base(self) -> str:
        """The address that clients use."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"


class DeskHandler(BaseHTTPRequestHandler):
    """Reads a call, has the desk answer it, and writes the answer in one piece."""

    server: DeskServer
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60

    def _call(self) -> None:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdecimal() else 0
        if size > BODY_LIMIT:
            self._write(refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "TooLarge").reply)
            self.close_connection = True
            return
        self._write(self._answer(self.rfile.read(size)))

    def _answer(self, raw: bytes) -> Reply:
        parts = urlsplit(self.path)
        if parts.path.startswith("/sandbox/") and not _is_near(self.client_address[0]):
            return refusal(HTTPStatus.FORBIDDEN, "Forbidden").reply
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            return refusal(HTTPStatus.BAD_REQUEST, "InvalidRequest", "the body is no JSON").reply
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            body=body,
            base=self.server.base,
            authorization=self.headers.get("Authorization", ""),
        )
        return self.server.desk.answer(request)

    def _write(self, reply: Reply) -> None:
        if reply.dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body, media = reply.encoded()
        self.send_response(reply.status)
        headers = {"Content-Type": media, "Content-Length": str(len(body)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = _call  # noqa: N815 names of the standard library

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Keep the terminal quiet: the log belongs to whoever started the sandbox."""


def _is_near(address: str) -> bool:
    return ip_address(address).is_loopback
