"""Suggested assignees on two public histories, beside the commonest people and look-ups.

    python tests/bench/bench_assignee.py DATA

DATA holds `routing_sn_uci` (a real ServiceNow log) and `routing_synth_drapertoby`. Neither has
texts: what a ticket is like is told by its fields, one number each, in place of the encoder's. The
newest 30 % are asked about, each by what was resolved before. `ahead` is the 95 % interval of the
difference to what is configured by default, ticket by ticket.
"""

import csv
import gzip
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from connector.assign import Wishes
from connector.backtest import Score, backtest
from connector.model import Case, Past, TicketId

Row = Mapping[str, str]


@dataclass(frozen=True)
class Routing:
    folder: str
    file: str
    likeness: tuple[str, ...]
    lookups: tuple[tuple[str, ...], ...]
    group: str
    assignee: str
    opened: str
    resolved: str
    first: str = ""
    """The column with the group that a ticket was in when somebody was looked for."""


SETS = (
    Routing(
        folder="routing_sn_uci",
        file="data.csv.gz",
        likeness=(
            *("category", "subcategory", "symptom", "location"),
            *("impact_first", "urgency_first", "group_first"),
        ),
        lookups=(("category",), ("category", "subcategory"), ("group_first",)),
        group="group",
        assignee="assignee",
        opened="opened_at",
        resolved="resolved_at",
        first="group_first",
    ),
    Routing(
        folder="routing_synth_drapertoby",
        file="tickets.csv.gz",
        likeness=("category", "sub_category", "priority"),
        lookups=(("category",), ("category", "sub_category"), ("category", "priority")),
        group="category",
        assignee="assigned_agent_id",
        opened="created_at",
        resolved="closed_at",
    ),
)


def rows_of(data: Path, of: Routing) -> Sequence[Row]:
    with gzip.open(data / of.folder / of.file, "rt", encoding="utf-8") as opened:
        rows = [row for row in csv.DictReader(opened) if row[of.assignee] and row[of.resolved]]
    return sorted(rows, key=lambda row: row[of.opened])


def seconds(text: str) -> float:
    if text[2] == "-":
        return datetime.strptime(f"{text}+0000", "%d-%m-%Y %H:%M%z").timestamp()
    return datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()


def pasts_of(rows: Sequence[Row], of: Routing) -> Sequence[Past]:
    known: dict[tuple[str, str], int] = {}
    for row in rows:
        for name in of.likeness:
            known.setdefault((name, row[name]), len(known))
    pasts = []
    for number, row in enumerate(rows):
        vector = np.zeros(len(known))
        vector[[known[name, row[name]] for name in of.likeness]] = len(of.likeness) ** -0.5
        resolved = seconds(row[of.resolved])
        case = Case(
            ticket=TicketId(str(number)),
            group=row[of.group],
            assignee=row[of.assignee],
            vector=vector.astype("<f2").tobytes(),
            updated_at=resolved,
        )
        first = row[of.first] if of.first else ""
        opened = seconds(row[of.opened])
        known_by = {", ".join(key): "\0".join(row[name] for name in key) for key in of.lookups}
        pasts.append(
            Past(
                case=case,
                opened_at=opened,
                resolved_at=resolved,
                group=first,
                known_by=known_by,
            )
        )
    return pasts


def shown(name: str, score: Score, ahead: str = "") -> None:
    print(f"| {name} | {score.top_1:.3f} | {score.top_3:.3f} | {ahead} |")


def main(data: Path) -> None:
    plain = Wishes(half_life=timedelta(days=36500))
    kinds: Mapping[str, Wishes] = {
        "as configured by default": Wishes(),
        "load 1": Wishes(load=1.0),
        "load 0": Wishes(load=0.0, most_open=1e9),
        "load 0, old tickets count as new ones": Wishes(
            half_life=plain.half_life, load=0.0, most_open=1e9
        ),
    }
    for of in SETS:
        rows = rows_of(data, of)
        pasts = pasts_of(rows, of)
        print(f"\n{of.folder}: {len(pasts)} tickets")
        print("| | top 1 | top 3 | ahead, top 1, and top 3 |\n|---|---|---|---|")
        told = {name: backtest(pasts, wishes) for name, wishes in kinds.items()}
        for name, one in told.items():
            shown(name, one.everybody)
            shown(f"{name}, where sure enough ({one.named:.0%} of {one.tickets})", one.suggested)
        for name, rival in next(iter(told.values())).rivals.items():
            leads = (rival.lead_1, rival.lead_3)
            ahead = "; ".join(f"{low:+.3f} to {high:+.3f}" for low, high in leads)
            shown(f"going by {name}", rival.score, ahead)
        for name, one in told.items():
            print(f"spread of open tickets, {name}: {one.spread:.2f}, was {one.spread_before:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
