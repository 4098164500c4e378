"""The sandbox's business rule: one signed call for each arrival, never tried again."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import requests

from adapters.servicenow.sandbox.state import TABLE, Row
from adapters.servicenow.webhook import SIGNATURE, TIMESTAMP, signature
from connector.model import Secret

TIMEOUT = 10.0
"""Seconds that a receiver may take."""

_SENDERS = 8


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call and how it went: the status, 0 where nobody answered."""

    id: str
    ticket: str
    status: int = 0
    attempts: int = 0


class BusinessRule:
    """Tells one receiver of arrivals, in the background."""

    def __init__(self, now: Callable[[], datetime], secret: Secret) -> None:
        self.url = ""
        self.invocations: list[Invocation] = []
        self._now = now
        self._secret = secret
        self._senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="sandbox-rule")
        self._session = requests.Session()
        self._session.trust_env = False  # receivers are on this machine

    def close(self) -> None:
        """Stop telling."""
        self._senders.shutdown(cancel_futures=True)
        self._session.close()

    def announce(self, row: Row) -> None:
        """Tell the receiver of a row, as it is now."""
        if not self.url:
            return
        told = {"table": TABLE, **{name: row[name] for name in ("sys_id", "sys_mod_count")}}
        name = f"{row['sys_id']}.{row['sys_mod_count']}"
        invocation = Invocation(id=name, ticket=row["sys_id"])
        self.invocations.append(invocation)
        self._senders.submit(self._deliver, json.dumps(told).encode(), invocation)

    def _deliver(self, body: bytes, invocation: Invocation) -> None:
        invocation.attempts += 1
        timestamp = str(int(self._now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: signature(self._secret, timestamp, body),
        }
        try:
            response = self._session.post(
                self.url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException:
            return
        invocation.status = response.status_code
