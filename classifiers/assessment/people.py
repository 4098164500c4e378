"""Who resolved which ticket of a history, with the encoder's vectors, for a back-test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from classifiers.engine import BundleEngine
from classifiers.training.history import Record, records, time_of
from connector.errors import BadHistory
from connector.model import Aspect, Case, Past, TicketId
from connector.ports import AssessmentOrder, PeopleOrder, TrainingOrder

Clean = Callable[[str, str], str]
Say = Callable[[str], None]

AT_ONCE = 128
"""Texts between two words about progress."""
CATEGORY = "its category"
"""What a look-up by the category is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """A row that tells who resolved a ticket, and when."""

    number: int
    text: str
    opened: datetime
    resolved: datetime
    group: str
    assignee: str
    known_by: Mapping[str, str]


def backtested(
    order: AssessmentOrder, engine: BundleEngine, clean: Clean, say: Say
) -> Mapping[str, Any]:
    """Give what the order's judge makes of the history, or why it was not asked, as `skipped`."""
    people, training = order.people, order.training
    if people is None:
        return {"skipped": "no column tells who resolved a ticket; see --assignee"}
    columns = (people.assignee, people.group, people.opened_at, people.resolved_at)
    rows: list[_Resolved] = []
    for number, record in records(training.history):
        lacking = [name for name in columns if name not in record]
        if lacking:
            return {"skipped": f"the history has no column {lacking[0]!r}"}
        if _told(record, people.assignee) and _told(record, people.resolved_at):
            rows.append(_row(training, people, (number, record), clean))
    vectors = _vectors(engine, [row.text for row in rows], say)
    say("asking whom it would have suggested")
    pasts = [_past(row, vectors[row.text]) for row in rows]
    return people.judge([one for one in pasts if one.case.vector])


def _row(training: TrainingOrder, people: PeopleOrder, told: Record, clean: Clean) -> _Resolved:
    number, record = told
    subject, *rest = (_told(record, name) for name in training.text)
    text = clean(subject, "\n".join(rest)) if rest else clean("", subject)
    try:
        opened = time_of(record, people.opened_at)
        resolved = time_of(record, people.resolved_at)
    except ValueError as error:
        raise BadHistory(f"{training.history}: row {number}: {error}") from error
    category = training.labels.get(Aspect.CATEGORY)
    return _Resolved(
        number=number,
        text=text,
        opened=opened,
        # Clocks differ: what ends before it begins was open for no time.
        resolved=max(opened, resolved),
        group=_told(record, people.group),
        assignee=_told(record, people.assignee),
        known_by={CATEGORY: _told(record, category)} if category else {},
    )


def _told(record: Mapping[str, Any], column: str) -> str:
    value = record.get(column)
    return "" if value is None else str(value).strip()


def _vectors(engine: BundleEngine, texts: Sequence[str], say: Say) -> Mapping[str, bytes]:
    """Read each text once."""
    new = list(dict.fromkeys(texts))
    found: dict[str, bytes] = {}
    for start in range(0, len(new), AT_ONCE):
        say(f"reading who resolved what: {start} of {len(new)} tickets")
        part = new[start : start + AT_ONCE]
        found |= zip(part, engine.vectors(part), strict=True)
    return found


def _past(row: _Resolved, vector: bytes) -> Past:
    resolved = row.resolved.timestamp()
    return Past(
        case=Case(
            ticket=TicketId(str(row.number)),
            group=row.group,
            assignee=row.assignee,
            vector=vector,
            updated_at=resolved,
        ),
        opened_at=row.opened.timestamp(),
        resolved_at=resolved,
        known_by=row.known_by,
    )
