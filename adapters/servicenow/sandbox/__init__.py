"""A local desk that speaks the part of the Table API that the adapter uses, with its quirks."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.practice.control import SharedCalls, control_routes
from adapters.practice.desk import LOOPBACK, Desk, PracticeDesk, serve_until_stopped
from adapters.practice.stock import new_secret, utc_now
from adapters.servicenow.config import ServiceNowDesk
from adapters.servicenow.sandbox.control import SETTINGS, ControlCalls, desk_options
from adapters.servicenow.sandbox.door import Door
from adapters.servicenow.sandbox.exchange import Fault
from adapters.servicenow.sandbox.hooks import BusinessRule
from adapters.servicenow.sandbox.server import ServiceNowApi
from adapters.servicenow.sandbox.state import DeskState

__all__ = ["Fault", "ServiceNowSandbox", "serve"]


class ServiceNowSandbox(PracticeDesk):
    """An instance in memory; `now` is its clock.

    `state`, `door` and `rule` are there for tests that need more than the control calls give.
    """

    def __init__(
        self, host: str = LOOPBACK, port: int = 0, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.webhook_secret = new_secret()
        self.state = DeskState(now)
        self.door = Door(self.state)
        self.rule = BusinessRule(now, self.webhook_secret)
        own = ControlCalls(self.state, self.rule, self.door, self.webhook_secret)
        shared = SharedCalls(own, self.state, SETTINGS, self.rule.invocations, self.webhook_secret)
        api = ServiceNowApi(self.state, self.door)
        desk = Desk(self.state.lock, api, control_routes(own, shared), shared)
        super().__init__((host, port), desk, self.rule.close)

    def options(self, **changes: Any) -> ServiceNowDesk:
        """Give the options of an adapter that reaches this desk; `changes` are keys that differ."""
        return ServiceNowDesk.model_validate({**desk_options(self.url), **changes})


def serve(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a sandbox on (host, port) until interrupted; call `ready` with the port."""
    serve_until_stopped(ServiceNowSandbox(host, port), ready)
