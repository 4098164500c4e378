"""Whether promised precision holds: public sets as a desk's history, then its later tickets.

    python tests/bench/bench_promises.py DATA [--sets banking77 multidogo senti4sd] [--seeds 20]

DATA holds `intent_en_banking77/data.csv.gz` and its like. Each set becomes the tickets of a
practice desk behind a real HTTP server: filed one after the other, and solved with their label in
the field. The first part is pulled as the tenant's history and learnt from; then the rest is filed,
solved, pulled in the same way, and asked about. The sets have no times: the order is drawn,
near-duplicates together, so that none of them stands in both periods.

A cell is a label at a precision that is asked for, with 50 answers or more in the later period. It
is kept when the share that is right is at most a point below what was asked.
"""

import argparse
import csv
import gzip
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from adapters.zendesk import platform
from adapters.zendesk.sandbox import ZendeskSandbox
from classifiers.evaluation.evaluate import evaluate
from classifiers.training.dedupe import clusters
from classifiers.training.recipe import train
from classifiers.training.split import drawn_groups
from connector import history
from connector.cli.train import cleaned
from connector.clock import SystemClock
from connector.model import Aspect
from connector.ports import EvaluationOrder, Surroundings, TrainingOrder
from connector.settings import TenantSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from world import Desk

LEARNT = 0.6
"""The share of the tickets that come first."""
ENOUGH, SLACK = 50, 0.01
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
APART = timedelta(minutes=5)
"""Between two tickets of the made-up time."""
SETS: Mapping[str, tuple[str, str, Aspect]] = {
    "banking77": ("intent_en_banking77", "category", Aspect.CATEGORY),
    "clinc150": ("intent_en_clinc150", "category", Aspect.CATEGORY),
    "multidogo": ("intent_en_multidogo", "category", Aspect.CATEGORY),
    "senti4sd": ("sent_en_senti4sd", "sentiment", Aspect.SENTIMENT),
}
OUTSIDE = "oos"
FIELDS = {Aspect.CATEGORY: "360001", Aspect.SENTIMENT: "360002"}
Ticket = tuple[str, str]
"""Text and label."""


@dataclass
class MadeUpTime:
    """The desk's clock: it moves with each ticket."""

    at: datetime = field(default=BEGIN)

    def now(self) -> datetime:
        return self.at


def tickets_of(data: Path, name: str, seed: int) -> Sequence[Ticket]:
    """Read a set, and put it into a drawn order in which near-duplicates stand together."""
    folder, column, _ = SETS[name]
    with gzip.open(data / folder / "data.csv.gz", "rt", encoding="utf-8") as opened:
        rows = [(row["body"], row[column]) for row in csv.DictReader(opened)]
    known = [row for row in rows if row[1] != OUTSIDE]
    places = drawn_groups(clusters([text for text, _ in known], seed), seed)
    return [known[place] for place in np.argsort(places, kind="stable")]


class Tenant:
    """A practice desk behind HTTP, its clock, and the settings that reach it."""

    def __init__(self, aspect: Aspect, resources: ExitStack) -> None:
        self._time = MadeUpTime()
        sandbox = ZendeskSandbox(now=self._time.now)
        self._desk = resources.enter_context(Desk(sandbox))
        self._desk.set(rate_limit=1_000_000)
        self._aspect = aspect
        settings = {
            "tenant": "bench",
            "desk": sandbox.options(),
            "aspects": {aspect: {"field": FIELDS[aspect]}},
        }
        self._settings = TenantSettings.model_validate(settings)
        surroundings = Surroundings(secret=lambda _: sandbox.token, clock=SystemClock())
        self._adapter = resources.enter_context(platform.connect(sandbox.options(), surroundings))

    def file(self, tickets: Sequence[Ticket]) -> datetime:
        """File and solve tickets over HTTP; give the moment before the first one."""
        began = self._time.at
        for text, label in tickets:
            self._time.at += APART
            fields = {FIELDS[self._aspect]: label}
            self._desk.arrive("", text, fields=fields, status="solved")
        self._time.at += timedelta(hours=1)  # an export's newest minute is withheld
        return began

    def pull(self, since: datetime, output: Path) -> int:
        """Pull what was solved since then, as `triaged history pull` does."""
        source = history.Source(
            settings=self._settings,
            adapter=self._adapter,
            clock=SystemClock(),
            jitter=lambda _, high: high,
        )
        return history.pull(source, since, output, lambda _: {}, lambda _: None).tickets


def run(data: Path, name: str, seed: int, folder: Path) -> Iterator[Mapping[str, Any]]:
    """Carry one set through, and give its cells."""
    aspect = SETS[name][2]
    tickets = tickets_of(data, name, seed)
    cut = round(len(tickets) * LEARNT)
    with ExitStack() as resources:
        tenant = Tenant(aspect, resources)
        parts = []
        for part, filed in (("history", tickets[:cut]), ("later", tickets[cut:])):
            path = folder / f"{name}-{seed}-{part}.jsonl"
            parts.append((path, tenant.pull(tenant.file(filed), path)))
    (learnt, _), (later, _) = parts
    columns: dict[str, Any] = {
        "text": ("subject", "description"),
        "labels": {aspect: str(aspect)},
        "seed": seed,
    }
    bundle = folder / f"{name}-{seed}"
    started = monotonic()
    order = TrainingOrder(history=learnt, output=bundle, time="created_at", **columns)
    train(order, cleaned, lambda _: None)
    spent = monotonic() - started
    asked = EvaluationOrder(bundle=str(bundle), history=later, baseline=False, **columns)
    found = evaluate(asked, cleaned, lambda _: None, 2)["aspects"][aspect]
    pulled = " / ".join(str(count) for _, count in parts)
    for level in found["dial"]:
        cells = [one for one in level["labels"] if one["n"] >= ENOUGH]
        kept = [one for one in cells if one["right"] / one["n"] >= level["asked"] - SLACK]
        row = (
            *(f"{name}, seed {seed}", pulled, f"{spent:.0f} s", f"{level['asked']:.2f}"),
            *(f"{level['coverage']:.2f}", shown(level), f"{len(kept)} of {len(cells)}"),
        )
        print("| " + " | ".join(row) + " |", flush=True)
        yield from ({**one, "kept": one in kept} for one in cells)


def shown(level: Mapping[str, Any]) -> str:
    """Give the precision with its interval."""
    if level["precision"] is None:
        return "nothing written"
    low, high = level["interval"]
    return f"{level['precision']:.3f} ({low:.3f} to {high:.3f})"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--sets", nargs="+", choices=SETS, default=["banking77", "multidogo", "senti4sd"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[20])
    asked = parser.parse_args(arguments)
    heads = ("set", "history / later", "learning", "asked", "written", "right (95 %)", "cells kept")
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as made:
        cells = [
            cell
            for name in asked.sets
            for seed in asked.seeds
            for cell in run(asked.data, name, seed, Path(made))
        ]
    kept = sum(cell["kept"] for cell in cells)
    share = f" ({kept / len(cells):.1%})" if cells else ""
    print(f"\n{kept} of {len(cells)} cells kept{share}")


if __name__ == "__main__":
    main(sys.argv[1:])
