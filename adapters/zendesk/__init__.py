"""Zendesk Support as a desk: `platform` is what the entry point names."""

from collections.abc import Callable

from adapters.zendesk.config import PUBLIC_TEST_SECRET, ZendeskDesk
from connector.errors import ConfigError
from connector.ports import Adapter, Platform, Surroundings

__all__ = ["ZendeskDesk", "connect", "platform", "sandbox"]


def connect(options: ZendeskDesk, surroundings: Surroundings) -> Adapter:
    """Make the adapter; its secrets are read now, nothing is sent yet.

    Raises `ConfigError` when zenpy is not installed or the webhook secret is the public one.
    """
    try:
        from adapters.zendesk.adapter import ZendeskAdapter  # noqa: PLC0415 only a desk pays for zenpy
    except ModuleNotFoundError as error:
        if error.name != "zenpy":
            raise
        raise ConfigError(
            "desk.platform: zendesk needs zenpy; run `pip install 'triaged[zendesk]'`"
        ) from None
    names = (options.webhook_secret, options.previous_webhook_secret)
    hooks = {name: surroundings.secret(name) for name in names if name}
    for name, secret in hooks.items():
        if secret.reveal() == PUBLIC_TEST_SECRET:
            raise ConfigError(
                f"intake.webhook: {name} holds Zendesk's public test secret, with which anybody "
                "can sign; store the secret of your own webhook under that name"
            )
    token = surroundings.secret(options.token)
    return ZendeskAdapter(options, token, tuple(hooks.values()), surroundings.clock)


def sandbox(host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve a local desk that speaks Zendesk's API until it is stopped."""
    from adapters.zendesk.sandbox import serve  # noqa: PLC0415 only the sandbox pays for it

    serve(host, port, ready)


platform = Platform(name="zendesk", options=ZendeskDesk, connect=connect, sandbox=sandbox)
