"""A desk behind any REST API, as its tenant file describes it: `platform` is the entry point's."""

from collections.abc import Callable

from adapters.rest.config import RestDesk
from connector.ports import Adapter, Platform, Surroundings

__all__ = ["RestDesk", "connect", "platform", "sandbox"]


def connect(options: RestDesk, surroundings: Surroundings) -> Adapter:
    """Make the adapter; its secrets are read now, nothing is sent yet."""
    from adapters.rest.adapter import RestAdapter  # noqa: PLC0415 only a desk pays for it

    names = (options.webhook_secret, options.previous_webhook_secret)
    hooks = tuple(surroundings.secret(name) for name in names if name)
    return RestAdapter(options, surroundings.secret(options.key), hooks, surroundings.clock)


def sandbox(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a local desk that speaks two dialects of no platform in particular."""
    from adapters.rest.sandbox import serve  # noqa: PLC0415 only the sandbox pays for it

    serve(host, port, ready)


platform = Platform(name="rest", options=RestDesk, connect=connect, sandbox=sandbox)
