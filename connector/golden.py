"""Golden tickets asked again: what a bundle answers now, beside what was answered once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connector.errors import Diverging
from connector.model import Prediction
from connector.ports import BundleFacts, Engine, GoldenAnswer, GoldenTicket

TOLERANCE = 0.05
"""How far a confidence may move. int8 on another processor moves it by hundredths; a bar that an
administrator sets is told in steps of this size."""
SHOWN = 48
"""Characters of a golden ticket that tell it from others; it is synthetic, nobody's own."""
SHOWN_MOVES = 3
"""Moves that a message names; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing that is otherwise: of a ticket's answer, or with no ticket of what can be asked."""

    ticket: str = ""
    aspect: str
    before: str
    now: str

    def __str__(self) -> str:
        place = f"{self.aspect} of “{self.ticket}”" if self.ticket else self.aspect
        return f"{place}: {self.before} → {self.now}"


def replay(engine: Engine, facts: BundleFacts) -> None:
    """Ask a bundle its own golden tickets; raises `Diverging` when it answers otherwise here."""
    moves = answered_otherwise(engine, facts.golden)
    if moves:
        shown = "; ".join(map(str, moves[:SHOWN_MOVES]))
        more = f", and {len(moves) - SHOWN_MOVES} more" if len(moves) > SHOWN_MOVES else ""
        raise Diverging(f"{facts.title}: {shown}{more}")


def compare(engine: Engine, facts: BundleFacts, earlier: BundleFacts) -> Sequence[Move]:
    """Ask a bundle the golden tickets of an earlier one, and list all that is otherwise.

    Aspects and labels that only one of both has are listed as such.
    """
    return [*_only_in_one(earlier, facts), *answered_otherwise(engine, earlier.golden, known=facts)]


def answered_otherwise(
    engine: Engine, tickets: Sequence[GoldenTicket], known: BundleFacts | None = None
) -> Sequence[Move]:
    """List answers with another label, or a confidence that moved by more than `TOLERANCE`.

    With `known`, aspects that it does not answer are left out.
    """
    classifier = engine.classifier({})
    # One by one: a desk's own ticket may be waiting for the same encoder.
    return [
        move
        for ticket in tickets
        for reading in classifier.predict([ticket.text])
        for move in _moves(ticket, reading.predictions, known)
    ]


def _moves(
    ticket: GoldenTicket, predictions: Sequence[Prediction], known: BundleFacts | None
) -> Iterator[Move]:
    now = {one.aspect: one for one in predictions}
    for aspect, before in ticket.answers.items():
        if known is not None and aspect not in known.labels:
            continue
        given = now.get(aspect)
        if given is not None and _alike(before, given):
            continue
        yield Move(
            ticket=_shown(ticket.text),
            aspect=aspect,
            before=_said(before.label, before.confidence),
            now=_said(given.label, given.confidence) if given else "not answered",
        )


def _alike(before: GoldenAnswer, now: Prediction) -> bool:
    moved = abs(before.confidence - now.confidence)
    return before.label == now.label and moved <= TOLERANCE


def _only_in_one(before: BundleFacts, now: BundleFacts) -> Iterator[Move]:
    for aspect in (*before.labels, *(one for one in now.labels if one not in before.labels)):
        if aspect not in now.labels:
            yield Move(aspect=aspect, before="answered", now="not answered at all")
        elif aspect not in before.labels:
            yield Move(aspect=aspect, before="not answered at all", now="answered")
        else:
            old, new = before.labels[aspect], now.labels[aspect]
            gone = [label for label in old if label not in new]
            come = [label for label in new if label not in old]
            yield from (Move(aspect=aspect, before=label, now="no such label") for label in gone)
            yield from (Move(aspect=aspect, before="no such label", now=label) for label in come)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _said(label: str | None, confidence: float) -> str:
    return f"{label or 'unsure'} {confidence:.2f}"
