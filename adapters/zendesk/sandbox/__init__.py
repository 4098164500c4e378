"""A local desk that speaks the part of Zendesk's API that the adapter uses, with its quirks."""

import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from adapters.zendesk.config import ZendeskDesk
from adapters.zendesk.sandbox.control import TOKEN_NAME
from adapters.zendesk.sandbox.exchange import Fault
from adapters.zendesk.sandbox.hooks import Webhooks
from adapters.zendesk.sandbox.server import Desk, DeskServer
from adapters.zendesk.sandbox.state import ACCOUNT, DeskState
from connector.model import Secret

__all__ = ["Fault", "ZendeskSandbox", "serve"]

_EXPORT_CALLS = 6000


def _now() -> datetime:
    return datetime.now(UTC)


class ZendeskSandbox:
    """A desk in memory behind a real HTTP server on `host`; a context manager.

    `port` 0 takes a free one. `now` is the desk's clock. `state`, `desk.reading`, `desk.control`
    and `hooks` are there for tests that need more than the control calls give.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, now: Callable[[], datetime] = _now
    ) -> None:
        self.token = Secret(secrets.token_urlsafe(30))
        self.webhook_secret = Secret(secrets.token_urlsafe(30))
        self.state = DeskState(now)
        self.hooks = Webhooks(now)
        self.desk = Desk(self.state, self.hooks, self.token, self.webhook_secret)
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
        self.hooks.close()

    @property
    def url(self) -> str:
        """The desk's address, as a tenant file writes it."""
        return self._server.base

    @property
    def port(self) -> int:
        """The port on which the desk listens."""
        return int(self._server.server_address[1])

    def options(self) -> ZendeskDesk:
        """Give the options of an adapter that reaches this desk."""
        return ZendeskDesk(
            platform="zendesk",
            url=self.url,
            account=ACCOUNT,
            token=f"secret:{TOKEN_NAME}",
            export_calls_per_minute=_EXPORT_CALLS,
        )

    def break_next(self, *faults: Fault) -> None:
        """Let these go wrong with the next calls that they match."""
        with self.state.lock:
            self.desk.control.mishaps.faults.extend(faults)

    def wait(self) -> None:
        """Serve until the thread ends, as an interrupt makes it."""
        self._thread.join()


def serve(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a sandbox on (host, port) until interrupted; call `ready` with the port."""
    with ZendeskSandbox(host, port) as sandbox:
        ready(sandbox.port)
        sandbox.wait()
