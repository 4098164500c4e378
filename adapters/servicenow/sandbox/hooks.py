"""The sandbox's business rule: one signed call for each arrival, never tried again."""

import json
from collections.abc import Callable
from datetime import datetime

from adapters.practice.hooks import OneReceiver
from adapters.servicenow.sandbox.state import TABLE, Row
from adapters.servicenow.webhook import SIGNATURE, TIMESTAMP, signature
from connector.model import Secret

TIMEOUT = 10.0
"""Seconds that a receiver may take."""


class BusinessRule(OneReceiver):
    """Tells one receiver of arrivals, in the background."""

    def __init__(self, now: Callable[[], datetime], secret: Secret) -> None:
        super().__init__(TIMEOUT)
        self._now = now
        self._secret = secret

    def announce(self, row: Row) -> None:
        """Tell the receiver of a row, as it is now."""
        if not self.url:
            return
        told = {"table": TABLE, **{name: row[name] for name in ("sys_id", "sys_mod_count")}}
        name = f"{row['sys_id']}.{row['sys_mod_count']}"
        body = json.dumps(told).encode()
        timestamp = str(int(self._now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: signature(self._secret, timestamp, body),
        }
        self.tell(name, row["sys_id"], body, headers)
