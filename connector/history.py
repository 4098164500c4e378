"""A desk's resolved tickets as rows to learn from: text as first filed, values as in the end."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from connector import retry
from connector.clean import clean, mask
from connector.errors import BadHistory, Retry
from connector.model import TAGS, Aspect, FieldValue, Ticket, TicketId
from connector.ports import Adapter, Clock, ListsStaff
from connector.settings import AspectSettings, TenantSettings

LEARNT = (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT)
"""What can be learnt from a field. Who solved a ticket is learnt from the case book instead, and
stands in a history for a back-test only."""

MOST_FAILURES = 10
"""Refusals in a row after which a desk counts as down: with their pauses, a quarter of an hour."""

Row = dict[str, Any]
Ours = Callable[[Sequence[TicketId]], Mapping[TicketId, Mapping[str, FieldValue]]]
"""Gives the values that triaged last set on tickets, by field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A tenant's desk, and how to wait for it."""

    settings: TenantSettings
    adapter: Adapter
    clock: Clock
    jitter: retry.Jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What was pulled, and what of it can be learnt from."""

    tickets: int
    labels: Mapping[Aspect, Counter[str]] = field(default_factory=dict)
    """How many tickets have each label."""
    ours: Counter[Aspect] = field(default_factory=Counter)
    """Values left out because triaged had set them, and no person changed them since."""


def pull(
    source: Source, since: datetime, output: Path, ours: Ours, say: Callable[[str], None]
) -> Pulled:
    """Write every ticket resolved after `since` to `output`, one JSON object a line.

    What came so far lies in a file beside it; after a kill the same call goes on from there. Waits
    when the desk asks for it. An output that exists is never touched: raises `BadHistory`.
    """
    if output.exists():
        raise BadHistory(f"{output} exists and is never overwritten; name another --output")
    part = output.with_name(f".{output.name}.part")
    rows = _begun(part)
    if rows:
        say(f"going on after {len(rows)} tickets")
        since = max(since, *(datetime.fromisoformat(row["updated_at"]) for row in rows.values()))
    names = _group_names(source, say)
    with _private(part, os.O_APPEND) as opened:
        opened.write(b"\n")  # the last line may be half there
        for tickets in _pages(source, since, say):
            new = [row_of(source.settings, ticket, names) for ticket in tickets]
            _write(opened, new)
            rows |= {row["id"]: row for row in new}
            say(f"{len(rows)} tickets so far")
    pulled = _labelled(source.settings, rows, ours)
    whole = part.with_suffix(".whole")
    with _private(whole, os.O_TRUNC) as opened:
        _write(opened, rows.values())
    whole.rename(output)
    part.unlink()
    return pulled


def row_of(settings: TenantSettings, ticket: Ticket, names: Mapping[str, str]) -> Row:
    """Give what is kept of a ticket: cleaned as at serving, personal data masked."""
    first = clean(replace(ticket, subject="", last_message="", last_message_id=""))
    return {
        "id": ticket.id,
        "created_at": ticket.created_at.isoformat(),
        "updated_at": ticket.updated_at.isoformat(),
        "subject": mask(ticket.subject),
        "description": mask(first),
        "group": names.get(ticket.group, ticket.group),
        "assignee": ticket.assignee,
        "fields": {
            aspect: ticket.fields.get(mapped.field) for aspect, mapped in _mapped(settings).items()
        },
    }


def _mapped(settings: TenantSettings) -> Mapping[Aspect, AspectSettings]:
    """Give the aspects that have a field of their own to learn from, whatever their mode."""
    found = {aspect: getattr(settings.aspects, aspect) for aspect in LEARNT}
    return {aspect: one for aspect, one in found.items() if one and one.field != TAGS}


def _labelled(settings: TenantSettings, rows: Mapping[str, Row], ours: Ours) -> Pulled:
    """Turn field values into labels, in place; what triaged itself had set teaches nothing."""
    mapped = _mapped(settings)
    labels: dict[Aspect, Counter[str]] = {aspect: Counter() for aspect in mapped}
    left_out: Counter[Aspect] = Counter()
    own = ours([TicketId(ticket) for ticket in rows])
    suggested = settings.aspects.assignee
    for ticket, row in rows.items():
        values = row.pop("fields")
        given = own.get(TicketId(ticket), {}).get(suggested.field) if suggested else None
        if given and given == row.get("assignee"):
            left_out[Aspect.ASSIGNEE] += 1
            row["assignee"] = ""
        for aspect, chosen in mapped.items():
            value = values.get(aspect)
            label = _label(chosen, value)
            if label and value == own.get(TicketId(ticket), {}).get(chosen.field):
                left_out[aspect] += 1
                label = ""
            row[aspect] = label
            labels[aspect].update([label] if label else [])
    return Pulled(tickets=len(rows), labels=labels, ours=left_out)


def _label(chosen: AspectSettings, value: FieldValue) -> str:
    """Give the label that a field's value stands for; none for what a desk fills in by itself."""
    told = value.strip() if isinstance(value, str) else ""
    if not told or told in chosen.treat_as_empty:
        return ""
    return {written: label for label, written in chosen.values.items()}.get(told, told)


def _pages(
    source: Source, since: datetime, say: Callable[[str], None]
) -> Iterator[Sequence[Ticket]]:
    """Walk the history; after a refusal, from the newest ticket that came on."""
    failures = 0
    while True:
        try:
            for page in source.adapter.history(since):
                failures = 0
                since = max([since, *(ticket.updated_at for ticket in page.items)])
                yield page.items
        except Retry as error:
            failures += 1
            _wait(source, failures, error, say)
        else:
            return


def _wait(source: Source, failures: int, error: Retry, say: Callable[[str], None]) -> None:
    """Leave the desk alone for as long as it asked; raises the error when it is down."""
    if failures > MOST_FAILURES:
        raise error
    seconds = retry.pause(failures, error, source.jitter)
    say(f"the desk cannot answer now; going on in {seconds:.0f} s")
    source.clock.sleep(seconds)


def _group_names(source: Source, say: Callable[[str], None]) -> Mapping[str, str]:
    adapter: Adapter = source.adapter
    if not isinstance(adapter, ListsStaff):
        return {}
    failures = 0
    while True:
        try:
            return {group.id: group.name for group in adapter.staff().groups}
        except Retry as error:
            failures += 1
            _wait(source, failures, error, say)


def _begun(part: Path) -> dict[str, Row]:
    """Give the rows of a pull that was killed."""
    rows: dict[str, Row] = {}
    for line in part.read_bytes().splitlines() if part.is_file() else ():
        with suppress(ValueError):
            row = json.loads(line)
            rows[row["id"]] = row
    return rows


def _private(path: Path, mode: int) -> BinaryIO:
    """Open a file for writing that nobody else may read."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | mode, 0o600), "wb")


def _write(opened: BinaryIO, rows: Iterable[Row]) -> None:
    """Write rows, durable once this returns."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    opened.writelines(line.encode("utf-8", "replace") for line in lines)
    opened.flush()
    os.fsync(opened.fileno())
