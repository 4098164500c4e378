"""The calls that a practice desk makes by itself, in the background, to receivers nearby."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

SENDERS = 8
"""Calls at a time: a receiver that hangs holds up few others."""


@dataclass(slots=True, kw_only=True)
class Invocation:
    """One call and how it went: the last status, 0 where nobody answered."""

    id: str
    ticket: str
    webhook: str = ""
    status: int = 0
    attempts: int = 0

    @property
    def outcome(self) -> str:
        """Give the desk's word for how it went."""
        return "success" if HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES else "failed"


class Caller:
    """Makes calls in threads of its own; `timeout` is the seconds that a receiver may take."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sandbox-hook")
        self._session = requests.Session()
        self._session.trust_env = False  # receivers are on this machine

    def close(self) -> None:
        """Make no further call."""
        self._senders.shutdown(cancel_futures=True)
        self._session.close()

    def start(self, task: Callable[..., object], *about: Any) -> None:
        """Have something done in the background."""
        self._senders.submit(task, *about)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        """Call a receiver; raises `requests.RequestException` when nobody answers."""
        return self._session.post(
            url, data=body, headers=dict(headers), timeout=self._timeout, allow_redirects=False
        )

    def call(self, invocation: Invocation, url: str, body: bytes, headers: dict[str, str]) -> None:
        """Call a receiver once and note how it went."""
        invocation.attempts += 1
        try:
            invocation.status = self.post(url, body, headers).status_code
        except requests.RequestException:
            return


class OneReceiver(Caller):
    """Tells one receiver at `url`, if there is one, and keeps what it was told."""

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self.url = ""
        self.invocations: list[Invocation] = []

    def tell(self, name: str, ticket: str, body: bytes, headers: dict[str, str]) -> None:
        """Make one call, which is known by `name`, in the background."""
        told = Invocation(id=name, ticket=ticket)
        self.invocations.append(told)
        self.start(self.call, told, self.url, body, headers)
