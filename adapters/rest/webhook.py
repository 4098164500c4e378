"""Calls of the desk: verified over the raw bytes first, read afterwards."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters import proof, strictjson
from adapters.rest.client import text_of
from adapters.rest.config import WebhookOptions
from adapters.rest.mapping import is_id, time_of
from adapters.rest.pointer import ABSENT, follow
from connector.errors import Forged, Unreadable
from connector.model import Delivery, Secret, TicketId


def signature(told: WebhookOptions, key: Secret, timestamp: str, body: bytes) -> str:
    """Give what the header of a rightly signed call holds."""
    before, _, after = told.signed.partition("{body}")
    stamp = timestamp.encode("utf-8", "surrogatepass")
    around = [part.encode().replace(b"{timestamp}", stamp) for part in (before, after)]
    message = body.join(around)
    made = hmac.new(key.reveal().encode(), message, getattr(hashlib, told.algorithm)).digest()
    coded = made.hex() if told.encoding == "hex" else base64.b64encode(made).decode()
    return told.prefix + coded


def right_header(told: WebhookOptions, key: Secret, timestamp: str, body: bytes) -> str:
    """Give what the header of a right call holds: its signature, or the secret itself."""
    if told.check == "secret":
        return told.prefix + key.reveal()
    return signature(told, key, timestamp, body)


def read_delivery(
    body: bytes,
    headers: Mapping[str, str],
    keys: Sequence[Secret],
    told: WebhookOptions | None,
) -> Delivery:
    """Verify a call against each of the secrets, then say which ticket it names.

    Raises `Forged` before anything of the body is parsed, `Unreadable` after.
    """
    if told is None:
        raise Forged("no webhook is configured: desk.webhook says how calls prove themselves")
    timestamp = _header(headers, told.timestamp_header)
    given = _header(headers, told.header)
    proof.require(given, lambda key: right_header(told, key, timestamp, body), keys)
    if told.timestamp_header is not None:
        sent_at = _time(timestamp)
        if sent_at is None:
            raise Forged(f"the webhook's header {told.timestamp_header} holds no time")
    return _delivery(strictjson.read(body), body, headers, told)


def _delivery(
    event: Any, body: bytes, headers: Mapping[str, str], told: WebhookOptions
) -> Delivery:
    ticket = text_of(follow(event, told.ticket))
    if not is_id(ticket):
        raise Unreadable(f"the webhook's body names no ticket at {told.ticket!r}")
    timestamp = _header(headers, told.timestamp_header)
    sent_at = _time(timestamp)
    if told.time is not None:
        sent_at = _time(follow(event, told.time))
        if sent_at is None:
            raise Unreadable(f"the webhook's body has no time at {told.time!r}")
    named = _header(headers, told.delivery_header)
    if told.delivery is not None:
        named = text_of(follow(event, told.delivery))
    if not named:
        named = hashlib.sha256(timestamp.encode("utf-8", "surrogatepass") + b"." + body).hexdigest()
    return Delivery(id=named, tickets=(TicketId(ticket),), sent_at=sent_at)


def _header(headers: Mapping[str, str], name: str | None) -> str:
    return "" if name is None else headers.get(name.lower(), "")


def _time(told: object) -> datetime | None:
    if told in (None, "", ABSENT):
        return None
    try:
        return time_of(told)
    except (ValueError, OverflowError):
        return None
