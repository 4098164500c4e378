"""Prints what cleaning and masking a ticket costs, in microseconds and as a multiple of len()."""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ruamel.yaml import YAML

from connector.clean import clean, mask
from connector.model import Status, Ticket, TicketId

ROOT = Path(__file__).parents[2]
WHEN = datetime(2025, 1, 1, tzinfo=UTC)


def ticket(number: str, subject: str, description: str) -> Ticket:
    return Ticket(
        id=TicketId(number),
        subject=subject,
        description=description,
        status=Status.OPEN,
        revision="1",
        created_at=WHEN,
        updated_at=WHEN,
    )


def shipped() -> list[Ticket]:
    reader = YAML(typ="safe")
    return [
        ticket(row["id"], row["subject"], row["body"])
        for path in sorted((ROOT / "classifiers/data").glob("tickets-*.yaml"))
        for row in reader.load(path)
    ]


def mails() -> list[Ticket]:
    paths = sorted((ROOT / "tests/fixtures/mail").iterdir())
    return [
        ticket(path.name, "RE: [#1] mail", path.read_text("utf-8"))
        for path in paths
        if not path.name.endswith(".expected.txt")
    ]


def cost(call: Callable[[Ticket], object], tickets: Sequence[Ticket]) -> float:
    """Give the microseconds per ticket of the quickest of five passes."""
    passes = []
    for _ in range(5):
        begin = time.perf_counter()
        for each in tickets:
            call(each)
        passes.append(time.perf_counter() - begin)
    return 1e6 * min(passes) / len(tickets)


def changed(tickets: Sequence[Ticket]) -> list[str]:
    """List shipped tickets, which hold no mail boilerplate, whose words cleaning cut away."""
    return [
        each.id
        for each in tickets
        if len(clean(each).split()) < len(f"{each.subject} {each.description}".split())
    ]


def main() -> None:
    tickets = shipped()
    for name, some in (("tickets", tickets), ("mails", mails())):
        if not some:
            continue
        length = cost(lambda each: len(each.description), some)
        cleaning = cost(clean, some)
        masking = cost(lambda each: mask(each.description), some)
        characters = sum(len(each.description) for each in some) / len(some)
        print(
            f"{name:8} n={len(some):4} {characters:5.0f} characters: "
            f"clean {cleaning:6.1f} µs ({cleaning / length:6.0f} × len), "
            f"mask {masking:6.1f} µs ({masking / length:6.0f} × len)"
        )
    cut = changed(tickets)
    print(f"shipped tickets cut: {len(cut)} of {len(tickets)}")
    if "-v" in sys.argv:
        for each in tickets:
            if each.id in cut:
                print(f"{each.id}\n{each.subject}\n{each.description}\n  ->\n{clean(each)}\n")


if __name__ == "__main__":
    main()
