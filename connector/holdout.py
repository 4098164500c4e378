"""The hold-out arm: tickets that are predicted and left to people, so that one can compare."""

import hashlib

from connector.model import TenantId, TicketId

_WHOLE = 1 << 64


def is_held_out(tenant: TenantId, ticket: TicketId, share: float) -> bool:
    """Tell whether a ticket belongs to the arm that is left alone.

    By a hash of its id under the tenant's name as the key: the same ticket always gets the same
    answer, on every daemon and after every restart, and neither the number of a ticket nor what it
    says has a part in it. A larger share keeps everyone who was in a smaller one.
    """
    drawn = hashlib.blake2b(
        ticket.encode("utf-8", "surrogatepass"),
        key=tenant.encode(),
        person=b"triaged-holdout",
        digest_size=8,
    )
    return int.from_bytes(drawn.digest()) < share * _WHOLE
