"""Somebody who works on a Zendesk sandbox over HTTP, and a receiver of its webhooks."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import requests

from adapters.zendesk.sandbox import ZendeskSandbox

AUTH_USER = "triage@sandbox.example/token"
CURSOR = "/api/v2/incremental/tickets/cursor.json"


class Person:
    """Speaks to a sandbox over HTTP, as the demonstration does."""

    def __init__(self, sandbox: ZendeskSandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.auth = (AUTH_USER, sandbox.token.reveal())

    def close(self) -> None:
        self.http.close()

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        return self.http.request(method, self.sandbox.url + path, json=body, timeout=10)

    def get(self, path: str) -> Any:
        return self.ask("GET", path).json()

    def post(self, path: str, body: object) -> Any:
        return self.ask("POST", path, body).json()


class Receiver:
    """A webhook receiver that answers as told and keeps what it got."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.enough = threading.Event()
        answering, got, enough = list(answers), self.got, self.enough

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append((body, {key.lower(): value for key, value in self.headers.items()}))
                status, headers = answering.pop(0) if answering else (202, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if not answering:
                    enough.set()

            def log_message(self, *_args: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks/sandbox"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def settled(person: Person, status: int) -> list[dict[str, Any]]:
    """Wait until the last delivery came to this status; it is noted just after the answer."""
    pause = threading.Event()
    for _ in range(500):
        rows: list[dict[str, Any]] = person.get("/sandbox/webhook/deliveries")
        if rows and rows[-1]["status"] == status:
            break
        pause.wait(0.01)
    return rows
