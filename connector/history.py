"""A desk's resolved tickets as rows to learn from: text as first filed, values as in the end."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from connector import retry
from connector.clean import clean, mask
from connector.errors import BadHistory, Retry
from connector.harvest import Begun, Harvest, Row
from connector.model import TAGS, Aspect, Cursor, FieldValue, Page, Ticket, TicketId
from connector.ports import Adapter, Clock, ListsStaff
from connector.settings import AspectSettings, TenantSettings

LEARNT = (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT)
"""What can be learnt from a field. Who solved a ticket is learnt from the case book instead, and
stands in a history for a back-test only."""

MOST_FAILURES = 10
"""Refusals in a row after which a desk counts as down: with their pauses, a quarter of an hour."""

LABELLED_AT_ONCE = 500
"""Rows in memory at a time, so that a history of a million tickets fits."""

ItemT = TypeVar("ItemT")
Walk = Callable[[Cursor | None], Iterator[Page[ItemT]]]
"""A walk through a desk's past from a cursor on, or from its beginning."""

Ours = Callable[[Sequence[TicketId]], Mapping[TicketId, Mapping[str, FieldValue]]]
"""Gives the values that triaged last set on tickets, by field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What to say of progress: `words`, and how much lies behind, 0..1, where that is known."""

    words: str
    share: float | None = None


Say = Callable[[Told], None]


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
    source: Source, since: datetime, output: Path, ours: Ours, say: Say, *, exact: bool = True
) -> Pulled:
    """Write every ticket resolved after `since` to `output`, one JSON object a line.

    What came so far lies in a file beside it, with the desk's own position; after a kill the same
    call goes on from there, unless `exact` also with another time than it began with. Waits when
    the desk asks for it. An output that exists is never touched: raises `BadHistory`.
    """
    if output.exists():
        raise BadHistory(f"{output} exists and is never overwritten; name another --output")
    mapped = {str(aspect): chosen.field for aspect, chosen in _mapped(source.settings).items()}
    begun = Begun(tenant=source.settings.tenant, since=since, fields=mapped)
    with Harvest(output, begun, takes_any_time=not exact) as harvest:
        if harvest.count:
            say(Told(words=f"going on after {harvest.count} tickets", share=harvest.share))
        start = harvest.begun.since
        names = _group_names(source, say)

        def walk(place: Cursor | None) -> Iterator[Page[Ticket]]:
            return source.adapter.history(start, place)

        for page in () if harvest.whole else pages(source, walk, harvest.cursor, say):
            rows = [row_of(source.settings, ticket, names) for ticket in page.items]
            harvest.add(rows, page.cursor, page.share, last=page.last)
            say(Told(words=f"{harvest.count} tickets so far", share=page.share))
        pulled = _Labels(source.settings, ours)
        harvest.finish(pulled.of(harvest.rows()))
    return pulled.sums


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


@dataclass(slots=True)
class _Labels:
    """Turns field values into labels, and counts; what triaged had set itself teaches nothing."""

    settings: TenantSettings
    ours: Ours
    tickets: int = 0
    labels: dict[Aspect, Counter[str]] = field(default_factory=dict)
    left_out: Counter[Aspect] = field(default_factory=Counter)

    @property
    def sums(self) -> Pulled:
        """Give what was counted."""
        return Pulled(tickets=self.tickets, labels=self.labels, ours=self.left_out)

    def of(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield the rows with labels in place of values."""
        mapped = _mapped(self.settings)
        self.labels = {aspect: Counter() for aspect in mapped}
        while piece := list(islice(rows, LABELLED_AT_ONCE)):
            own = self.ours([TicketId(row["id"]) for row in piece])
            for row in piece:
                self.tickets += 1
                yield self._labelled(row, own.get(TicketId(row["id"]), {}), mapped)

    def _labelled(
        self,
        row: Row,
        own: Mapping[str, FieldValue],
        mapped: Mapping[Aspect, AspectSettings],
    ) -> Row:
        values = row.pop("fields")
        suggested = self.settings.aspects.assignee
        given = own.get(suggested.field) if suggested else None
        if given and given == row.get("assignee"):
            self.left_out[Aspect.ASSIGNEE] += 1
            row["assignee"] = ""
        for aspect, chosen in mapped.items():
            value = values.get(aspect)
            label = _label(chosen, value)
            if label and value == own.get(chosen.field):
                self.left_out[aspect] += 1
                label = ""
            row[aspect] = label
            self.labels[aspect].update([label] if label else [])
        return row


def _label(chosen: AspectSettings, value: FieldValue) -> str:
    """Give the label that a field's value stands for; none for what a desk fills in by itself."""
    told = value.strip() if isinstance(value, str) else ""
    if not told or told in chosen.treat_as_empty:
        return ""
    return {written: label for label, written in chosen.values.items()}.get(told, told)


def pages(
    source: Source, walk: Walk[ItemT], cursor: Cursor | None, say: Say
) -> Iterator[Page[ItemT]]:
    """Walk a desk's past; after a refusal, from the last page that came on.

    Raises `Retry` once the desk has refused so often that it counts as down.
    """
    failures = 0
    while True:
        try:
            for page in walk(cursor):
                failures = 0
                cursor = page.cursor
                yield page
        except Retry as error:
            failures += 1
            _wait(source, failures, error, say)
        else:
            return


def _wait(source: Source, failures: int, error: Retry, say: Say) -> None:
    """Leave the desk alone for as long as it asked; raises the error when it is down."""
    if failures > MOST_FAILURES:
        raise error
    seconds = retry.pause(failures, error, source.jitter)
    say(Told(words=f"the desk cannot answer now; going on in {seconds:.0f} s"))
    source.clock.sleep(seconds)


def _group_names(source: Source, say: Say) -> Mapping[str, str]:
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
