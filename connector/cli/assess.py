"""`triaged assess`: what triaged would be worth on your own tickets, before it writes anything."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from connector import config, registry, secrets
from connector.app import adapter_for, thread_count
from connector.assign import Wishes
from connector.clean import mask
from connector.cli import options
from connector.cli.figures import show
from connector.cli.history import pull_from, tenant_of
from connector.cli.people import judge, show_people
from connector.cli.train import cleaned, labels_of
from connector.cli.verdict import show_findings, show_verdicts
from connector.clock import SystemClock
from connector.desk import wishes_of
from connector.errors import BadHistory, TrainingUnavailable
from connector.history import LEARNT
from connector.model import TAGS, Aspect
from connector.ports import AssessmentOrder, PeopleOrder, Surroundings, TrainingOrder
from connector.settings import AspectSettings, Configuration, Models, TenantSettings

Say = Callable[[str], None]
FILED = "created_at"
"""The column of a pulled history with the moment of filing."""
PULLED = {"assignee": "assignee", "group": "group", "time": FILED, "resolved_at": "updated_at"}
"""Its columns with who resolved a ticket, in which group, and from when to when."""
ASKED = 0.95
"""The precision that is asked of an aspect for which nobody says another."""


@click.command("assess")
@options.configuration
@click.argument("tenant", required=False)
@click.option(
    "--history",
    "given",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read tickets from this file (.csv, .jsonl, .parquet) instead of TENANT's desk.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Pull tickets resolved since this day (UTC); without it, those of the last year.",
)
@click.option(
    "--text",
    default="subject,description",
    show_default=True,
    metavar="COLUMN[,COLUMN]",
    help="The file's columns with the text as first filed; of several, the first is the subject.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="ASPECT=COLUMN",
    help="What to learn (category, priority, sentiment) and the column of its final value.",
)
@click.option("--time", metavar="COLUMN", help="When it was filed: then the newest are tested on.")
@click.option(
    "--precision",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    help=f"What is asked for; without it, what the tenant's file asks, else {ASKED}.",
)
@click.option(
    "--per-ticket",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="MINUTES",
    help="What it costs a person to read a ticket and set one field.",
)
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
    "--base", metavar="CHECKPOINT", help="Fine-tune this DistilBERT too, as `triaged train` does."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="For splits and models.",
)
@click.option(
    "--set-at",
    "set_at",
    multiple=True,
    metavar="ASPECT=COLUMN",
    help="The file's column with the moment at which the value was set; needs --resolved-at.",
)
@click.option(
    "--resolved-at", metavar="COLUMN", help="The file's column with the moment of the resolution."
)
@click.option(
    "--assignee",
    metavar="COLUMN",
    help="The file's column with who resolved it: suggestions of assignees are tested back. Needs"
    " --group, --time and --resolved-at.",
)
@click.option("--group", metavar="COLUMN", help="The file's column with the group it ended in.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Keep the bundle in this folder, to promote it; one that exists is never touched.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with everything; one that exists is replaced.",
)
@options.as_json
def command(  # noqa: PLR0913 - an option each
    path: Path,
    tenant: str | None,
    *,
    given: Path | None,
    since: datetime | None,
    output: Path | None,
    html: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Judge what would be written for TENANT, or from a file, and what is wrong with the labels.

    Resolved tickets are pulled (or read), a bundle is learnt from the older ones and asked about
    the newest. Nothing is written to the desk. Started again after a kill, it goes on.
    """
    kind = registry.model_kind()
    if kind.assess is None:
        raise TrainingUnavailable(f"the model package {kind.name} cannot be assessed")
    _refuse_odd(tenant, given, how)
    if output is not None and output.exists():
        raise BadHistory(f"{output} exists and is never overwritten; name another --output")
    settings = config.load(path, registry.platforms()) if tenant else None
    work = _work_folder(output, tenant, given)
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundle = work / (output.name if output else "assessed")
    with _progress() as progress:
        say = _saying(progress)
        order = (
            _of_tenant(settings, str(tenant), (given, since, bundle), how, say)
            if settings
            else _of_file(given or Path(), bundle, how)
        )
        told = dict(kind.assess(order, cleaned, mask, say, thread_count(Models())))
    if output is not None:
        bundle.rename(output)
        told["output"] = str(output)
    shutil.rmtree(work)
    _tell(told, html, as_json=as_json)


def _refuse_odd(tenant: str | None, given: Path | None, how: Mapping[str, Any]) -> None:
    """Refuse options that say too little or do not fit each other."""
    if not tenant and not given:
        raise click.UsageError("name a TENANT, or a file with --history")
    if not tenant and not how["labels"]:
        raise click.BadParameter("say what to learn: ASPECT=COLUMN", param_hint="--label")
    named = ("labels", "time", "set_at", "assignee", "group")
    if not given and any(how[name] for name in named):
        raise click.UsageError(
            "--label, --time, --set-at, --assignee and --group name columns of a --history file"
        )
    _refuse_alone(how)
    if not _columns(how):
        raise click.BadParameter("name at least one column", param_hint="--text")


