"""`triaged classify`: what the model says about texts, without any desk."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.table import Table

from connector.app import load_engine
from connector.clean import clean
from connector.cli import options
from connector.cli.place import bundle_folder
from connector.errors import TriagedError
from connector.model import Aspect, Reading, Status, Ticket, TicketId
from connector.ports import Labels
from connector.settings import Models

_ANSWERS = 68
"""Columns that the table needs beside the text, with the longest of the shipped labels."""

_NEVER = datetime.fromtimestamp(0, UTC)

_CHUNK = 64
"""Texts read together: enough to keep every core busy, few enough to show results as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A text to classify; `id` is the caller's own, or the number of the line."""

    id: str
    subject: str = ""
    text: str

    @property
    def ticket(self) -> Ticket:
        """Give the text as a ticket that nobody has filed, to be cleaned as one."""
        return Ticket(
            id=TicketId(self.id),
            subject=self.subject,
            description=self.text,
            status=Status.OPEN,
            revision="",
            created_at=_NEVER,
            updated_at=_NEVER,
        )


class BadInput(TriagedError):
    """A line of the input is not a ticket. Give JSON objects with `text`, or with `subject` and
    `body` or `description`, one to a line; or plain text without --jsonl.
    """


@click.command("classify")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--jsonl", is_flag=True, help="Standard input holds one JSON object to a line.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=DESCRIPTION",
    help="A category of your own, with words that describe it; give it at least twice.",
)
@options.bundle
@options.configuration
@options.as_json
def command(
    texts: tuple[str, ...],
    *,
    jsonl: bool,
    labels: tuple[str, ...],
    bundle: str | None,
    path: Path,
    as_json: bool,
) -> None:
    """Classify each TEXT, or the standard input (a text, or JSON lines with --jsonl)."""
    engine = load_engine(Models(bundle=bundle_folder(bundle, path)))
    classifier = engine.classifier(_labels(labels))
    inputs = _inputs(texts, sys.stdin, jsonl=jsonl)
    console = Console()
    while chunk := list(islice(inputs, _CHUNK)):
        readings = classifier.predict([clean(one.ticket) for one in chunk])
        if as_json:
            for one, reading in zip(chunk, readings, strict=True):
                click.echo(json.dumps(_as_json(one, reading), ensure_ascii=False))
        else:
            console.print(_table(chunk, readings, console.width))


def _labels(given: Iterable[str]) -> Labels:
    pairs = [text.partition("=") for text in given]
    if any(not name or not description for name, _, description in pairs):
        raise click.BadParameter("write NAME=DESCRIPTION", param_hint="--label")
    if len(pairs) == 1:
        raise click.BadParameter("one label leaves no choice; give two", param_hint="--label")
    return {Aspect.CATEGORY: {name: (words,) for name, _, words in pairs}} if pairs else {}


def _inputs(texts: tuple[str, ...], stream: TextIO, *, jsonl: bool) -> Iterator[Input]:
    if texts:
        yield from (Input(id=str(number), text=text) for number, text in enumerate(texts, 1))
    elif jsonl:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _parsed(number, line)
    else:
        yield Input(id="1", text=stream.read())


def _parsed(number: int, line: str) -> Input:
    try:
        data: Any = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"line {number} is not JSON") from error
    if not isinstance(data, dict):
        raise BadInput(f"line {number} is not a JSON object")
    subject = data.get("subject")
    bodies = (data.get(key) for key in ("text", "body", "description"))
    text = next((body for body in bodies if isinstance(body, str)), "")
    if not (text or subject):
        raise BadInput(f"line {number} holds no text")
    return Input(id=str(data.get("id", number)), subject=str(subject or ""), text=text)


def _as_json(one: Input, reading: Reading) -> dict[str, Any]:
    return {
        "id": one.id,
        "language": reading.language,
        **{
            str(prediction.aspect): {
                "label": prediction.label,
                "confidence": round(prediction.confidence, 4),
                "ranking": {label: round(score, 4) for label, score in prediction.ranking},
                "reason": prediction.reason,
            }
            for prediction in reading.predictions
        },
    }


def _table(chunk: list[Input], readings: Iterable[Reading], width: int) -> Table:
    table = Table()
    shown = max(16, width - _ANSWERS)
    table.add_column("text", width=shown, no_wrap=True, overflow="ellipsis")
    table.add_column("lang", no_wrap=True)
    for aspect in (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT):
        table.add_column(aspect, no_wrap=True)
    for one, reading in zip(chunk, readings, strict=True):
        answers = {prediction.aspect: prediction for prediction in reading.predictions}
        cells = [
            f"{answer.label or 'unsure'} {answer.confidence:.2f}" if answer else ""
            for answer in map(answers.get, (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT))
        ]
        text = " ".join((one.subject or one.text).split())
        table.add_row(text, reading.language, *cells)
    return table
