"""Counts the calls that a desk in trouble gets, in virtual time, with the real worker and store.

A call takes 0.2 virtual seconds. A ticket costs a calm desk one write, and its share of a read of
up to 32 tickets. `--short` takes fewer tickets.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from by_hand import ACME, rule
from conftest import WordClassifier
from stormy_desk import Outcome, Trouble, weather

from adapters.memory import MemoryAdapter
from connector.clock import SystemClock
from connector.desk import Desk
from connector.errors import Retry
from connector.model import Aspect, Identity, Staff

WINDOW = (60.0, 660.0)
"""Virtual seconds between which the desk answers 429: ten minutes."""

CRITICAL = 50


def a_desk() -> Desk:
    """Give a desk whose adapter the simulation replaces."""
    return Desk(
        tenant=ACME,
        adapter=MemoryAdapter(SystemClock()),
        classifier=WordClassifier(),
        bundle="words@1",
        identity=Identity(account="memory", name="Triage"),
        rules=(rule(Aspect.CATEGORY, "category"),),
        staff=Staff(),
    )


def run(trouble: Trouble, *, tickets: int, every: float) -> Outcome:
    """Run one simulation on a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return weather(Path(folder) / "state", a_desk(), trouble, tickets=tickets, every=every)


def limited(at: float) -> Retry | None:
    """Answer 429 for ten minutes, and say for how long."""
    begin, end = WINDOW
    return Retry("429", after=end - at) if begin <= at < end else None


def down_half_of(length: float) -> Trouble:
    """Give a desk that is up and down in turns of `length` seconds."""
    return lambda at: Retry("503") if int(at / length) % 2 else None


def each_second_call() -> Trouble:
    """Give a desk that fails any call by the toss of a coin."""
    coin = random.Random(1)
    return lambda _at: Retry("503") if coin.random() < 0.5 else None


def main() -> None:
    """Print how often each desk was called."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="60 tickets each instead of 300")
    tickets = 60 if parser.parse_args().short else 300
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    console = Console()
    begin, end = WINDOW
    outcome = run(limited, tickets=tickets, every=2)
    inside = outcome.within(begin, end)
    console.print(f"429 for ten minutes: {inside} call told, {inside - 1} calls after it inside")
    table = Table(title=f"{tickets} tickets")
    for column in ("desk", "arrivals", "calls", "calls per effect"):
        table.add_column(column, justify="left" if column == "desk" else "right")
    weathers = [("calm", lambda _at: None)]
    weathers += [
        (f"down half of the time, {length} s each", down_half_of(length))
        for length in (10, 30, 60, 300)
    ]
    weathers.append(("each call fails with 50 %", each_second_call()))
    for name, trouble in weathers:
        for arrivals, every in (("backlog", 0.01), ("each 2 s", 2.0)):
            outcome = run(trouble, tickets=tickets, every=every)
            per_effect = f"{outcome.calls_per_effect:.2f}"
            table.add_row(name, arrivals, str(len(outcome.calls)), per_effect)
    console.print(table)


if __name__ == "__main__":
    main()
