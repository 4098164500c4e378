"""The sandbox's webhooks: registered receivers, signed calls, retries."""

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import requests

from adapters.practice.hooks import Caller, Invocation
from adapters.zendesk.sandbox.state import stamp
from adapters.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP, signature
from connector.model import Secret

ATTEMPTS = 5
"""Tries of one delivery, as the real desk makes on time-outs."""

TIMEOUT = 10.0
"""Seconds that a receiver may take."""

FIRST_PAUSE = 0.2
"""Seconds before the second try, doubled each time; short, so that a demonstration goes on."""

LONGEST_WAIT = 60.0
"""Seconds; a receiver that asks for more is not tried again."""


@dataclass(slots=True, kw_only=True)
class Webhook:
    """A registered receiver; `subscription` decides the form of the body."""

    id: str
    url: str
    subscription: str = "conditional_ticket_events"
    name: str = "triage"
    is_active: bool = True
    secret: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))


class Webhooks:
    """Signs and delivers in the background."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.registered: dict[str, Webhook] = {}
        self.invocations: list[Invocation] = []
        self._now = now
        self._closing = threading.Event()
        self._caller = Caller(TIMEOUT)

    def close(self) -> None:
        """Stop delivering; what waits for a retry is given up."""
        self._closing.set()
        self._caller.close()

    def register(self, webhook: Webhook) -> None:
        """Deliver future arrivals to this receiver."""
        self.registered[webhook.id] = webhook

    def announce(self, ticket: Mapping[str, Any]) -> None:
        """Tell every receiver of a ticket."""
        for webhook in list(self.registered.values()):
            if not webhook.is_active:
                continue
            number = uuid4().hex.upper()
            invocation = Invocation(id=number, ticket=str(ticket["id"]), webhook=webhook.id)
            self.invocations.append(invocation)
            body = self._body(webhook, str(ticket["id"]))
            self._caller.start(self._deliver, webhook, body, invocation)

    def _body(self, webhook: Webhook, ticket_id: str) -> bytes:
        event: dict[str, Any] = {"ticket_id": ticket_id}
        if webhook.subscription.startswith("zen:"):
            event = {
                "type": webhook.subscription,
                "account_id": 1,
                "id": str(uuid4()),
                "time": stamp(self._now()),
                "zendesk_event_version": "2022-11-06",
                "subject": f"zen:ticket:{ticket_id}",
                "detail": {"id": ticket_id},
                "event": {},
            }
        return json.dumps(event).encode()

    def _deliver(self, webhook: Webhook, body: bytes, invocation: Invocation) -> None:
        while not self._closing.is_set():
            invocation.attempts += 1
            pause = self._attempt(webhook, body, invocation)
            if pause is None or invocation.attempts >= ATTEMPTS:
                return
            self._closing.wait(pause)

    def _attempt(self, webhook: Webhook, body: bytes, invocation: Invocation) -> float | None:
        """Try once; give the seconds until the next try, `None` when there shall be none."""
        backoff = FIRST_PAUSE * 2.0 ** (invocation.attempts - 1)
        try:
            response = self.send(webhook, body, invocation.id)
        except requests.RequestException:
            return backoff
        invocation.status = response.status_code
        if response.status_code == HTTPStatus.CONFLICT:
            return backoff
        if response.status_code in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
            told = response.headers.get("Retry-After", "")
            return float(told) if told.isdecimal() and float(told) < LONGEST_WAIT else None
        return None

    def send(self, webhook: Webhook, body: bytes, invocation: str) -> requests.Response:
        """Sign with the time of this attempt and call the receiver."""
        timestamp = stamp(self._now())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Zendesk Webhook",
            "X-Zendesk-Account-Id": "1",
            "X-Zendesk-Webhook-Id": webhook.id,
            INVOCATION: invocation,
            TIMESTAMP: timestamp,
            SIGNATURE: signature(webhook.secret, timestamp, body),
        }
        return self._caller.post(webhook.url, body, headers)
