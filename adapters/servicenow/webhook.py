"""Calls of the business rule that the how-to shows: verified as raw bytes, read afterwards."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from adapters import proof, strictjson
from adapters.servicenow.mapping import is_id
from connector.errors import Forged, Unreadable
from connector.model import Delivery, Secret, TicketId

SIGNATURE, TIMESTAMP = "x-triaged-signature", "x-triaged-timestamp"
BARE_SECRET = "x-triaged-secret"  # noqa: S105 a header's name

_SECONDS = re.compile(r"[0-9]{10}")
_COUNT = re.compile(r"[0-9]{1,10}")


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """Sign as the rule does: base64(HMAC-SHA256(secret as UTF-8, timestamp, a dot, body))."""
    message = timestamp.encode("utf-8", "surrogatepass") + b"." + body
    return base64.b64encode(
        hmac.new(secret.reveal().encode(), message, hashlib.sha256).digest()
    ).decode()


def read_signed(
    body: bytes, headers: Mapping[str, str], keys: Sequence[Secret], table: str
) -> Delivery:
    """Verify a signed call against each of the secrets, and say which row it names.

    Raises `Forged` before anything of the body is parsed, `Unreadable` after.
    """
    timestamp, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    proof.require(given, lambda key: signature(key, timestamp, body), keys)
    if not _SECONDS.fullmatch(timestamp):
        raise Forged("the webhook's timestamp is no Unix time")
    sent_at = datetime.fromtimestamp(int(timestamp), UTC)
    return _delivery(body, table, sent_at)


def read_trusted(
    body: bytes, headers: Mapping[str, str], keys: Sequence[Secret], table: str
) -> Delivery:
    """Verify a call that carries the secret itself, and say which row it names; it tells no time.

    Raises `Forged` before anything of the body is parsed, `Unreadable` after.
    """
    proof.require(headers.get(BARE_SECRET, ""), Secret.reveal, keys)
    return _delivery(body, table, None)


def _delivery(body: bytes, table: str, sent_at: datetime | None) -> Delivery:
    """Read the row's id; the delivery is named by row and version, which the signature covers."""
    told = strictjson.read(body)
    row = told if isinstance(told, dict) else {}
    sys_id, count = str(row.get("sys_id")), str(row.get("sys_mod_count"))
    if row.get("table") != table:
        raise Unreadable(f'"table" is not {table}, the table of this tenant')
    if not is_id(sys_id) or not _COUNT.fullmatch(count):
        raise Unreadable('"sys_id" and "sys_mod_count" name no version of a row')
    return Delivery(id=f"{sys_id}.{count}", tickets=(TicketId(sys_id),), sent_at=sent_at)
