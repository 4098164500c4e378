"""Whether a webhook call proves that whoever sent it knows a secret."""

import hmac
import secrets
from collections.abc import Callable, Sequence

from connector.errors import Forged
from connector.model import Secret

_NOBODYS = (Secret(secrets.token_urlsafe(30)),)
"""What calls are held against where no secret is configured: as much work, and never a match."""


def require(given: str, right: Callable[[Secret], str], keys: Sequence[Secret]) -> None:
    """Hold what a call carries against what `right` makes of each secret; raises `Forged`.

    All secrets are tried, each in constant time, so that nothing tells which one was meant.
    """
    sent = given.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(right(key).encode(), sent) for key in keys or _NOBODYS]
    if not any(matches):
        raise Forged(
            "the webhook's proof does not match" if keys else "no webhook secret is configured"
        )
