"""Zendesk's way to refuse a call, beside what all practice desks take and give."""

from typing import Any

from adapters.practice.exchange import Fault, Handler, Refusal, Reply, Request

__all__ = ["Fault", "Handler", "Refusal", "Reply", "Request", "refusal"]


def refusal(status: int, error: str, description: str = "", **more: Any) -> Refusal:
    """Make a refusal with Zendesk's usual body."""
    told = {"description": description} if description else {}
    return Refusal(Reply(status=status, body={"error": error, **told, **more}))
