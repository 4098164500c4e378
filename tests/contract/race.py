"""Has a person change a ticket at a random moment while triaged reads and writes it; who wins?

Before or after a random one of the calls that triage makes for a ticket (reading it, looking again,
writing fields, writing tags), a person changes the very field that is being written, a tag, or
another field, sometimes twice. Afterwards triage hears of the change, the requester says something
more, and what the person did must still stand. The worker, the store and the adapter are the real
ones, the desk is a practice desk behind HTTP.

`--interleavings 1000` is the full size, for each of `--desks`. With `--same-second` people act
within the second of the last change, which a desk with stamps of whole seconds cannot tell.
"""

import argparse
import logging
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import structlog
from line import Line, line
from people import Desk, HandClock, read
from rich.console import Console
from rt_people import RtSandboxPeople
from servicenow_people import SandboxPeople as InstancePeople
from zendesk_people import SandboxPeople as ZendeskPeople

from adapters.http import DeskSession
from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox
from adapters.zendesk.sandbox import ZendeskSandbox
from connector.model import FieldValue, TicketId

DESKS: dict[str, tuple[Any, Any]] = {
    "zendesk": (ZendeskSandbox, ZendeskPeople),
    "rt": (RtSandbox, RtSandboxPeople),
    "servicenow": (ServiceNowSandbox, InstancePeople),
}
UNCONDITIONAL = frozenset({"servicenow"})
"""Platforms that cannot refuse a write because somebody came between."""

HANDS = ("category", "text", "tags", "other")


@dataclass(slots=True)
class Sums:
    """How it went on one desk; `lost` are changes of a person that did not survive."""

    desk: str
    interleavings: int = 0
    changes: int = 0
    conflicts: int = 0
    written: int = 0
    lost: int = 0
    where: Counter[str] = field(default_factory=Counter)
    lost_where: Counter[str] = field(default_factory=Counter)


class Interleaver:
    """Counts triage's calls, and has somebody act before or after the chosen ones."""

    def __init__(self) -> None:
        self.acts: dict[tuple[int, str], Any] = {}
        self.calls: list[str] = []
        self._is_acting = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Come between while the block runs."""
        self.calls = []
        send = DeskSession.send

        def overtaken(session: DeskSession, request: Any, **more: Any) -> Any:
            if self._is_acting:
                return send(session, request, **more)
            self.calls.append(str(request.method))
            number = len(self.calls)
            self._act(number, "before")
            try:
                return send(session, request, **more)
            finally:
                self._act(number, "after")

        with mock.patch.object(DeskSession, "send", overtaken):
            yield

    def _act(self, number: int, when: str) -> None:
        act = self.acts.pop((number, when), None)
        if act is not None:
            self._is_acting = True
            try:
                act(f"{when} call {number} ({self.calls[number - 1]})")
            finally:
                self._is_acting = False


class Person:
    """Somebody who changes a ticket, and knows what must stand at the end."""

    def __init__(self, desk: Desk, ticket: TicketId, chosen: random.Random) -> None:
        self._desk, self._ticket, self._chosen = desk, ticket, chosen
        self._fields: dict[str, FieldValue] = {}
        self._tags: dict[str, bool] = {}
        self.acted = 0
        self.places: list[str] = []

    def act(self, place: str) -> None:
        """Change something now."""
        mapped, hand = self._desk.mapped, self._chosen.choice(HANDS)
        self.acted += 1
        self.places.append(f"{place}, {hand}")
        if hand == "tags" and mapped.tags:
            present = read(self._desk, self._ticket).tags
            self._desk.change(self._ticket, tags=["vip"])
            ours = {tag: False for tag in present if tag.startswith("triaged_")}
            self._tags |= {"vip": True, **ours}
            return
        if hand in {"tags", "other"}:
            self._desk.note(self._ticket, "called the user back")
            return
        change: dict[str, FieldValue] = {
            "category": {mapped.category: mapped.categories[1]},
            "text": {mapped.text: self._chosen.choice(["Ada", "Ben"])},
        }[hand]
        self._desk.change(self._ticket, fields=change)
        self._fields |= change

    def survived(self) -> bool:
        """Tell whether all that was done stands."""
        now = read(self._desk, self._ticket)
        return all(
            (now.fields[name] or None) == (value or None) for name, value in self._fields.items()
        ) and all((tag in now.tags) is stands for tag, stands in self._tags.items())


def race(name: str, interleavings: int, seed: int, *, same_second: bool = False) -> Sums:
    """Run one desk's interleavings."""
    sandbox_of, people_of = DESKS[name]
    clock, chosen, sums = HandClock(), random.Random(seed), Sums(name)
    with ExitStack() as stack:
        sandbox = stack.enter_context(sandbox_of(now=clock.now))
        people = people_of(sandbox, clock)
        stack.callback(people.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        one_line = stack.enter_context(line(people, clock, folder / "state"))
        calls = calls_of(one_line)
        if same_second:
            stack.enter_context(mock.patch.object(people, "later"))
        for _ in range(interleavings):
            _one(one_line, chosen, calls, sums)
    return sums


def calls_of(one_line: Line) -> int:
    """Count the calls of a ticket that nobody comes between.

    It is the second that counts: at the first an adapter may learn something that it remembers.
    """
    one_line.triage(one_line.arrive())
    watch = Interleaver()
    ticket = one_line.arrive()
    with watch.watching():
        one_line.triage(ticket)
    return len(watch.calls)


def _one(one_line: Line, chosen: random.Random, calls: int, sums: Sums) -> None:
    people, ticket = one_line.people, one_line.arrive()
    person, watch = Person(people, ticket, chosen), Interleaver()
    for _ in range(chosen.choice([1, 1, 1, 2])):
        watch.acts[chosen.randint(1, calls), chosen.choice(["before", "after"])] = person.act
    with watch.watching():
        one_line.triage(ticket)
    one_line.triage(ticket)  # the desk tells of the person's change
    people.reply(ticket, f"it is {people.mapped.categories[0]}")
    one_line.triage(ticket)
    survived = person.survived()
    sums.interleavings += 1
    sums.changes += person.acted
    sums.conflicts += len(watch.calls) > calls
    sums.written += bool(one_line.store.ledger.written(one_line.desk.tenant, ticket))
    sums.lost += not survived
    sums.where.update(person.places)
    if not survived:
        sums.lost_where.update(person.places)


def main() -> int:
    """Race on each desk and say who won."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--interleavings", type=int, default=1000)
    parser.add_argument("--desks", nargs="+", choices=sorted(DESKS), default=sorted(DESKS))
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--same-second", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console, failed = Console(), False
    for name in asked.desks:
        sums = race(name, asked.interleavings, asked.seed, same_second=asked.same_second)
        console.print(
            f"{name}: {sums.interleavings} interleavings, {sums.changes} changes by people,"
            f" {sums.conflicts} that made triage read again, {sums.written} tickets written;"
            f" lost: {sums.lost}",
            soft_wrap=True,
        )
        for place, count in sums.lost_where.most_common(8):
            console.print(f"    {count} of {sums.where[place]} {place}", markup=False)
        failed |= bool(sums.lost) and name not in UNCONDITIONAL
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
