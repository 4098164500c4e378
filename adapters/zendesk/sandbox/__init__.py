"""A local desk that speaks the part of Zendesk's API that the adapter uses, with its quirks."""

from collections.abc import Callable
from datetime import datetime

from adapters.practice.control import SharedCalls, control_routes
from adapters.practice.desk import LOOPBACK, Desk, PracticeDesk, serve_until_stopped
from adapters.practice.server import route
from adapters.practice.stock import new_secret, utc_now
from adapters.zendesk.config import ZendeskDesk
from adapters.zendesk.sandbox.control import SETTINGS, ControlCalls, desk_options
from adapters.zendesk.sandbox.exchange import Fault
from adapters.zendesk.sandbox.hooks import Webhooks
from adapters.zendesk.sandbox.server import ZendeskApi
from adapters.zendesk.sandbox.state import DeskState

__all__ = ["Fault", "ZendeskSandbox", "serve"]


class ZendeskSandbox(PracticeDesk):
    """A desk in memory; `now` is its clock.

    `state`, `api` and `hooks` are there for tests that need more than the control calls give.
    """

    def __init__(
        self, host: str = LOOPBACK, port: int = 0, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.token, self.webhook_secret = new_secret(), new_secret()
        self.state = DeskState(now)
        self.hooks = Webhooks(now)
        self.api = ZendeskApi(self.state, self.hooks, self.token)
        own = ControlCalls(self.state, self.hooks, self.token, self.webhook_secret)
        shared = SharedCalls(own, self.state, SETTINGS, self.hooks.invocations, self.webhook_secret)
        calls = (*control_routes(own, shared), route("POST", "/sandbox/options", own.options))
        desk = Desk(self.state.lock, self.api, calls, shared)
        super().__init__((host, port), desk, self.hooks.close)

    def options(self) -> ZendeskDesk:
        """Give the options of an adapter that reaches this desk."""
        return ZendeskDesk.model_validate(desk_options(self.url))


def serve(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a sandbox on (host, port) until interrupted; call `ready` with the port."""
    serve_until_stopped(ZendeskSandbox(host, port), ready)
