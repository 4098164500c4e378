"""The sandbox's scrip: one signed call for each ticket filed or answered, never repeated."""

import json
from collections.abc import Callable
from datetime import datetime

from adapters.practice.hooks import OneReceiver
from adapters.rt.sandbox.state import Filed, stamp
from adapters.rt.webhook import SIGNATURE, signature
from connector.model import Secret

TIMEOUT = 3.0
"""Seconds that the receiver may take, as in the how-to's scrip."""


class Scrip(OneReceiver):
    """Signs and calls in the background: a real RT does it while whoever files waits."""

    def __init__(self, now: Callable[[], datetime], secret: Secret) -> None:
        super().__init__(TIMEOUT)
        self._now = now
        self._secret = secret

    def run(self, ticket: Filed) -> None:
        """Call the receiver, if there is one."""
        if self.url:
            number = len(self.invocations) + 1
            told = {"ticket": str(ticket.id), "time": stamp(self._now()), "transaction": number}
            body = json.dumps(told).encode()
            headers = {"Content-Type": "application/json", SIGNATURE: signature(self._secret, body)}
            self.tell(str(number), str(ticket.id), body, headers)
