"""The HTTP server in front of a practice desk, and the table of its calls."""

import json
import re
import socket
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

from adapters.practice.exchange import Reply, Request

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes; a hundred tickets in one call stay far below."""

FORM = "application/x-www-form-urlencoded"
"""curl calls everything a form unless told otherwise, so only `.do` pages are taken at its word."""


class AnswersCalls(Protocol):
    """A desk behind the server."""

    def answer(self, request: Request) -> Reply:
        """Answer one call; never raises `Refusal`."""

    def refused(self, status: HTTPStatus, why: str) -> Reply:
        """Refuse a call that never came to be one, in the platform's words."""


class Route(NamedTuple):
    """A call: methods, path, and what answers it."""

    methods: str
    path: re.Pattern[str]
    handler: Any


def route(methods: str, path: str, handler: Any) -> Route:
    """Make a route; `{id}` stands for a number, `{key}` for a name, and both are handed over."""
    return Route(
        methods, re.compile(path.replace("{id}", r"(\d+)").replace("{key}", r"([\w-]+)")), handler
    )


def dispatch(routes: Iterable[Route], request: Request) -> Reply | None:
    """Have the first fitting route answer a call; nothing when there is none."""
    for each in routes:
        matched = each.path.fullmatch(request.path)
        if matched and request.method in each.methods.split():
            reply: Reply = each.handler(request, *matched.groups())
            return reply
    return None


class DeskServer(ThreadingHTTPServer):
    """Serves a desk on one address; connections stay open between calls."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], desk: AnswersCalls) -> None:
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
            self._write(self._refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large"))
            self.close_connection = True
            return
        self._write(self._answer(self.rfile.read(size)))

    def _answer(self, raw: bytes) -> Reply:
        parts = urlsplit(self.path)
        if parts.path.startswith("/sandbox/") and not _is_near(self.client_address[0]):
            return self._refused(HTTPStatus.FORBIDDEN, "only callers on this machine")
        try:
            body = self._body(raw)
        except ValueError:
            return self._refused(HTTPStatus.BAD_REQUEST, "the body is no JSON")
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            body=body,
            base=self.server.base,
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        return self.server.desk.answer(request)

    def _body(self, raw: bytes) -> Any:
        if self.headers.get("Content-Type", "").startswith(FORM) and self.path.endswith(".do"):
            return dict(parse_qsl(raw.decode(), keep_blank_values=True))
        return json.loads(raw) if raw else None

    def _refused(self, status: HTTPStatus, why: str) -> Reply:
        return self.server.desk.refused(status, why)

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

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _call  # noqa: N815 names of the standard library

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Keep the terminal quiet: the log belongs to whoever started the sandbox."""


def _is_near(address: str) -> bool:
    return ip_address(address).is_loopback
