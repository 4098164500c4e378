"""Who may call the sandbox: passwords, OAuth clients and API keys, and how often."""

import secrets
from http import HTTPStatus

from adapters.practice.window import HOUR, Window
from adapters.servicenow.auth import API_KEY
from adapters.servicenow.sandbox.exchange import Refusal, Reply, Request, refusal
from adapters.servicenow.sandbox.state import ACCOUNT, REQUESTER, DeskState
from connector.model import Secret

CLIENT_ID = "sandbox-client"

LIFE = 1800
"""Seconds that a token is good for, as on a new instance."""


class Door:
    """Tells callers apart and counts their calls per hour."""

    def __init__(self, state: DeskState) -> None:
        self._state = state
        self.password, self.requester_password, self.client_secret, self.api_key = (
            Secret(secrets.token_urlsafe(30)) for _ in range(4)
        )
        self.tokens: dict[str, float] = {}
        self._window = Window(state.now, HOUR)

    def user(self, request: Request) -> str:
        """Give the user name of a caller; refuses the call of anybody else."""
        kind, _, given = request.authorization.partition(" ")
        key = request.headers.get(API_KEY, "")
        if key and secrets.compare_digest(key.encode(), self.api_key.reveal().encode()):
            return ACCOUNT
        if kind == "Bearer" and self.tokens.get(given, 0.0) > self._now():
            return ACCOUNT
        name, _, password = request.basic.partition(":")
        known = {ACCOUNT: self.password, REQUESTER: self.requester_password}
        right = known.get(name)
        if right and secrets.compare_digest(password.encode(), right.reveal().encode()):
            return name
        raise refusal(
            HTTPStatus.UNAUTHORIZED,
            "User Not Authenticated",
            "Required to provide Auth information",
        )

    def token(self, request: Request) -> Reply:
        """`POST /oauth_token.do`: a bearer token for a client's credentials."""
        form = request.body if isinstance(request.body, dict) else {}
        right = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": self.client_secret.reveal(),
        }
        if form != right:
            error = {"error": "access_denied", "error_description": "access_denied"}
            return Reply(status=HTTPStatus.UNAUTHORIZED, body=error)
        token = secrets.token_urlsafe(30)
        self.tokens[token] = self._now() + LIFE
        body = {"access_token": token, "token_type": "Bearer", "scope": "", "expires_in": LIFE}
        return Reply(body=body)

    def limits(self, limit: int) -> dict[str, str]:
        """Count a call and give the headers that tell of the limit; refuses it over the limit.

        Without a rule, which 0 stands for, an instance tells nothing.
        """
        if not limit:
            return {}
        used, reset = self._window.take(), int(self._window.ends_at)
        told = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Reset": str(reset)}
        if used >= limit:
            detail = f"Rate limit of {limit} requests per hour for Table API exceeded"
            refused = refusal(HTTPStatus.TOO_MANY_REQUESTS, "Rate limit exceeded", detail).reply
            raise Refusal(
                Reply(
                    status=refused.status,
                    body=refused.body,
                    headers={**told, "Retry-After": str(self._window.left)},
                )
            )
        return told

    def _now(self) -> float:
        return self._state.now().timestamp()
