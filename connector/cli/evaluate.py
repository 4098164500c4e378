"""`triaged evaluate`: how good a bundle is on tickets whose right labels are known."""

import json
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from connector import registry
from connector.app import thread_count
from connector.cli import options
from connector.cli.figures import show
from connector.cli.place import bundle_folder
from connector.cli.train import cleaned, labels_of
from connector.errors import TrainingUnavailable
from connector.model import Aspect
from connector.ports import EvaluationOrder
from connector.settings import Models


@click.command("evaluate")
@click.argument("tickets", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.bundle
@options.configuration
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
    help="What to measure (category, priority, sentiment) and the column of the right value.",
)
@click.option(
    "--rank",
    "ranks",
    multiple=True,
    metavar="ASPECT=LABEL,…",
    help="All labels from lowest to highest, where their names do not tell the order.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with every figure and plot; one that exists is replaced.",
)
@click.option(
    "--no-baseline",
    is_flag=True,
    help="Leave out the linear model that is learnt on the file for comparison.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=20, show_default=True, help="For intervals."
)
@options.as_json
def command(  # noqa: PLR0913 - an option each
    tickets: Path,
    *,
    bundle: str | None,
    path: Path,
    text: str,
    labels: tuple[str, ...],
    ranks: tuple[str, ...],
    html: Path | None,
    no_baseline: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Measure a bundle on TICKETS (.csv, .jsonl or .parquet) that it did not learn from."""
    kind = registry.model_kind()
    if kind.evaluate is None:
        raise TrainingUnavailable(f"the model package {kind.name} cannot be measured")
    folder = bundle_folder(bundle, path)
    order = EvaluationOrder(
        bundle=str(folder) if folder else None,
        history=tickets,
        text=tuple(name for name in text.split(",") if name),
        labels=labels_of(labels),
        ranks=_ranks(ranks),
        baseline=not no_baseline,
        seed=seed,
    )
    if not order.text:
        raise click.BadParameter("name at least one column", param_hint="--text")
    with _progress() as progress:
        task = progress.add_task("loading the bundle", total=None)
        told = kind.evaluate(
            order,
            cleaned,
            lambda step: progress.update(task, description=step),
            thread_count(Models()),
        )
    if html:
        # Here and not above: it is needed for this option only.
        from connector.cli.page import page  # noqa: PLC0415 - see above

        html.write_text(page(told), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        show(told, Console())
        if html:
            click.echo(f"Written: {html}")


def _ranks(given: Iterable[str]) -> dict[Aspect, tuple[str, ...]]:
    ranks = {}
    for text in given:
        aspect, _, labels = text.partition("=")
        if aspect not in set(Aspect) or not labels:
            raise click.BadParameter("write ASPECT=LABEL,LABEL,…", param_hint="--rank")
        ranks[Aspect(aspect)] = tuple(label.strip() for label in labels.split(","))
    return ranks


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
