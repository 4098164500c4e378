"""The ways to sign in to an instance: password, OAuth client, API key, client certificate."""

import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from adapters.http import DeskSession, json_object
from adapters.servicenow.config import ServiceNowDesk
from connector.errors import ConfigError, Retry, Unauthorized
from connector.model import Secret
from connector.ports import Clock

TOKEN_PATH = "/oauth_token.do"  # noqa: S105 a path, no secret
API_KEY = "x-sn-apikey"

EARLY = 60.0
"""Seconds before its end at which a token is renewed: a call under way keeps a valid one."""

UNTOLD_LIFE = 600.0
"""Seconds that a token is used for when its life was not told; instances grant half an hour."""


class Renewable(Protocol):
    """A credential that can be had anew."""

    def renew(self) -> bool:
        """Forget what was refused; tell whether another try makes sense."""


class Fixed:
    """A credential that stays what it is."""

    def renew(self) -> bool:
        """Tell that a second try would be refused as well."""
        return False


class _Nothing(AuthBase):
    """Adds nothing; without it requests would look for a password in somebody's .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class OAuthClient(AuthBase):
    """Bearer tokens by client credentials: fetched when needed, renewed before they end.

    Threads may share it; one of them fetches while the others wait.
    """

    def __init__(
        self, session: DeskSession, url: str, client_id: str, secret: Secret, clock: Clock
    ) -> None:
        self._session = session
        self._url = f"{url}{TOKEN_PATH}"
        self._client_id = client_id
        self._secret = secret
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0
        self._barred = False
        self._now = clock.monotonic

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add a valid token, which may have to be fetched first."""
        request.headers["Authorization"] = f"Bearer {self._valid()}"
        return request

    def renew(self) -> bool:
        """Forget the token, refused before its end; tell whether the client itself is good."""
        with self._lock:
            self._token = ""
            return not self._barred

    def _valid(self) -> str:
        with self._lock:
            if not self._token or self._now() >= self._until:
                self._fetch()
            return self._token

    def _fetch(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.reveal(),
        }
        self._barred = True  # until the instance has taken the client's credentials
        answer = json_object(self._session.post(self._url, data=form, auth=_Nothing()))
        self._barred = False
        token, life = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Retry(f"POST {TOKEN_PATH}: the answer holds no access_token")
        seconds = float(str(life)) if str(life).isdecimal() else UNTOLD_LIFE
        self._token, self._until = token, self._now() + max(seconds - EARLY, seconds / 2)


def sign_in(
    session: DeskSession, options: ServiceNowDesk, secret: Secret | None, clock: Clock
) -> Renewable:
    """Have a session carry the credential that the options choose, and nothing of another's."""
    session.auth = _Nothing()
    session.hooks["response"].append(_refuse_second_factor)
    if options.certificate is not None:
        session.cert = str(_readable(options.certificate))
    elif secret is None:
        raise ConfigError("desk: no credential; give password, client_id, api_key or certificate")
    elif options.client_id is not None:
        client = OAuthClient(session, options.url, options.client_id, secret, clock)
        session.auth = client
        return client
    elif options.api_key is not None:
        session.headers[API_KEY] = secret.reveal()
    else:
        # As bytes: requests would write text as Latin-1 and stumble over anything else.
        session.auth = HTTPBasicAuth(options.account.encode(), secret.reveal().encode())
    return Fixed()


def _readable(certificate: Path) -> Path:
    try:
        with certificate.open("rb"):
            return certificate
    except OSError as error:
        raise ConfigError(
            f"desk.certificate: {certificate} cannot be read ({error.strerror}); name a PEM file "
            "with the certificate and its key that the service's user may read"
        ) from None


def _refuse_second_factor(response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
    """Say what a 401 alone would not: that the password was right and a second factor is asked."""
    refused = response.status_code == HTTPStatus.UNAUTHORIZED
    if refused and response.headers.get("X-MFA_TOKEN", "").lower() == "invalid":
        raise Unauthorized(
            "the account is asked for a second factor: exempt the integration user from it, or "
            "use an OAuth client or an API key"
        )
