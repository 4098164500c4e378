"""A local desk that speaks the part of Request Tracker's REST2 that the adapter uses."""

from collections.abc import Callable
from datetime import datetime

from adapters.practice.control import SharedCalls, control_routes
from adapters.practice.desk import LOOPBACK, Desk, PracticeDesk, serve_until_stopped
from adapters.practice.stock import new_secret, utc_now
from adapters.rt.sandbox.control import SETTINGS, ControlCalls
from adapters.rt.sandbox.exchange import Fault
from adapters.rt.sandbox.hooks import Scrip
from adapters.rt.sandbox.server import RtApi
from adapters.rt.sandbox.state import DeskState

__all__ = ["Fault", "RtSandbox", "serve"]


class RtSandbox(PracticeDesk):
    """A desk in memory; `now` is its clock.

    `state` and `scrip` are there for tests that need more than the control calls give.
    """

    def __init__(
        self, host: str = LOOPBACK, port: int = 0, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.webhook_secret = new_secret()
        self.state = DeskState(now)
        self.scrip = Scrip(now, self.webhook_secret)
        own = ControlCalls(self.state, self.scrip, self.webhook_secret)
        shared = SharedCalls(own, self.state, SETTINGS, self.scrip.invocations, self.webhook_secret)
        api = RtApi(self.state, self.scrip)
        desk = Desk(self.state.lock, api, control_routes(own, shared), shared)
        super().__init__((host, port), desk, self.scrip.close)


def serve(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a sandbox on (host, port) until interrupted; call `ready` with the port."""
    serve_until_stopped(RtSandbox(host, port), ready)
