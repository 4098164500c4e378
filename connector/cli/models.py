"""`triaged models`: what is on the shelf, what serves, and how that is changed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from connector import config, registry, signature
from connector.app import kind_of
from connector.cli import options
from connector.errors import AnswersMoved, BadBundle
from connector.golden import Move
from connector.ports import BundleFacts, Measured
from connector.promotion import Outcome
from connector.promotion import promote as make_serve
from connector.settings import Configuration
from connector.shelf import Shelf

_console = Console(markup=False, highlight=False)

ADDED = "models"
"""The name under which a model package adds commands to these."""


class _Models(click.Group):
    """Commands for every kind of model, and those that the installed model package adds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        added = self._added()
        more = added.list_commands(ctx) if added else []
        return sorted({*super().list_commands(ctx), *more})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        added = None if own else self._added()
        return added.get_command(ctx, cmd_name) if added else own

    def _added(self) -> click.Group | None:
        found = registry.commands().get(ADDED)
        return found if isinstance(found, click.Group) else None


@click.group("models", cls=_Models)
def command() -> None:
    """Build, show and verify model bundles, and choose which one serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A bundle in the list. `serves` tells that it answers for those who name it."""

    name: str
    version: str
    created: date | None = None
    promoted: datetime | None = None
    serves: bool = False
    macro_f1: Mapping[str, float | None]
    tenants: Sequence[str] = ()
    problem: str = ""


@command.command("list")
@options.configuration
@options.as_json
def list_(path: Path, *, as_json: bool) -> None:
    """List the bundles on the shelf, and the one for tenants that name none.

    Each is verified: what is damaged is said.
    """
    settings = config.load(path, registry.platforms(), any_bundle=True)
    lines = [_default_line(settings), *_lines(settings)]
    if as_json:
        click.echo(json.dumps([_plain(line) for line in lines], indent=2))
    else:
        _show_list(lines)


@command.command()
@click.argument("bundle", metavar="FOLDER|NAME@VERSION")
@options.configuration
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Let the bundle serve though it answers golden tickets otherwise than the one before it.",
)
@options.as_json
def promote(bundle: str, path: Path, *, accept_changes: bool, as_json: bool) -> None:
    """Make a bundle serve: copied to the shelf, verified, and asked golden tickets.

    It has to answer its own golden tickets as it did when it was made. Those of the bundle that it
    replaces it has to answer as that one did, unless --accept-changes. A running daemon takes it up
    by itself within seconds.
    """
    daemon = config.load_daemon(path)
    kind = kind_of(daemon.models)
    shelf = Shelf(daemon.shelf, kind.describe)
    outcome = make_serve(shelf, kind, bundle, accept=accept_changes)
    if as_json:
        click.echo(json.dumps(asdict(outcome), indent=2, ensure_ascii=False))
    else:
        _show_outcome(outcome)
    if not outcome.promoted:
        raise AnswersMoved(f"{outcome.bundle} against {outcome.before}: {len(outcome.moves)} moves")


@command.command()
@click.argument("name")
@options.configuration
@options.as_json
def rollback(name: str, path: Path, *, as_json: bool) -> None:
    """Make the version of NAME serve that was promoted before; the one that serves stays on disk.

    A running daemon takes it up by itself within seconds.
    """
    daemon = config.load_daemon(path)
    shelf = Shelf(daemon.shelf, kind_of(daemon.models).describe)
    with shelf.changing():
        before, now = shelf.roll_back(name)
    told = {"bundle": f"{name}@{now.version}", "before": f"{name}@{before.version}"}
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(f"{told['bundle']} serves again, instead of {told['before']}")


@command.command()
@click.argument("bundle", required=False, metavar="[FOLDER|NAME@VERSION|NAME]")
@options.configuration
def show(bundle: str | None, path: Path) -> None:
    """Show a bundle's aspects and measured quality (without BUNDLE: the shipped one)."""
    _show(_described(bundle, path))


@command.command()
@click.argument("bundle", required=False, metavar="[FOLDER|NAME@VERSION|NAME]")
@options.configuration
def verify(bundle: str | None, path: Path) -> None:
    """Verify every byte of a bundle (without BUNDLE: the shipped one)."""
    facts = _described(bundle, path)
    click.echo(f"{facts.title}: {len(facts.files)} files are as they were sealed")