def _refuse_alone(how: Mapping[str, Any]) -> None:
    """Refuse columns that say nothing without each other."""
    if how["set_at"] and not how["resolved_at"]:
        raise click.UsageError("--set-at needs --resolved-at")
    if how["resolved_at"] and not (how["set_at"] or how["assignee"]):
        raise click.UsageError("--resolved-at needs --set-at or --assignee")
    if bool(how["assignee"]) != bool(how["group"]):
        raise click.UsageError("--assignee and --group need each other")
    if how["assignee"] and not (how["resolved_at"] and how["time"]):
        raise click.UsageError("--assignee needs --time and --resolved-at")


def _columns(how: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in how["text"].split(",") if name)


def _work_folder(output: Path | None, tenant: str | None, given: Path | None) -> Path:
    """Tell where an unfinished assessment keeps its pieces: beside the output, or here."""
    if output is not None:
        return output.with_name(f".{output.name}.assess")
    return Path(f".{tenant or (given.stem if given else '')}.assess")


def _of_file(history: Path, bundle: Path, how: Mapping[str, Any]) -> AssessmentOrder:
    training = TrainingOrder(
        history=history,
        output=bundle,
        text=_columns(how),
        labels=labels_of(how["labels"]),
        time=how["time"],
        minutes=how["minutes"],
        seed=how["seed"],
        floor=how["floor"],
        base=how["base"],
    )
    return AssessmentOrder(
        training=training,
        otherwise=how["precision"] or ASKED,
        minutes_per_ticket=how["per_ticket"],
        set_at=labels_of(how["set_at"], "--set-at"),
        resolved_at=how["resolved_at"],
        people=_people(how, Wishes()) if how["assignee"] else None,
    )


def _people(how: Mapping[str, Any], wishes: Wishes) -> PeopleOrder:
    return PeopleOrder(
        assignee=how["assignee"],
        group=how["group"],
        opened_at=how["time"],
        resolved_at=how["resolved_at"],
        judge=partial(judge, wishes=wishes),
    )


def _of_tenant(
    settings: Configuration,
    name: str,
    where: tuple[Path | None, datetime | None, Path],
    how: Mapping[str, Any],
    say: Say,
) -> AssessmentOrder:
    """Pull a tenant's tickets, unless a file is given or they lie there, and ask what it asks."""
    given, since, bundle = where
    chosen = tenant_of(settings, name)
    aspects = {aspect: getattr(chosen.aspects, aspect) for aspect in LEARNT}
    mapped = {aspect: one for aspect, one in aspects.items() if one and one.field != TAGS}
    accepted: Mapping[Aspect, Sequence[str]] = {}
    file = given or bundle.parent / "history.jsonl"
    if given is None:
        accepted = _options(chosen, mapped, say)
        if not file.exists():
            pull_from(settings, chosen, (since, file), lambda told: say(told.words))
    labels = how["labels"] or [f"{aspect}={aspect}" for aspect in mapped]
    order = _of_file(file, bundle, {**how, "labels": labels, "time": how["time"] or FILED})
    precision = (
        {}
        if how["precision"]
        else {aspect: one.precision for aspect, one in mapped.items() if one.precision}
    )
    # Who is away today was there when those tickets came.
    wishes = replace(wishes_of(chosen.assign), away=frozenset())
    people = _people({**PULLED, **{name: how[name] for name in PULLED if how[name]}}, wishes)
    names = {aspect: one.names for aspect, one in mapped.items() if one.names}
    return replace(order, precision=precision, options=accepted, people=people, names=names)


def _options(
    chosen: TenantSettings, mapped: Mapping[Aspect, AspectSettings], say: Say
) -> Mapping[Aspect, Sequence[str]]:
    """Ask the desk what its fields accept, by the names that labels have."""
    say("asking the desk for its fields")
    surroundings = Surroundings(secret=secrets.resolver(), clock=SystemClock())
    with adapter_for(chosen, surroundings) as adapter:
        fields = {field.id: field.options for field in adapter.describe_fields()}
    return {
        aspect: [
            {written: label for label, written in one.values.items()}.get(option, option)
            for option in fields.get(one.field, ())
        ]
        for aspect, one in mapped.items()
    }


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _saying(progress: Progress) -> Say:
    task = progress.add_task("starting", total=None)

    def say(step: str) -> None:
        progress.update(task, description=step)
        if "left out" in step or "no time left" in step or "not in this budget" in step:
            progress.console.print(step, markup=False)

    return say


def _tell(told: Mapping[str, Any], html: Path | None, *, as_json: bool) -> None:
    if html:
        # Here and not above: it is needed for this option only.
        from connector.cli.page import page  # noqa: PLC0415 - see above

        html.write_text(page(told), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    console = Console()
    show_verdicts(told, console)
    show_people(told["assignee"], console)
    show_findings(told["findings"], console)
    show(told, console)
    if html:
        click.echo(f"Written: {html}")
    if "output" in told:
        click.echo(
            f"Kept: {told['output']}; triaged models promote {told['output']} makes it serve"
        )
