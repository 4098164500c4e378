"""Zendesk's signed webhook calls: verified over the raw bytes first, read afterwards."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters import proof, strictjson
from adapters.values import time_of
from adapters.zendesk.mapping import id_of
from connector.errors import Forged, Unreadable
from connector.model import Delivery, Secret, TicketId

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"

_TICKET_EVENT = "zen:event-type:ticket."
_ID = re.compile(r"[0-9]{1,18}")


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """Sign as Zendesk does: base64(HMAC-SHA256(secret as UTF-8, timestamp then body))."""
    key = secret.reveal().encode()
    message = timestamp.encode("utf-8", "surrogatepass") + body
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def read_delivery(body: bytes, headers: Mapping[str, str], keys: Sequence[Secret]) -> Delivery:
    """Verify a call against any of the secrets, all of them tried, and say which ticket it names.

    The time in the signed header is that of the attempt, not of the event. The delivery's id is
    the invocation's, the same over Zendesk's own retries; without that header, the signature.
    Raises `Forged` before anything of the body is parsed, `Unreadable` after.
    """
    timestamp, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    proof.require(given, lambda key: signature(key, timestamp, body), keys)
    sent_at = _attempted(timestamp)
    tickets = (_ticket(body),)
    return Delivery(id=headers.get(INVOCATION) or given, tickets=tickets, sent_at=sent_at)


def _attempted(timestamp: str) -> datetime:
    try:
        return time_of(timestamp)
    except ValueError:
        raise Forged("the webhook's timestamp is not ISO 8601") from None


def _ticket(body: bytes) -> TicketId:
    event = strictjson.read(body)
    found = _named(event) if isinstance(event, dict) else ""
    if not _ID.fullmatch(found):
        raise Unreadable('neither "ticket_id" nor the "detail.id" of a ticket event names a ticket')
    return TicketId(found)


def _named(event: dict[str, object]) -> str:
    detail = event.get("detail")
    if isinstance(detail, dict) and str(event.get("type")).startswith(_TICKET_EVENT):
        return id_of(detail.get("id"))
    return id_of(event.get("ticket_id"))
