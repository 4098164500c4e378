"""Request Tracker 5 as a desk: `platform` is what the entry point names."""

from collections.abc import Callable

from adapters.rt.config import RequestTrackerDesk
from connector.ports import Adapter, Platform, Surroundings

__all__ = ["RequestTrackerDesk", "connect", "platform", "sandbox"]


def connect(options: RequestTrackerDesk, surroundings: Surroundings) -> Adapter:
    """Make the adapter; its secrets are read now, nothing is sent yet."""
    from adapters.rt.adapter import RequestTrackerAdapter  # noqa: PLC0415 only a desk pays for it

    names = (options.webhook_secret, options.previous_webhook_secret)
    hooks = tuple(surroundings.secret(name) for name in names if name)
    credential = surroundings.secret(options.token or options.password or "")
    return RequestTrackerAdapter(options, credential, hooks, surroundings.clock)


def sandbox(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a local desk that speaks Request Tracker's REST2 until it is stopped."""
    from adapters.rt.sandbox import serve  # noqa: PLC0415 only the sandbox pays for it

    serve(host, port, ready)


platform = Platform(name="rt", options=RequestTrackerDesk, connect=connect, sandbox=sandbox)
