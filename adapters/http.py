"""The one seam between adapters and the network: time-outs, pace, and status into our errors."""

import math
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from adapters.origin import Origin
from connector.errors import Conflict, Gone, Rejected, Retry, TriagedError, Unauthorized
from connector.ports import Clock

CONNECT_SECONDS = 5.0
"""A desk that accepts no connection for five seconds is down, not slow."""

READ_SECONDS = 30.0
"""Desks cut their own requests off at about half a minute."""

LONGEST_PAUSE = 3600.0
"""Seconds; a desk that asks us to stay away for longer is asked again after an hour."""

UNTOLD_PAUSE = 10.0
"""Seconds to stay away when a used-up limit names no reset: limits are counted per minute, and a
sixth of one costs at worst a few refused calls."""

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
_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_REMAINING = ("ratelimit-remaining", "x-rate-limit-remaining")
_RESET = "ratelimit-reset"


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


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After` as seconds or as an HTTP date (RFC 9110); `None` when missing or garbage.

    The answer is never negative and never longer than `LONGEST_PAUSE`.
    """
    told = headers.get("Retry-After", "").strip()
    seconds = _seconds(told)
    if seconds is None:
        seconds = _until(told, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_PAUSE)


def _seconds(told: str) -> float | None:
    return float(told) if re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", told, re.ASCII) else None


def _until(told: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


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
    on which 404 means that the ticket is gone rather than that the request was wrong.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        error_code: Callable[[object], str] = _no_code,
        tickets: str = r"(?!)",
    ) -> None:
        super().__init__()
        self.origin = Origin.of(url)
        self._clock = clock
        self._error_code = error_code
        self._tickets = re.compile(tickets)
        self._away_until = -math.inf
        self._lock = threading.Lock()
        self.headers["User-Agent"] = "triaged"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.mount(f"{self.origin.scheme}://", HTTPAdapter(pool_maxsize=CONNECTIONS))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send to the desk within the time-outs and give a 2xx answer, or raise."""
        where = _where(request)
        if Origin.of(request.url or "") != self.origin:
            raise Rejected(f"{where}: another scheme, host or port than the desk's url")
        self._respect_pause(where)
        kwargs.update(timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
        if self.origin.is_loopback:
            kwargs["proxies"] = {}  # a proxy from the environment cannot reach this machine
        try:
            response = super().send(request, **kwargs)
        except requests.RequestException as error:
            raise Retry(f"{where}: {type(error).__name__}") from None
        self._note_limits(response)
        refused = self._error(response, where)
        if refused is not None:
            raise refused
        return response

    def _respect_pause(self, where: str) -> None:
        with self._lock:
            left = self._away_until - self._clock.monotonic()
        if left > 0:
            raise Retry(f"{where}: not sent, the desk's rate limit is used up", after=left)

    def _note_limits(self, response: requests.Response) -> None:
        pause = self._pause(response)
        if pause is not None:
            with self._lock:
                self._away_until = max(self._away_until, self._clock.monotonic() + pause)

    def _pause(self, response: requests.Response) -> float | None:
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return retry_after(response.headers, self._clock.now())
        if any(_seconds(response.headers.get(name, "")) == 0 for name in _REMAINING):
            reset = _seconds(response.headers.get(_RESET, ""))
            return UNTOLD_PAUSE if reset is None else min(max(reset, 0.0), LONGEST_PAUSE)
        return None

    def _error(self, response: requests.Response, where: str) -> TriagedError | None:
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return None
        told = "redirect, not followed" if response.is_redirect else self._code(response)
        detail = f"{where}: {response.status_code} {told}".rstrip()
        if (
            response.status_code in _AWAY
            or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            return Retry(detail, after=retry_after(response.headers, self._clock.now()))
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            return Unauthorized(detail)
        if response.status_code in _OVERTAKEN:
            return Conflict(detail)
        if response.status_code in _ABSENT and self._tickets.search(urlsplit(response.url).path):
            return Gone(detail)
        return Rejected(detail)

    def _code(self, response: requests.Response) -> str:
        try:
            return self._error_code(response.json())
        except ValueError:
            return ""
