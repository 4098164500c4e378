"""`triaged check`: is everything in order, before or while the daemon runs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from connector import config, registry, secrets
from connector.app import bundles_of
from connector.bundles import Bundles
from connector.cli import deskcheck, options
from connector.cli.deskcheck import Finding, trouble, wrong
from connector.clock import SystemClock
from connector.errors import EXIT_CONFIG, EXIT_FAILED, TriagedError
from connector.inspection import Level
from connector.ports import SecretRef, Surroundings
from connector.settings import Configuration, TenantSettings
from connector.store import place_of, reached


@click.command("check")
@options.configuration
@click.option(
    "--online",
    is_flag=True,
    help="Also ask the database whether it answers, and each desk who we are, whether every mapped"
    " field and option exists, what time it has, which of its rules may interfere, and whether its"
    " webhook is set up.",
)
@click.option(
    "--create-fields",
    "create",
    is_flag=True,
    help="With --online: add the options to drop-down fields that answers need and the desk lacks,"
    " where its API allows it. Nothing else is changed.",
)
@click.option(
    "--files-only",
    is_flag=True,
    help="Only read the configuration files: no secret, no model, no database. So does `systemctl"
    " reload`, where secrets are out of reach.",
)
@options.as_json
def command(path: Path, *, online: bool, create: bool, files_only: bool, as_json: bool) -> None:
    """Check the configuration, the secrets, the model, and with --online the desks.

    Nothing is written anywhere but with --create-fields. Exit code 78 means that the
    configuration must be mended, 1 that something else is wrong; warnings (!) and what could not
    be looked at (·) leave it at 0.
    """
    if create and not online:
        raise click.UsageError("--create-fields asks the desks: add --online")
    if online and files_only:
        raise click.UsageError("--online asks for more than --files-only reads; take one of them")
    settings = config.load(path, registry.platforms())
    read = Finding(subject="configuration", fact=f"{path} ({_names(settings)})")
    findings = [read, *(() if files_only else _findings(settings, online=online, create=create))]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    codes = {finding.exit_code for finding in findings if finding.problem}
    if codes:
        raise SystemExit(EXIT_CONFIG if EXIT_CONFIG in codes else EXIT_FAILED)


def _names(settings: Configuration) -> str:
    return ", ".join(tenant.tenant for tenant in settings.tenants)


def _findings(settings: Configuration, *, online: bool, create: bool) -> Iterator[Finding]:
    bundles = bundles_of(settings.daemon)
    opened: set[str | None] = set()
    for name in dict.fromkeys(tenant.bundle for tenant in settings.tenants):
        found = list(_model(bundles, name))
        yield from found
        if found[-1].fact:
            opened.add(name)
    surroundings = Surroundings(secret=secrets.resolver(), clock=SystemClock())
    yield _store(settings, surroundings, online=online)
    for tenant in settings.tenants:
        missing = list(_missing_secrets(tenant, surroundings))
        yield from missing
        if not missing:
            yield Finding(subject=f"{tenant.tenant}: secrets", fact="present")
        if online and tenant.bundle in opened and not missing:
            engine = bundles.engine(tenant.bundle)
            yield from deskcheck.findings(tenant, surroundings, engine, create=create)


def _model(bundles: Bundles, name: str | None) -> Iterator[Finding]:
    """Verify and load what answers under a name, and ask its golden tickets; it comes last."""
    subject = f"model {name}" if name else "model"
    try:
        for refusal in bundles.open(name):
            problem = f"{refusal.bundle} cannot serve: {refusal.error}; promote a good one"
            yield wrong(subject, problem)
        yield Finding(subject=subject, fact=bundles.engine(name).bundle)
    except TriagedError as error:
        yield trouble(subject, error)


def _store(settings: Configuration, surroundings: Surroundings, *, online: bool) -> Finding:
    try:
        place = place_of(settings.daemon, surroundings.secret)
        return Finding(subject="store", fact=reached(place) if online else settings.daemon.store)
    except TriagedError as error:
        return trouble("store", error)


def _missing_secrets(tenant: TenantSettings, surroundings: Surroundings) -> Iterator[Finding]:
    for name in secret_names(tenant):
        try:
            surroundings.secret(name)
        except TriagedError as error:
            yield trouble(f"{tenant.tenant}: secrets", error)


def secret_names(tenant: TenantSettings) -> Sequence[str]:
    """List the names of the secrets that a tenant file refers to."""
    return [value for _, value in tenant.desk if isinstance(value, SecretRef)]


_MARKS = {
    Level.OK: ("✓", "green"),
    Level.NOTE: ("·", "dim"),
    Level.WARNING: ("!", "yellow"),
    Level.ERROR: ("✗", "red"),
}


def _show(findings: Sequence[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        mark, style = _MARKS[finding.level]
        console.print(mark, style=style, end=" ")
        console.print(f"{finding.subject}: {finding.problem or finding.fact}", markup=False)