@command.command()
@click.argument("bundle", metavar="FOLDER|NAME@VERSION|NAME")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The Ed25519 private key (PEM, without a password) to sign with.",
)
@options.configuration
def sign(bundle: str, key: Path, path: Path) -> None:
    """Sign a bundle, for daemons that trust the key's other half (`models.trusted_keys`)."""
    describe = registry.model_kind().describe
    folder = Path(bundle)
    if not folder.is_dir():
        shelf = Shelf(config.load_daemon(path).shelf, describe)
        folder = shelf.folder(*shelf.find(bundle))
    facts = describe(str(folder))
    click.echo(f"{facts.title} is signed: {signature.sign(folder, facts, key)}")


def _described(bundle: str | None, path: Path) -> BundleFacts:
    """Verify a folder, or what is on the shelf; only for the latter the configuration is read."""
    describe = registry.model_kind().describe
    if bundle is None or Path(bundle).is_dir():
        return describe(bundle)
    shelf = Shelf(config.load_daemon(path).shelf, describe)
    return shelf.described(*shelf.find(bundle))


def _default_line(settings: Configuration) -> Line:
    """Tell of the bundle that answers where a tenant names none."""
    folder = settings.daemon.models.bundle
    tenants = [tenant.tenant for tenant in settings.tenants if tenant.bundle is None]
    try:
        facts = kind_of(settings.daemon.models).describe(str(folder) if folder else None)
    except BadBundle as error:
        name = str(folder or "default")
        return Line(name=name, version="", macro_f1={}, tenants=tenants, problem=error.detail)
    return Line(
        name=facts.name,
        version=facts.version,
        created=facts.created,
        serves=True,
        macro_f1=_figures(facts),
        tenants=tenants,
    )


def _lines(settings: Configuration) -> Iterator[Line]:
    shelf = Shelf(settings.daemon.shelf, kind_of(settings.daemon.models).describe)
    for name, version in shelf.versions():
        promotions = shelf.promotions(name)
        times = [one.at for one in promotions if one.version == version]
        serves = bool(promotions) and promotions[-1].version == version
        users = [tenant.tenant for tenant in settings.tenants if serves and tenant.bundle == name]
        try:
            facts, problem = shelf.described(name, version), ""
        except BadBundle as error:
            facts, problem = None, error.detail
        yield Line(
            name=name,
            version=version,
            created=facts.created if facts else None,
            promoted=times[-1] if times else None,
            serves=serves,
            macro_f1=_figures(facts) if facts else {},
            tenants=users,
            problem=problem,
        )


def _figures(facts: BundleFacts) -> Mapping[str, float | None]:
    return {str(aspect): facts.measured[aspect].macro_f1 for aspect in facts.labels}


def _plain(line: Line) -> dict[str, Any]:
    times = {"created": line.created, "promoted": line.promoted}
    return asdict(line) | {key: time and time.isoformat() for key, time in times.items()}


def _show_list(lines: Sequence[Line]) -> None:
    table = Table(title="bundles", title_justify="left")
    for heading in ("name", "version", "created", "promoted", "serves", "macro-F1", "tenants"):
        table.add_column(heading)
    for line in lines:
        figures = (f"{aspect} {_number(one)}" for aspect, one in line.macro_f1.items())
        table.add_row(
            line.name,
            line.version,
            str(line.created or ""),
            f"{line.promoted:%Y-%m-%d %H:%M}" if line.promoted else "",
            "yes" if line.serves else "",
            line.problem or ", ".join(figures),
            ", ".join(line.tenants),
        )
    _console.print(table)


def _show(facts: BundleFacts) -> None:
    table = Table(title=f"{facts.title}, {facts.created}", title_justify="left")
    for heading in ("aspect", "labels", "macro-F1", "linear", "majority", "tickets", "answered"):
        table.add_column(heading)
    for aspect, labels in facts.labels.items():
        table.add_row(aspect, ", ".join(labels), *_cells(facts.measured[aspect]))
    _console.print(table)


def _cells(test: Measured) -> Iterator[str]:
    yield from map(_number, (test.macro_f1, test.linear, test.majority))
    yield str(test.tickets)
    yield f"{test.coverage:.0%}, {test.precision:.0%} of it right"


def _number(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.2f}"


def _show_outcome(outcome: Outcome) -> None:
    for notice in outcome.notices:
        click.echo(notice, err=True)
    if outcome.moves:
        _show_moves(outcome.moves, outcome.before, outcome.bundle)
    if outcome.promoted:
        instead = outcome.before not in {"", outcome.bundle}
        click.echo(f"{outcome.bundle} serves" + (f", instead of {outcome.before}" * instead))


def _show_moves(moves: Sequence[Move], before: str, now: str) -> None:
    table = Table(title="answers that move", title_justify="left")
    for heading in ("golden ticket", "aspect", before, now):
        table.add_column(heading)
    for move in moves:
        table.add_row(move.ticket, move.aspect, move.before, move.now)
    _console.print(table)
