"""A local desk of no platform in particular, which speaks two dialects of REST with their traps."""

from collections.abc import Callable
from datetime import datetime

from adapters.practice.control import SharedCalls, control_routes
from adapters.practice.desk import LOOPBACK, Desk, PracticeDesk, serve_until_stopped
from adapters.practice.exchange import Fault
from adapters.practice.stock import new_secret, utc_now
from adapters.rest.config import RestDesk
from adapters.rest.sandbox.control import SETTINGS, ControlCalls
from adapters.rest.sandbox.dialects import MODERN, PLAIN, desk_options
from adapters.rest.sandbox.hooks import Webhooks
from adapters.rest.sandbox.server import RestApi
from adapters.rest.sandbox.state import DeskState

__all__ = ["MODERN", "PLAIN", "Fault", "RestSandbox", "serve"]


class RestSandbox(PracticeDesk):
    """A desk in memory; `now` is its clock, `dialect` that of its webhooks.

    Both dialects are served at the same time. `state` and `hooks` are there for tests that need
    more than the control calls give.
    """

    def __init__(
        self,
        host: str = LOOPBACK,
        port: int = 0,
        now: Callable[[], datetime] = utc_now,
        dialect: str = MODERN,
    ) -> None:
        self.key, self.webhook_secret = new_secret(), new_secret()
        self.state = DeskState(now)
        self.hooks = Webhooks(now, self.webhook_secret)
        self.hooks.dialect = self.dialect = dialect
        own = ControlCalls(self.state, self.hooks, self.key, self.webhook_secret)
        shared = SharedCalls(own, self.state, SETTINGS, self.hooks.invocations, self.webhook_secret)
        api = RestApi(self.state, self.key)
        desk = Desk(self.state.lock, api, control_routes(own, shared), shared)
        super().__init__((host, port), desk, self.hooks.close)

    def options(self) -> RestDesk:
        """Give the options of an adapter that reaches this desk."""
        return RestDesk.model_validate(desk_options(self.url, self.dialect))


def serve(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a sandbox on (host, port) until interrupted; call `ready` with the port."""
    serve_until_stopped(RestSandbox(host, port), ready)
