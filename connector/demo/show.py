"""What the demonstration shows: a table that grows, then a summary with figures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from connector.demo.play import Answer, Proof
from connector.model import Action, Aspect

_COLOURS = {
    "negative": "red",
    "positive": "green",
    "urgent": "bold red",
    "high": "yellow",
    "low": "dim",
}

_COLUMNS = {
    "ticket": 10,
    "via": 4,
    "subject": 30,
    "lang": 4,
    "category": 20,
    "priority": 11,
    "sentiment": 13,
    "suggested assignee": 34,
    "ms": 5,
}
"""Widths in characters; the two wide columns give way on a narrow terminal."""

_NARROWEST = {"subject": 10, "suggested assignee": 18}
_NUMBERS = {"ticket", "ms"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The demonstration in figures."""

    tickets: int
    seconds: float
    proofs: Sequence[Proof]

    @property
    def wrong(self) -> Sequence[Proof]:
        """Give the tickets whose fields are not as they should be."""
        return [proof for proof in self.proofs if proof.wrong]

    def as_json(self) -> dict[str, Any]:
        """Give the figures for programs."""
        return {
            "tickets": self.tickets,
            "seconds": round(self.seconds, 2),
            "tickets_per_second": round(self.tickets / self.seconds, 2),
            "fields_written": sum(proof.written for proof in self.proofs),
            "tickets_verified": len(self.proofs) - len(self.wrong),
            "wrong": {proof.answer.arrival.id: list(proof.wrong) for proof in self.wrong},
            "milliseconds": {
                source: {"tickets": len(times), "p50": _p50(times), "p99": _p99(times)}
                for source, times in self._times().items()
            },
            "agreement": {
                aspect: {"answered": answered, "agrees": agrees}
                for aspect, (answered, agrees) in self._agreement().items()
            },
        }

    def _times(self) -> dict[str, list[int]]:
        times: dict[str, list[int]] = {}
        for proof in self.proofs:
            times.setdefault(proof.answer.source, []).append(proof.answer.milliseconds)
        return dict(sorted(times.items(), reverse=True))

    def _agreement(self) -> dict[str, tuple[int, int]]:
        """Count, per aspect, the labels given and how many equal those of the tickets' writer."""
        answered: Counter[str] = Counter()
        agrees: Counter[str] = Counter()
        for proof in self.proofs:
            for aspect, label in proof.answer.arrival.ticket.labels.items():
                verdict = proof.answer.verdicts.get(aspect)
                if verdict is not None and verdict["value"] is not None:
                    answered[aspect] += 1
                    agrees[aspect] += verdict["value"] == label
        return {aspect: (answered[aspect], agrees[aspect]) for aspect in answered}

    def lines(self) -> Iterable[RenderableType]:
        """Give the summary for people."""
        facts = self.as_json()
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        rate = f"{facts['tickets_per_second']} per second"
        table.add_row("tickets triaged", f"{self.tickets} in {facts['seconds']} s ({rate})")
        for source, times in facts["milliseconds"].items():
            table.add_row(
                f"arrival → fields written, by {source}",
                f"p50 {times['p50']} ms, p99 {times['p99']} ms ({times['tickets']} tickets)",
            )
        table.add_row(
            "write-backs verified",
            f"{facts['tickets_verified']} of {self.tickets} tickets read back and right"
            f" ({facts['fields_written']} fields written)",
        )
        for aspect, found in facts["agreement"].items():
            table.add_row(
                f"{aspect} as its writer has it",
                f"{found['agrees']} of the {found['answered']} answered"
                f" ({self.tickets - found['answered']} left to people)",
            )
        yield Text("\nWhat happened", "bold")
        yield table
        for proof in self.wrong:
            yield Text(f"✗ ticket {proof.answer.arrival.name}: {'; '.join(proof.wrong)}", "red")


class Rows:
    """Prints answers as rows, one at a time: the same on a terminal, in a pipe and in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._widths = dict(_COLUMNS)
        width = console.width if console.is_terminal else sum(_COLUMNS.values()) + len(_COLUMNS)
        for name, least in _NARROWEST.items():
            excess = sum(self._widths.values()) + len(self._widths) - width
            self._widths[name] = max(least, self._widths[name] - max(0, excess))

    def heading(self) -> None:
        """Print the columns' names."""
        self._print([Text(name, "bold") for name in self._widths])

    def add(self, answer: Answer) -> None:
        """Print an answer."""
        self._print(_cells(answer))

    def _print(self, cells: Sequence[Text]) -> None:
        row = Text()
        for cell, (name, width) in zip(cells, self._widths.items(), strict=True):
            cell.truncate(width, overflow="ellipsis")
            cell.align("right" if name in _NUMBERS else "left", width)
            row.append_text(cell).append(" ")
        row.rstrip()
        self._console.print(row, highlight=False, soft_wrap=True)


def _cells(answer: Answer) -> list[Text]:
    return [
        Text(answer.arrival.name),
        Text("hook" if answer.source == "webhook" else "poll"),
        Text(answer.arrival.ticket.subject),
        Text(answer.language or "?"),
        *(_verdict(answer, aspect) for aspect in Aspect),
        Text(str(answer.milliseconds)),
    ]


def _verdict(answer: Answer, aspect: Aspect) -> Text:
    verdict = answer.verdicts.get(aspect)
    if verdict is None:
        return Text("")
    if verdict["action"] == Action.PERSON:
        return Text("kept (a person's)", "cyan")
    if verdict["action"] == Action.ABSTAIN or verdict["value"] is None:
        return Text("unsure", "dim italic")
    colour = _COLOURS.get(verdict["value"], "")
    return Text(f"{verdict['value']} {verdict['confidence']:.2f}", colour)


def _p50(times: Sequence[int]) -> int:
    return round(median(times))


def _p99(times: Sequence[int]) -> int:
    return round(quantiles(times, n=100, method="inclusive")[98]) if len(times) > 1 else times[0]
