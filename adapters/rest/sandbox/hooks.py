"""The practice desk's webhooks: one call for each ticket filed or answered, in either dialect."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from adapters.practice.hooks import OneReceiver
from adapters.rest.config import WebhookOptions
from adapters.rest.sandbox.dialects import DIALECTS, MODERN
from adapters.rest.sandbox.state import Filed
from adapters.rest.webhook import right_header
from connector.model import Secret

TIMEOUT = 10.0
"""Seconds that a receiver may take."""


class Webhooks(OneReceiver):
    """Calls one receiver in the background, once for each event."""

    def __init__(self, now: Callable[[], datetime], secret: Secret) -> None:
        super().__init__(TIMEOUT)
        self.dialect = MODERN
        self._now = now
        self._secret = secret

    def announce(self, ticket: Filed) -> None:
        """Call the receiver, if there is one."""
        if self.url:
            name = str(len(self.invocations) + 1)
            body, headers = self.signed(str(ticket.id), name)
            self.tell(name, str(ticket.id), body, headers)

    def signed(self, ticket: str, delivery: str) -> tuple[bytes, dict[str, str]]:
        """Give the body and the headers of a call."""
        now = int(self._now().timestamp())
        told: Mapping[str, object] = {"item": {"no": int(ticket)}, "at": now, "event": delivery}
        if self.dialect == MODERN:
            told = {"ticket": {"id": int(ticket)}, "delivery": delivery}
        body = json.dumps(told).encode()
        return body, self.proven(body, str(now), self._secret)

    def proven(self, body: bytes, timestamp: str, secret: Secret) -> dict[str, str]:
        """Give the headers by which a body proves itself in the present dialect."""
        options = WebhookOptions.model_validate(DIALECTS[self.dialect]["webhook"])
        headers = {
            "Content-Type": "application/json",
            options.header: right_header(options, secret, timestamp, body),
        }
        if options.timestamp_header is not None:
            headers[options.timestamp_header] = timestamp
        return headers
