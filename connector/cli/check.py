"""`triaged check`: is everything in order, before or while the daemon runs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console

from connector import config, registry, secrets
from connector.app import adapter_for, bundles_of
from connector.bundles import Bundles
from connector.cli import options
from connector.clock import SystemClock
from connector.desk import Desk, connect
from connector.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, TriagedError
from connector.ports import Engine, SecretRef, Surroundings
from connector.settings import Configuration, TenantSettings
from connector.store import place_of, reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `problem` is empty when it is in order."""

    subject: str
    fact: str = ""
    problem: str = ""
    exit_code: int = 0


@click.command("check")
@options.configuration
@click.option(
    "--online",
    is_flag=True,
    help="Also ask the database whether it answers, and each desk who we are and whether every"
    " mapped field and option exists.",
)
@click.option(
    "--files-only",
    is_flag=True,
    help="Only read the configuration files: no secret, no model, no database. So does `systemctl"
    " reload`, where secrets are out of reach.",
)
@options.as_json
def command(path: Path, *, online: bool, files_only: bool, as_json: bool) -> None:
    """Check the configuration, the secrets, the model, and with --online the desks.

    Nothing is written anywhere. Exit code 78 means that the configuration must be mended, 1
    that something else is wrong.
    """
    if online and files_only:
        raise click.UsageError("--online asks for more than --files-only reads; take one of them")
    settings = config.load(path, registry.platforms())
    read = Finding(subject="configuration", fact=f"{path} ({_names(settings)})")
    findings = [read, *(() if files_only else _findings(settings, online=online))]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    codes = {finding.exit_code for finding in findings if finding.problem}
    if codes:
        raise SystemExit(EXIT_CONFIG if EXIT_CONFIG in codes else EXIT_FAILED)


def _names(settings: Configuration) -> str:
    return ", ".join(tenant.tenant for tenant in settings.tenants)


def _findings(settings: Configuration, *, online: bool) -> Iterator[Finding]:
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
            yield from _desk(tenant, surroundings, bundles.engine(tenant.bundle))


def _model(bundles: Bundles, name: str | None) -> Iterator[Finding]:
    """Verify and load what answers under a name, and ask its golden tickets; it comes last."""
    subject = f"model {name}" if name else "model"
    try:
        for refusal in bundles.open(name):
            problem = f"{refusal.bundle} cannot serve: {refusal.error}; promote a good one"
            yield Finding(subject=subject, problem=problem, exit_code=EXIT_FAILED)
        yield Finding(subject=subject, fact=bundles.engine(name).bundle)
    except TriagedError as error:
        yield _trouble(subject, error)


def _store(settings: Configuration, surroundings: Surroundings, *, online: bool) -> Finding:
    try:
        place = place_of(settings.daemon, surroundings.secret)
        return Finding(subject="store", fact=reached(place) if online else settings.daemon.store)
    except TriagedError as error:
        return _trouble("store", error)


def _missing_secrets(tenant: TenantSettings, surroundings: Surroundings) -> Iterator[Finding]:
    for name in secret_names(tenant):
        try:
            surroundings.secret(name)
        except TriagedError as error:
            yield _trouble(f"{tenant.tenant}: secrets", error)


def secret_names(tenant: TenantSettings) -> Sequence[str]:
    """List the names of the secrets that a tenant file refers to."""
    return [value for _, value in tenant.desk if isinstance(value, SecretRef)]


def _desk(tenant: TenantSettings, surroundings: Surroundings, engine: Engine) -> Iterator[Finding]:
    try:
        with adapter_for(tenant, surroundings) as adapter:
            desk = connect(tenant, adapter, engine)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding(subject=f"{tenant.tenant}: desk", problem=problem, exit_code=EXIT_CONFIG)
    except TriagedError as error:
        yield _trouble(f"{tenant.tenant}: desk", error)
    else:
        yield Finding(subject=f"{tenant.tenant}: desk", fact=_summary(desk))
        for warning in desk.identity.warnings:
            yield Finding(subject=f"{tenant.tenant}: note", fact=warning)


def _summary(desk: Desk) -> str:
    fields = ", ".join(f"{rule.aspect} → {rule.field.title}" for rule in desk.rules)
    people = f"{len(desk.staff.agents)} agents in {len(desk.staff.groups)} groups"
    return f"{desk.identity.name} ({desk.identity.account}); {fields}; {people}"


def _trouble(subject: str, error: TriagedError) -> Finding:
    return Finding(subject=subject, problem=str(error), exit_code=error.exit_code)


def _show(findings: Sequence[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        mark, style = ("✗", "red") if finding.problem else ("✓", "green")
        console.print(mark, style=style, end=" ")
        console.print(f"{finding.subject}: {finding.problem or finding.fact}", markup=False)
