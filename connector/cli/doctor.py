"""`triaged doctor`: what may be wrong with this machine, on one page, and a file to send."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from connector import config, registry
from connector.cli import examination, options, support
from connector.cli.examination import Symptom, fine, note, problem
from connector.errors import EXIT_FAILED, ConfigError
from connector.settings import Configuration, DaemonSettings

MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "problem": ("✗", "red")}


@click.command("doctor")
@options.configuration
@options.as_json
@click.option("--offline", is_flag=True, help="Do not look at the desks' certificates and clocks.")
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a .zip to send with a question: the findings, the configuration without"
    " comments, and counts; no ticket's text and no secret. A file that exists is not touched.",
)
def command(path: Path, *, as_json: bool, offline: bool, bundle: Path | None) -> None:
    """Examine this machine, its service and the way to the desks; nothing is changed.

    Versions, import names, secrets, clock, disk, database, model, port, TLS, limits of the unit.
    Exits with 1 when something has to be mended. What the desks say of the configuration,
    `triaged check --online` tells.
    """
    settings, daemon, found = _configuration(path)
    found = [*_symptoms(settings, daemon, offline=offline), *found]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False))
    else:
        _show(found)
    if bundle is not None:
        support.write(bundle, found, settings, daemon)
        click.echo(f"{bundle} is written; look into it before you send it", err=as_json)
    if any(each.level == "problem" for each in found):
        raise SystemExit(EXIT_FAILED)


def _configuration(
    path: Path,
) -> tuple[Configuration | None, DaemonSettings, Sequence[Symptom]]:
    """Read the configuration as far as it can be read, and tell how far that is."""
    if not path.exists():
        remedy = "`triaged init` writes one; `--config` names another"
        return None, DaemonSettings(), [note("configuration", f"{path} is not there", remedy)]
    try:
        settings = config.load(path, registry.platforms())
    except ConfigError as error:
        found = [problem("configuration", each) for each in error.problems]
        try:
            return None, config.load_daemon(path), found
        except ConfigError:
            return None, DaemonSettings(), found
    tenants = ", ".join(tenant.tenant for tenant in settings.tenants)
    return settings, settings.daemon, [fine("configuration", f"{path} ({tenants})")]


def _symptoms(
    settings: Configuration | None, daemon: DaemonSettings, *, offline: bool
) -> Iterator[Symptom]:
    yield from examination.versions()
    yield from examination.names()
    yield from examination.machine()
    yield from examination.keyrings()
    yield from examination.disk(daemon)
    yield from examination.database(daemon)
    yield from examination.model(daemon)
    yield from examination.port(daemon)
    if settings is not None:
        yield from examination.credentials(settings)
        yield from () if offline else examination.desks(settings)
    yield from examination.service()


def _show(found: Sequence[Symptom]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for each in found:
        mark, style = MARKS[each.level]
        console.print(mark, style=style, end=" ")
        told = f"{each.told}; {each.remedy}" if each.remedy else each.told
        console.print(f"{each.subject}: {told}", markup=False)
