"""The line from the inbox to a desk, on any people's desk: a worker that a test turns by hand."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import MappingProxyType

from people import Desk as People

from connector.decide import Rule
from connector.desk import Desk, staff_of
from connector.metrics import Metrics
from connector.model import (
    TAGS,
    Aspect,
    FieldInfo,
    FieldKind,
    FieldValue,
    Identity,
    Mode,
    Prediction,
    Reading,
    TenantId,
    Ticket,
    TicketId,
)
from connector.ports import Clock
from connector.roster import Roster
from connector.store import Place, Store
from connector.worker import Bell, Worker

ACME = TenantId("acme")
BUNDLE = "words@1"
MOOD = "calm"


class Words:
    """Answers with the category whose name the text holds, else with the first."""

    def __init__(self, categories: Sequence[str]) -> None:
        self._categories = categories

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Reading:
        named = [label for label in self._categories if f"is {label}" in text]
        answers = {
            Aspect.CATEGORY: (named or self._categories)[0],
            Aspect.PRIORITY: "high",
            Aspect.SENTIMENT: MOOD,
        }
        return Reading(
            predictions=tuple(
                Prediction(aspect=aspect, label=label, confidence=0.9, reason="by its words")
                for aspect, label in answers.items()
            ),
            vector=bytes(4),
        )


class Line:
    """A tenant's store and worker before a desk."""

    def __init__(self, people: People, store: Store, clock: Clock) -> None:
        self.people, self.store = people, store
        self._deliveries, self._cases = count(1), count(1)
        mapped = people.mapped
        fields = {info.id: info for info in people.adapter.describe_fields()}
        others = set(fields[mapped.category].options) - {"", *mapped.categories}
        self.blank: FieldValue = None if mapped.clears_choices else min(others)
        """What the category holds before anybody chose one: a drop-down that cannot be emptied
        again stands at an option that nobody chose."""
        tags = fields.get(TAGS) or FieldInfo(id=TAGS, title="Tags", kind=FieldKind.TAGS)
        rules = [
            _rule(Aspect.CATEGORY, fields[mapped.category], self.blank),
            _rule(Aspect.SENTIMENT, fields[mapped.text]),
            *([_rule(Aspect.PRIORITY, tags)] if mapped.tags else []),
        ]
        self.desk = Desk(
            tenant=ACME,
            adapter=people.adapter,
            classifier=Words(mapped.categories),
            bundle=BUNDLE,
            identity=Identity(account="triage", name="Triage"),
            rules=tuple(rules),
            staff=staff_of(people.adapter),
        )
        self._roster = roster = Roster([ACME], clock)
        roster.admit(self.desk)
        self._worker = Worker(
            store=store, roster=roster, clock=clock, bell=Bell(), metrics=Metrics()
        )

    def arrive(self, text: str = "something is odd") -> TicketId:
        """Have a requester file a ticket."""
        chosen = {self.people.mapped.category: self.blank} if self.blank else {}
        return self.people.arrive(f"case {next(self._cases)}", text, fields=chosen)

    def triage(self, *tickets: TicketId) -> None:
        """Work the tickets off, as if their desk had told of them."""
        self.store.inbox.receive(ACME, tickets, delivery=f"d{next(self._deliveries)}")
        while self._worker.turn():
            pass

    def amend(self, **changes: object) -> None:
        """Go on with a desk that is otherwise."""
        self.desk = replace(self.desk, **changes)
        self._roster.admit(self.desk)

    def shown(self, ticket: TicketId) -> Mapping[str, FieldValue]:
        """Give what stands where the line writes, tags of ours among it."""
        [now] = self.people.adapter.fetch([ticket])
        return standing(now, self.people)


def standing(ticket: Ticket, people: People) -> Mapping[str, FieldValue]:
    ours = sorted(tag for tag in ticket.tags if tag.startswith("triaged_"))
    mapped = people.mapped
    return {
        mapped.category: ticket.fields[mapped.category] or None,
        mapped.text: ticket.fields[mapped.text] or None,
        TAGS: tuple(ours),
    }


def _rule(aspect: Aspect, field: FieldInfo, blank: FieldValue = None) -> Rule:
    return Rule(
        aspect=aspect,
        field=field,
        mode=Mode.AUTO,
        values=MappingProxyType({}),
        treat_as_empty=frozenset({str(blank)} if blank else ()),
    )


@contextmanager
def line(people: People, clock: Clock, folder: Path) -> Iterator[Line]:
    with Store(Place(folder), clock) as store:
        yield Line(people, store, clock)
