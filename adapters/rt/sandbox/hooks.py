"""The sandbox's scrip: one signed call for each ticket filed or answered, never repeated."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import requests

from adapters.rt.sandbox.state import Filed, stamp
from adapters.rt.webhook import SIGNATURE, signature
from connector.model import Secret

TIMEOUT = 3.0
"""Seconds that the receiver may take, as in the how-to's scrip."""

_SENDERS = 8


@dataclass(slots=True, kw_only=True)
class Call:
    """One call and how it went: the status, 0 where nobody answered."""

    id: int
    ticket: str
    status: int = 0
    attempts: int = 0


class Scrip:
    """Signs and calls in the background: a real RT does it while whoever files waits."""

    def __init__(self, now: Callable[[], datetime], secret: Secret) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self._now = now
        self._secret = secret
        self._senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="sandbox-scrip")
        self._session = requests.Session()
        self._session.trust_env = False  # receivers are on this machine

    def close(self) -> None:
        """Stop calling."""
        self._senders.shutdown(cancel_futures=True)
        self._session.close()

    def run(self, ticket: Filed) -> None:
        """Call the receiver, if there is one."""
        if self.url:
            call = Call(id=len(self.calls) + 1, ticket=str(ticket.id))
            self.calls.append(call)
            self._senders.submit(self._send, call)

    def _send(self, call: Call) -> None:
        told = {"ticket": call.ticket, "time": stamp(self._now()), "transaction": call.id}
        body = json.dumps(told).encode()
        headers = {"Content-Type": "application/json", SIGNATURE: signature(self._secret, body)}
        call.attempts = 1
        try:
            response = self._session.post(
                self.url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException:
            return
        call.status = response.status_code
