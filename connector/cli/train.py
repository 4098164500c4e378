"""`triaged train`: a history file becomes a bundle."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from connector import registry
from connector.clean import clean
from connector.cli import options
from connector.errors import TrainingUnavailable
from connector.model import Aspect, Status, Ticket, TicketId
from connector.ports import TrainingOrder

SHOWN = 0.95
"""The `precision` for which the table shows what would be written."""

_NEVER = datetime.fromtimestamp(0, UTC)
_LEARNT = tuple(str(aspect) for aspect in (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT))


@click.command("train")
@click.argument("history", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The bundle's folder to make; one that exists is never touched.",
)
@click.option(
    "--text",
    default="subject,description",
    show_default=True,
    metavar="COLUMN[,COLUMN]",
    help="Columns with the text as first filed; of several, the first is the subject.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    required=True,
    metavar="ASPECT=COLUMN",
    help="What to learn (category, priority, sentiment) and the column of its final value.",
)
@click.option("--time", metavar="COLUMN", help="When it was filed: then the newest are tested on.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Begin nothing that would not end in this time; the linear model is always made.",
)
@click.option(
    "--floor",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    help="Fewer tickets than this, and a class is left out and named.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="For splits and models.",
)
@click.option(
    "--base",
    metavar="CHECKPOINT",
    help="Fine-tune this DistilBERT too, where it wins: `shipped`, a folder, or a hub's id such as"
    " distilbert-base-multilingual-cased. Takes minutes to hours.",
)
@click.option(
    "--test",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Measure on this file, of the same columns, instead of a fifth of HISTORY.",
)
@options.as_json
def command(  # noqa: PLR0913 - an option each
    history: Path,
    output: Path,
    *,
    text: str,
    labels: tuple[str, ...],
    time: str | None,
    minutes: float | None,
    floor: int,
    seed: int,
    base: str | None,
    test: Path | None,
    as_json: bool,
) -> None:
    """Learn a bundle from HISTORY (.csv, .jsonl or .parquet); started again, it goes on."""
    kind = registry.model_kind()
    if kind.train is None:
        raise TrainingUnavailable(f"the model package {kind.name} cannot learn")
    order = TrainingOrder(
        history=history,
        output=output,
        text=tuple(name for name in text.split(",") if name),
        labels=labels_of(labels),
        time=time,
        minutes=minutes,
        seed=seed,
        floor=floor,
        base=base,
        test=test,
    )
    if not order.text:
        raise click.BadParameter("name at least one column", param_hint="--text")
    with _progress() as progress:
        task = progress.add_task("starting", total=None)

        def say(step: str) -> None:
            progress.update(task, description=step)
            if "left out" in step or "no time left" in step or "not in this budget" in step:
                progress.console.print(step, markup=False)

        told = kind.train(order, cleaned, say)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        _print(told)


def cleaned(subject: str, body: str) -> str:
    """Clean a text exactly as a ticket's at serving."""
    return clean(
        Ticket(
            id=TicketId("0"),
            subject=subject,
            description=body,
            status=Status.OPEN,
            revision="",
            created_at=_NEVER,
            updated_at=_NEVER,
        )
    )


def labels_of(given: Iterable[str], option: str = "--label") -> dict[Aspect, str]:
    """Read `ASPECT=COLUMN` options."""
    pairs = [text.partition("=") for text in given]
    if any(aspect not in _LEARNT or not column for aspect, _, column in pairs):
        raise click.BadParameter(
            f"write ASPECT=COLUMN with one of {', '.join(_LEARNT)}", param_hint=option
        )
    return {Aspect(aspect): column for aspect, _, column in pairs}


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _taken(part: Mapping[str, Any]) -> str:
    if part["precision"] is None:
        return "nothing"
    return f"{part['coverage']:.0%}, {part['precision']:.0%} of it right"


def _print(told: Mapping[str, Any]) -> None:
    table = Table(title=f"{told['output']}: {told['rows']} tickets, {told['seconds']} s")
    for heading in (
        "aspect",
        "chosen",
        "macro-F1",
        "linear",
        "majority",
        "tested",
        "answered",
        "at .95",
    ):
        table.add_column(heading)
    for aspect, found in told["aspects"].items():
        test = found["test"]
        table.add_row(
            aspect,
            found["chosen"]["rungs"],
            *(f"{test[name]:.3f}" for name in ("macro_f1", "linear", "majority")),
            str(test["n"]),
            _taken(test["answered"]),
            _taken(next(one for one in test["dial"] if one["asked"] == SHOWN)),
        )
    Console().print(table)
