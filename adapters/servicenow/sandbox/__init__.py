"""A local desk that speaks the part of the Table API that the adapter uses, with its quirks."""

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from adapters.practice.server import DeskServer
from adapters.servicenow.config import ServiceNowDesk
from adapters.servicenow.sandbox.control import PASSWORD_NAME, TAGS_FIELD
from adapters.servicenow.sandbox.door import Door
from adapters.servicenow.sandbox.exchange import Fault
from adapters.servicenow.sandbox.hooks import BusinessRule
from adapters.servicenow.sandbox.server import Desk
from adapters.servicenow.sandbox.state import ACCOUNT, DeskState
from connector.model import Secret

__all__ = ["Fault", "ServiceNowSandbox", "serve"]


def _now() -> datetime:
    return datetime.now(UTC)


class ServiceNowSandbox:
    """An instance in memory behind a real HTTP server on `host`; a context manager.

    `port` 0 takes a free one. `now` is the instance's clock. `state`, `desk`, `door` and `rule` are
    there for tests that need more than the control calls give.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, now: Callable[[], datetime] = _now
    ) -> None:
        self.webhook_secret = Secret(secrets.token_urlsafe(30))
        self.state = DeskState(now)
        self.door = Door(self.state)
        self.rule = BusinessRule(now, self.webhook_secret)
        self.desk = Desk(self.state, self.rule, self.door, self.webhook_secret)
        self._server = DeskServer((host, port), self.desk)
        self._thread = threading.Thread(target=self._serve, name="sandbox-desk", daemon=True)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.rule.close()

    @property
    def url(self) -> str:
        """The desk's address, as a tenant file writes it."""
        return self._server.base

    @property
    def port(self) -> int:
        """The port on which the desk listens."""
        return int(self._server.server_address[1])

    def options(self, **changes: Any) -> ServiceNowDesk:
        """Give the options of an adapter that reaches this desk; `changes` are keys that differ."""
        usual: dict[str, Any] = {
            "platform": "servicenow",
            "url": self.url,
            "account": ACCOUNT,
            "password": f"secret:{PASSWORD_NAME}",
            "tags_field": TAGS_FIELD,
        }
        return ServiceNowDesk(**{**usual, **changes})

    def break_next(self, *faults: Fault) -> None:
        """Let these go wrong with the next calls that they match."""
        with self.state.lock:
            self.desk.control.mishaps.faults.extend(faults)

    def wait(self) -> None:
        """Serve until the thread ends, as an interrupt makes it."""
        self._thread.join()


def serve(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a sandbox on (host, port) until interrupted; call `ready` with the port."""
    with ServiceNowSandbox(host, port) as sandbox:
        ready(sandbox.port)
        sandbox.wait()
