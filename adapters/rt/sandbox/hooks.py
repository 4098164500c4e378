"""The sandbox's scrip: one signed call for each ticket filed or answered, never repeated."""

import json
from collections.abc import Callable
from datetime import datetime

from adapters.practice.hooks import Caller, Invocation
from adapters.rt.sandbox.state import Filed, stamp
from adapters.rt.webhook import SIGNATURE, signature
from connector.model import Secret

TIMEOUT = 3.0
"""Seconds that the receiver may take, as in the how-to's scrip."""


class Scrip:
    """Signs and calls in the background: a real RT does it while whoever files waits."""

    def __init__(self, now: Callable[[], datetime], secret: Secret) -> None:
        self.url = ""
        self.invocations: list[Invocation] = []
        self._now = now
        self._secret = secret
        self._caller = Caller(TIMEOUT)

    def close(self) -> None:
        """Stop calling."""
        self._caller.close()

    def run(self, ticket: Filed) -> None:
        """Call the receiver, if there is one."""
        if self.url:
            number = len(self.invocations) + 1
            call = Invocation(id=str(number), ticket=str(ticket.id))
            self.invocations.append(call)
            told = {"ticket": call.ticket, "time": stamp(self._now()), "transaction": number}
            body = json.dumps(told).encode()
            headers = {"Content-Type": "application/json", SIGNATURE: signature(self._secret, body)}
            self._caller.start(self._caller.call, call, self.url, body, headers)
