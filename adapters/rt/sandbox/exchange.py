"""What the sandbox's handlers take and give: the common exchange, with RT's words for a refusal."""

from http import HTTPStatus

from adapters.practice.exchange import Fault, Refusal, Reply, Request

__all__ = ["Fault", "Refusal", "Reply", "Request", "refusal"]


def refusal(status: int, message: str = "") -> Refusal:
    """Make a refusal with REST2's usual body."""
    return Refusal(Reply(status=status, body={"message": message or HTTPStatus(status).phrase}))
