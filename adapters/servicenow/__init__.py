"""ServiceNow as a desk: `platform` is what the entry point names."""

from collections.abc import Callable

from adapters.servicenow.config import ServiceNowDesk
from connector.ports import Adapter, Platform, Surroundings

__all__ = ["ServiceNowDesk", "connect", "platform", "sandbox"]


def connect(options: ServiceNowDesk, surroundings: Surroundings) -> Adapter:
    """Make the adapter; its secrets are read now, nothing is sent yet.

    Raises `ConfigError` when the client certificate cannot be read.
    """
    from adapters.servicenow.adapter import ServiceNowAdapter  # noqa: PLC0415 only a desk pays

    names = (options.webhook_secret, options.previous_webhook_secret)
    hooks = tuple(surroundings.secret(name) for name in names if name)
    credential = options.password or options.client_secret or options.api_key
    secret = surroundings.secret(credential) if credential else None
    return ServiceNowAdapter(options, secret, hooks, surroundings.clock)


def sandbox(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a local desk that speaks the Table API until it is stopped."""
    from adapters.servicenow.sandbox import serve  # noqa: PLC0415 only the sandbox pays for it

    serve(host, port, ready)


platform = Platform(name="servicenow", options=ServiceNowDesk, connect=connect, sandbox=sandbox)
