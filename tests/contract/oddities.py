"""Has a desk answer with JSON of another shape than it promised; what comes of it must be ours.

In each answer one random part is taken out or replaced. An adapter may read on, or raise one of our
errors; anything else would be met by nobody who knows what happens next. `--answers 3000` is the
full size, for each of `--desks`.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any
from unittest import mock

from people import HandClock, category, read
from race import DESKS
from requests import PreparedRequest, Response
from rest_people import RestPeople
from rich.console import Console

from adapters.http import DeskSession
from adapters.rest.sandbox import RestSandbox
from connector.errors import TriagedError
from connector.model import TicketId
from connector.ports import ListsBacklog

ALL: dict[str, tuple[Any, Any]] = {**DESKS, "rest": (RestSandbox, RestPeople)}
ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    0,
    -1,
    1e300,
    True,
    [],
    {},
    [None],
    [[]],
    {"x": None},
    "\x00",
)


class Mutator:
    """Changes one part of every answer while it is on."""

    def __init__(self, seed: int) -> None:
        self._chosen = random.Random(seed)
        self.is_on = False
        self.answers = 0
        self.changed = ""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Stand between the adapter and the desk."""
        send = DeskSession.send

        def odd(session: DeskSession, request: PreparedRequest, **more: Any) -> Response:
            response = send(session, request, **more)
            if self.is_on and response.content:
                self._change(response)
            return response

        with mock.patch.object(DeskSession, "send", odd):
            yield

    def _change(self, response: Response) -> None:
        told = json.loads(response.content)
        places = [*_places(told)]
        holder, key = self._chosen.choice(places) if places else (None, None)
        if holder is None:
            return
        self.answers += 1
        if isinstance(holder, dict) and self._chosen.random() < 0.3:
            del holder[key]
            self.changed = f"{response.request.method} {key!r} left out"
        else:
            holder[key] = self._chosen.choice(ODD)
            self.changed = f"{response.request.method} {key!r}: {holder[key]!r}"
        response._content = json.dumps(told).encode()


def _places(told: Any) -> Iterator[tuple[Any, Any]]:
    keys = told if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ()
    for key in keys:
        yield told, key
        yield from _places(told[key])


def odd_answers(name: str, answers: int, seed: int) -> Counter[str]:
    """Let one desk answer oddly so often; give what was raised beside our errors, and how often."""
    sandbox_of, people_of = ALL[name]
    clock, mutator, chosen = HandClock(), Mutator(seed), random.Random(seed)
    found: Counter[str] = Counter()
    with sandbox_of(now=clock.now) as sandbox, closing(people_of(sandbox, clock)) as people:
        ticket = people.arrive("VPN down", "It does not connect.")
        people.reply(ticket, "hello?")
        people.change(people.arrive("old", "case"), solve=True)
        people.settle()
        with mutator.watching():
            while mutator.answers < answers:
                clock.advance(1)  # or the desk's limit is used up
                act = chosen.choice(Acts(people, ticket).all())
                mutator.is_on = True
                try:
                    act()
                except TriagedError:
                    found["ours"] += 1
                except Exception as error:  # noqa: BLE001 that is what is looked for
                    found[f"{act.__name__}: {type(error).__name__}: {mutator.changed}"] += 1
                finally:
                    mutator.is_on = False
    return found


class Acts:
    """All that an adapter is asked for; of pages two, since the oddity may be that none is last."""

    def __init__(self, people: Any, known: TicketId) -> None:
        self._people, self._adapter = people, people.adapter
        self._ticket = read(people, known)
        self._since = people.clock.now() - timedelta(days=1)

    def all(self) -> list[Callable[[], object]]:
        """List them."""
        reads = [self._adapter.check, self._adapter.describe_fields, self._adapter.staff]
        return [*reads, self.fetch, self.write, self.stream, self.past, self.backlog]

    def fetch(self) -> None:
        """Read a ticket."""
        self._adapter.fetch([self._ticket.id])

    def write(self) -> None:
        """Set a field to what it is not."""
        held = self._ticket.fields[self._people.mapped.category]
        other = next(each for each in self._people.mapped.categories if each != held)
        self._adapter.write(self._ticket, [category(self._people, other)])

    def stream(self) -> None:
        """Hear of changes."""
        list(islice(self._adapter.changed_since(None), 2))

    def past(self) -> None:
        """Read what was resolved."""
        list(islice(self._adapter.history(self._since), 2))

    def backlog(self) -> None:
        """Read what was left open, where the platform tells."""
        if isinstance(self._adapter, ListsBacklog):
            list(islice(self._adapter.backlog(self._since), 2))


def main() -> int:
    """Try each desk and tell what was raised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--answers", type=int, default=3000)
    parser.add_argument("--desks", nargs="+", choices=sorted(ALL), default=sorted(ALL))
    parser.add_argument("--seed", type=int, default=20)
    asked = parser.parse_args()
    console, wrong = Console(), 0
    for name in asked.desks:
        found = odd_answers(name, asked.answers, asked.seed)
        ours = found.pop("ours", 0)
        wrong += found.total()
        console.print(
            f"{name}: {asked.answers} odd answers, {ours} errors of ours, {found.total()} others"
        )
        for what, count in found.most_common(30):
            console.print(f"    {count} {what}", markup=False, soft_wrap=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
