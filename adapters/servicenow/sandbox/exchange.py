"""ServiceNow's way to refuse a call, beside what all practice desks take and give."""

from http import HTTPStatus

from adapters.practice.exchange import Fault, Refusal, Reply, Request

__all__ = ["Fault", "Refusal", "Reply", "Request", "no_record", "refusal"]


def refusal(status: int, message: str, detail: str = "") -> Refusal:
    """Make a refusal with the Table API's usual body."""
    error = {"message": message, "detail": detail or None}
    return Refusal(Reply(status=status, body={"error": error, "status": "failure"}))


def no_record() -> Refusal:
    """Make the answer for a row that does not exist, or that the account may not see."""
    return refusal(
        HTTPStatus.NOT_FOUND,
        "No Record found",
        "Record doesn't exist or ACL restricts the record retrieval",
    )
