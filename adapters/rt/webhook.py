"""The signed calls of our scrip: verified over the raw bytes first, read afterwards."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from adapters import proof, strictjson
from adapters.rt.catalog import id_of
from adapters.values import time_of
from connector.errors import Unreadable
from connector.model import Delivery, Secret, TicketId

SIGNATURE = "x-triaged-signature"

_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def signature(secret: Secret, body: bytes) -> str:
    """Sign as the scrip does: `sha256=` and hex HMAC-SHA256(secret as UTF-8, body)."""
    return f"sha256={hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()}"


def read_delivery(body: bytes, headers: Mapping[str, str], keys: Sequence[Secret]) -> Delivery:
    """Verify a call against any of the secrets, all of them tried, and say which ticket it names.

    The scrip calls once for each transaction and signs its number and the time, so that no two
    calls carry the same signature: it is the delivery's id. Raises `Forged` before anything of the
    body is parsed, `Unreadable` after.
    """
    given = headers.get(SIGNATURE, "")
    proof.require(given, lambda key: signature(key, body), keys)
    event = strictjson.read(body)
    ticket = id_of(event.get("ticket")) if isinstance(event, dict) else ""
    if not _ID.fullmatch(ticket):
        raise Unreadable('the webhook\'s body has no "ticket"')
    try:
        sent_at = time_of(event.get("time"))
    except ValueError:
        raise Unreadable('the webhook\'s body has no "time" in ISO 8601') from None
    return Delivery(id=given, tickets=(TicketId(ticket),), sent_at=sent_at)
