"""The one seam between adapters and the network: time-outs, pace, and status into our errors."""

import math
import re
import threading
from collections.abc import Callable, Collection
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from adapters.allowance import Allowance
from adapters.limits import told_date, told_limit, told_pause
from adapters.origin import Origin
from connector.errors import Conflict, Gone, Rejected, Retry, TriagedError, Unauthorized
from connector.ports import Clock

CONNECT_SECONDS = 5.0
"""A desk that accepts no connection for five seconds is down, not slow."""

READ_SECONDS = 30.0
"""Desks cut their own requests off at about half a minute."""

CONNECTIONS = 32
"""Connections kept open per desk: more than worker threads, so that none is thrown away."""

_AWAY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
_OVERTAKEN = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Pacer:
    """Keeps calls of one kind at least `interval` seconds apart, over all threads."""

    def __init__(self, clock: Clock, interval: float) -> None:
        self._clock = clock
        self._interval = interval
        self._free_at = -math.inf
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next call may go; callers are let through one by one."""
        with self._lock:
            now = self._clock.monotonic()
            turn = max(now, self._free_at)
            self._free_at = turn + self._interval
        if turn > now:
            self._clock.sleep(turn - now)


def json_object(response: requests.Response) -> dict[str, Any]:
    """Give the answer's JSON object; raises `Retry` on anything else, such as a login page."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Retry(f"{_where(response.request)}: the answer is no JSON object")
    return body


def _where(request: requests.PreparedRequest) -> str:
    return f"{request.method} {urlsplit(request.url or '').path}"


def _no_code(_body: object) -> str:
    return ""


class DeskSession(requests.Session):
    """A requests session that talks to one desk only and raises our errors.

    Every answer that it returns has a 2xx status. It follows no redirect, keeps no cookie, and
    sends nothing to another scheme, host or port than the desk's, so that an address found in an
    answer can never carry the credential away. Error details name the method, the path without
    its query, the status and the platform's own error code, never a body. Threads may share it.

    `error_code` reads the platform's code from the JSON of a refusal; `tickets` matches the paths
    on which a status in `absent` means that the ticket is gone rather than that the request was
    wrong.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        error_code: Callable[[object], str] = _no_code,
        tickets: str = r"(?!)",
        absent: Collection[int] = ABSENT,
    ) -> None:
        super().__init__()
        self.origin = Origin.of(url)
        self._clock = clock
        self._error_code = error_code
        self._tickets = re.compile(tickets)
        self._absent = absent
        self._allowance = Allowance(clock)
        self.skew: float | None = None
        """Seconds that the desk's clock is ahead of ours, by the last answer that told."""
        self.headers["User-Agent"] = "triaged"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.mount(f"{self.origin.scheme}://", HTTPAdapter(pool_maxsize=CONNECTIONS))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send to the desk within the time-outs and give a 2xx answer, or raise."""
        where = _where(request)
        if Origin.of(request.url or "") != self.origin:
            raise Rejected(f"{where}: another scheme, host or port than the desk's url")
        self._wait_for_turn(where)
        kwargs.update(timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
        if self.origin.is_loopback:
            kwargs["proxies"] = {}  # a proxy from the environment cannot reach this machine
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException as error:
            raise Retry(f"{where}: {type(error).__name__}") from None
        self._note_limits(response)
        self._note_time(response)
        refused = self._error(response, where)
        if refused is not None:
            raise refused
        return response

    def _wait_for_turn(self, where: str) -> None:
        closed = self._allowance.closed()
        if closed > 0:
            raise Retry(f"{where}: not sent, the desk's rate limit is used up", after=closed)
        wait = self._allowance.take()
        if wait > 0:
            self._clock.sleep(wait)

    def _note_limits(self, response: requests.Response) -> None:
        now = self._clock.now()
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            pause = told_pause(response.headers, now)
            if pause is not None:
                self._allowance.pause(pause)
            return
        limit = told_limit(response.headers, now)
        if limit is not None:
            self._allowance.note(limit)

    def _note_time(self, response: requests.Response) -> None:
        """Compare the clocks; an answer that a cache kept for a while tells no time of today."""
        told = told_date(response.headers)
        if told is not None and "Age" not in response.headers:
            self.skew = (told - self._clock.now()).total_seconds()

    def _error(self, response: requests.Response, where: str) -> TriagedError | None:
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return None
        told = "redirect, not followed" if response.is_redirect else self._code(response)
        detail = f"{where}: {response.status_code} {told}".rstrip()
        if (
            response.status_code in _AWAY
            or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            return Retry(detail, after=told_pause(response.headers, self._clock.now()))
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            return Unauthorized(detail)
        if response.status_code in _OVERTAKEN:
            return Conflict(detail)
        if response.status_code in self._absent and self._tickets.search(
            urlsplit(response.url).path
        ):
            return Gone(detail)
        return Rejected(detail)

    def _code(self, response: requests.Response) -> str:
        try:
            return self._error_code(response.json())
        except ValueError:
            return ""
