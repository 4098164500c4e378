"""A practice desk's own control calls: the same on every platform, no platform's API."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from adapters.practice.exchange import Reply, Request, Senseless
from adapters.practice.hooks import Invocation
from adapters.practice.mishaps import Mishaps
from adapters.practice.server import Route, route
from connector.model import Secret

TENANT = "sandbox"

_MISHAPS = frozenset({"rate_limit", "latency"})


class PlatformCalls(Protocol):
    """The control calls that every platform answers from its own rows."""

    def tenant(self, request: Request) -> Reply:
        """`GET /sandbox/tenant`: all that a tenant file for this desk needs."""

    def staff(self, request: Request) -> Reply:
        """`POST /sandbox/staff`: replace groups and agents."""

    def arrive(self, request: Request) -> Reply:
        """`POST /sandbox/tickets`: a requester files a ticket now."""

    def change(self, request: Request, ticket_id: str) -> Reply:
        """`POST /sandbox/tickets/{id}`: the requester answers, or an agent changes something."""

    def show(self, request: Request, ticket_id: str) -> Reply:
        """`GET /sandbox/tickets/{id}`: what a person sees, and how often triage wrote."""

    def hook_to(self, url: str) -> None:
        """Deliver arrivals to one receiver from now on."""


class SharedCalls:
    """The control calls that need nothing of a platform.

    `settings` are the attributes of `state` that may be set, and what their values are.
    """

    def __init__(
        self,
        own: PlatformCalls,
        state: object,
        settings: Mapping[str, type],
        invocations: Sequence[Invocation],
        secret: Secret,
    ) -> None:
        self.mishaps = Mishaps()
        self._own = own
        self._state = state
        self._settings = settings
        self._invocations = invocations
        self._secret = secret

    def webhook(self, request: Request) -> Reply:
        """`POST /sandbox/webhook`: deliver arrivals to one receiver from now on."""
        self._own.hook_to(str(request.told.get("url") or ""))
        return Reply(status=HTTPStatus.CREATED, body={"secret": self._secret.reveal()})

    def deliveries(self, _request: Request) -> Reply:
        """`GET /sandbox/webhook/deliveries`."""
        rows = [
            {"id": each.id, "ticket": each.ticket, "status": each.status, "attempts": each.attempts}
            for each in self._invocations
        ]
        return Reply(body=rows)

    def settings(self, request: Request) -> Reply:
        """`POST /sandbox/settings`: how the desk behaves from now on."""
        told = request.told
        unknown = sorted(told.keys() - {*self._settings, *_MISHAPS})
        if unknown:
            raise Senseless(f"no setting {', '.join(unknown)}")
        for name, kind in self._settings.items():
            if name in told:
                setattr(self._state, name, kind(told[name]))
        self.mishaps.set(told)
        return Reply(body={})

    def add_faults(self, request: Request) -> Reply:
        """`POST /sandbox/faults`: what goes wrong with the next calls."""
        try:
            return self.mishaps.add(request.body)
        except TypeError as error:
            raise Senseless(f"no fault: {error}") from None

    def count_calls(self, _request: Request) -> Reply:
        """`GET /sandbox/calls`: how often each path was called."""
        return Reply(body=self.mishaps.calls)


def control_routes(own: PlatformCalls, shared: SharedCalls) -> tuple[Route, ...]:
    """Give the table of control calls."""
    return (
        route("GET", "/sandbox/tenant", own.tenant),
        route("POST", "/sandbox/staff", own.staff),
        route("POST", "/sandbox/tickets", own.arrive),
        route("POST", "/sandbox/tickets/{key}", own.change),
        route("GET", "/sandbox/tickets/{key}", own.show),
        route("POST", "/sandbox/webhook", shared.webhook),
        route("GET", "/sandbox/webhook/deliveries", shared.deliveries),
        route("POST", "/sandbox/settings", shared.settings),
        route("POST", "/sandbox/faults", shared.add_faults),
        route("GET", "/sandbox/calls", shared.count_calls),
    )


def tenant_reply(
    desk: Mapping[str, Any],
    aspects: Mapping[str, Mapping[str, Any]],
    credential: tuple[str, Secret],
    hook: tuple[str, Secret],
) -> Reply:
    """Give all that a tenant file needs: options of the desk, what is mapped, secrets by name."""
    body = {
        "tenant": TENANT,
        "desk": desk,
        "intake": {"poll": "2s", "webhook": {"secret": f"secret:{hook[0]}"}},
        "aspects": {name: {"mode": "auto", **aspect} for name, aspect in aspects.items()},
        "secrets": {name: secret.reveal() for name, secret in (credential, hook)},
    }
    return Reply(body=body)
