"""What was said on tickets: the first message, and the newest later one of a requestor."""

from collections.abc import Iterable, Mapping, Sequence

from adapters.rt.catalog import Json, id_of
from adapters.rt.mapping import Thread, requestors_of

SAID = "Type = 'Create' OR Type = 'Correspond'"
FILED = "Type = 'Create' OR (Type = 'Set' AND Field = 'Subject')"


def told_by(raw: Json, rows: Iterable[Json]) -> tuple[str, str]:
    """Give the transactions of a ticket that hold its first and its requestors' last message."""
    first, last = "", ""
    requestors = set(requestors_of(raw))
    for row in rows:
        if row.get("Type") == "Create":
            first = first or id_of(row)
        elif id_of(row.get("Creator")) in requestors and row.get("Type") == "Correspond":
            last = id_of(row)
    return first, last


def is_answered(raw: Json, rows: Iterable[Json]) -> bool:
    """Tell whether somebody who is no requestor wrote to them."""
    requestors = set(requestors_of(raw))
    return any(
        row.get("Type") == "Correspond" and id_of(row.get("Creator")) not in requestors
        for row in rows
    )


def first_subject(rows: Iterable[Json]) -> str | None:
    """Give what stood in the subject before it was first changed; `None`: it never was."""
    changes = (row for row in rows if row.get("Type") == "Set" and row.get("Field") == "Subject")
    first = next(changes, None)
    return None if first is None else str(first.get("OldValue") or "")


def by_ticket(rows: Iterable[Json]) -> Mapping[str, Sequence[Json]]:
    """Sort transactions by the ticket that they belong to."""
    found: dict[str, list[Json]] = {}
    for row in rows:
        found.setdefault(id_of(row.get("ObjectId")), []).append(row)
    return found


def texts_by_transaction(parts: Iterable[Json]) -> Mapping[str, str]:
    """Give each transaction's message: its first plain part, else its first part of HTML.

    A part with a file name is an attachment and no message.
    """
    plain: dict[str, str] = {}
    other: dict[str, str] = {}
    for part in parts:
        if part.get("Filename"):
            continue
        texts = plain if part.get("ContentType") == "text/plain" else other
        texts.setdefault(id_of(part.get("TransactionId")), str(part.get("Content") or ""))
    return {**other, **plain}


def thread_of(raw: Json, rows: Sequence[Json], texts: Mapping[str, str]) -> Thread:
    """Put together what a ticket's requestors said."""
    first, last = told_by(raw, rows)
    return Thread(
        subject=first_subject(rows),
        first=texts.get(first, ""),
        last=texts.get(last, "") if last else "",
        last_id=last,
        answered=is_answered(raw, rows),
    )
