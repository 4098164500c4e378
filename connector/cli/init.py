"""`triaged init`: from nothing to a tenant that is connected, by asking the desk itself."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from keyring.errors import KeyringError
from rich.console import Console

from connector import config, registry, secrets
from connector.app import kind_of
from connector.cli import check, options, tenantfile
from connector.cli.interview import Answers, Interview
from connector.cli.proposal import Proposal, candidates, likely, propose
from connector.clock import SystemClock
from connector.desk import staff_of
from connector.errors import ConfigError, SecretNotStored, Unauthorized
from connector.model import Aspect, FieldInfo, Identity, Mode, Secret, Staff
from connector.ports import Surroundings
from connector.settings import DaemonSettings

READABLE, FOLDER = 0o644, 0o755
"""The files hold no secret, and the service's own user must be able to read them."""

NONE = "-"
"""What is typed where no field is meant."""


@click.command("init")
@options.configuration
@click.option("--tenant", help="The tenant's name, in small letters; by default from the address.")
@click.option("--platform", help="The desk's platform.")
@click.option("--url", help="The desk's address.")
@click.option("--account", help="The user in whose name triage reads and writes.")
@click.option(
    "--set",
    "more",
    multiple=True,
    metavar="KEY=VALUE",
    help="A further key of the `desk` section; may be given several times.",
)
@click.option(
    "--credential",
    metavar="KEY",
    help="Which key names the credential, where a platform takes several kinds.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="ASPECT=FIELD",
    help="The desk's field for an aspect, by its id; `-` leaves the aspect out.",
)
@click.option(
    "--mode",
    type=click.Choice(["shadow", "suggest", "auto"]),
    default="shadow",
    show_default=True,
    help="How far the aspects may go at once; an assignee's own field is never begun with `auto`.",
)
@click.option(
    "--non-interactive",
    is_flag=True,
    help="Ask nothing: take the options, and the credential from standard input unless it is"
    " stored already.",
)
@click.option("--replace", is_flag=True, help="Overwrite a tenant's file that exists.")
@click.pass_context
def command(ctx: click.Context, /, path: Path, **given: Any) -> None:
    """Connect a desk: ask where it is, look what it has, and write a commented tenant file.

    The credential is tried before it is stored, and nothing is written on the desk. A file that
    exists is overwritten only when you say so. At the end `triaged check --online` is run.
    """
    console = Console(highlight=False, soft_wrap=True)
    interview = Interview(is_silent=bool(given["non_interactive"]))
    daemon = config.load_daemon(path) if path.exists() else None
    with_name = interview.answers(given)
    place = _place(path, daemon, with_name.tenant)
    _require_free(place, interview, replace=bool(given["replace"]))
    fields, identity, staff = _look(with_name, interview)
    _show_desk(console, identity, fields, staff)
    shipped = kind_of((daemon or DaemonSettings()).models).describe(None).labels
    chosen = dict(_chosen(given["fields"]))
    proposals = {
        aspect: _proposal(aspect, fields, shipped.get(aspect, ()), chosen.get(aspect), interview)
        for aspect in Aspect
    }
    if not any(proposals.values()):
        raise ConfigError(
            "no field of this desk is surely meant for any aspect; create one, or name it:"
            " `--field category=FIELD`"
        )
    _store(with_name, interview)
    for one in _write(path, place, daemon, with_name, proposals, Mode(given["mode"])):
        console.print(f"written: {one}", markup=False)
    _finish(ctx, console, path, with_name.tenant, interview)


def _place(path: Path, daemon: DaemonSettings | None, tenant: str) -> Path:
    """Give the place of a tenant's file: where the daemon looks for such files."""
    pattern = daemon.tenants if daemon is not None else DaemonSettings().tenants
    folder = path.parent / Path(pattern).parent
    if "*" in str(folder) or not Path(f"{tenant}.yaml").match(Path(pattern).name):
        raise ConfigError(
            f"{path}:1:1: tenants: {pattern!r} would not find {tenant}.yaml; write the file by"
            " hand, after an example"
        )
    return folder / f"{tenant}.yaml"


def _require_free(place: Path, interview: Interview, *, replace: bool) -> None:
    if not place.exists() or replace:
        return
    if not interview.agrees(f"{place} exists. Overwrite it?", unasked=False):
        raise click.ClickException(f"{place} exists and was not touched; `--replace` overwrites it")


def _look(answers: Answers, interview: Interview) -> tuple[Sequence[FieldInfo], Identity, Staff]:
    """Ask the desk who we are and what it has, with the credential that is not stored yet."""
    platform = registry.platforms()[answers.platform]

    def secret(name: str) -> Secret:
        return interview.credential(name)

    surroundings = Surroundings(secret=secret, clock=SystemClock())
    while True:
        try:
            with platform.connect(answers.options, surroundings) as adapter:
                return adapter.describe_fields(), adapter.check(), staff_of(adapter)
        except Unauthorized as error:
            if not interview.forgets():
                raise
            click.echo(f"{error.detail}: the desk refused it; try another one", err=True)


def _show_desk(
    console: Console, identity: Identity, fields: Sequence[FieldInfo], staff: Staff
) -> None:
    console.print(
        f"connected as {identity.name} ({identity.account}); fields: {len(fields)},"
        f" groups: {len(staff.groups)}, agents: {len(staff.agents)}",
        markup=False,
    )
    for warning in identity.warnings:
        console.print(f"note: {warning}", markup=False)


def _chosen(given: Sequence[str]) -> Iterator[tuple[Aspect, str]]:
    for each in given:
        aspect, _, field = each.partition("=")
        if aspect not in list(Aspect) or not field:
            named = ", ".join(Aspect)
            raise click.UsageError(f"--field {each!r}: write ASPECT=FIELD, ASPECT one of {named}")
        yield Aspect(aspect), field


def _proposal(
    aspect: Aspect,
    fields: Sequence[FieldInfo],
    shipped: Sequence[str],
    wanted: str | None,
    interview: Interview,
) -> Proposal | None:
    """Settle on a field for an aspect; `None` where it has none."""
    fit = candidates(aspect, fields)
    guess = likely(aspect, fields)
    while True:
        name = wanted or interview.field(aspect, fit, guess)
        if name == NONE:
            return None
        field = next((each for each in fit if name in {each.id, each.title}), None)
        if field is None:
            known = ", ".join(f"{each.id} ({each.title})" for each in fit)
            told = f"{aspect}: no field {name!r} of this desk fits; {known or 'none'} would"
        else:
            found = propose(aspect, field, shipped)
            if isinstance(found, Proposal):
                return found
            told = f"{aspect}: {found}"
        if wanted or interview.is_silent:
            if wanted:
                raise ConfigError(told)
            click.echo(f"note: {told}; it is left out", err=True)
            return None
        click.echo(told, err=True)


def _store(answers: Answers, interview: Interview) -> None:
    """Store what was tried and found right."""
    for name, secret in interview.new.items():
        keeper = secrets.keeper()
        try:
            keeper.set_password(secrets.SERVICE, name, secret.reveal())
        except KeyringError as error:
            raise SecretNotStored(f"secret `{name}`: {error}") from error
        click.echo(f"stored: {name}, the credential of {answers.tenant} ({secrets.title(keeper)})")


def _write(
    path: Path,
    place: Path,
    daemon: DaemonSettings | None,
    answers: Answers,
    proposals: Mapping[Aspect, Proposal | None],
    mode: Mode,
) -> Iterator[Path]:
    """Write what is missing of the daemon's file, and the tenant's; give what was written."""
    modes = {aspect: _mode(proposal, mode) for aspect, proposal in proposals.items()}
    text = tenantfile.tenant_text(
        name=answers.tenant,
        desk=answers.desk,
        platform=answers.platform,
        proposals=proposals,
        modes=modes,
    )
    fresh = place.with_suffix(".new")
    try:
        place.parent.mkdir(mode=FOLDER, parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        config.load_tenant(fresh, registry.platforms())
        fresh.chmod(READABLE)
        fresh.replace(place)
        yield place
        if daemon is None:
            is_usual = path == config.DEFAULT_PATH
            state = str(DaemonSettings().state) if is_usual else "state"
            path.write_text(tenantfile.daemon_text(state), encoding="utf-8")
            path.chmod(READABLE)
            yield path
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: {error.strerror}; run this as a user who may write there, or name"
            " another place with `--config`"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)


def _mode(proposal: Proposal | None, mode: Mode) -> Mode:
    is_outright = proposal is not None and proposal.field.kind == "agent"
    return Mode.SHADOW if is_outright else mode


def _finish(
    ctx: click.Context, console: Console, path: Path, tenant: str, interview: Interview
) -> None:
    """Check what was written, offer the proof on history, and say how it goes on."""
    code = 0
    try:
        ctx.invoke(check.command, path=path, online=True, as_json=False)
    except SystemExit as ended:
        code = int(ended.code or 0) if isinstance(ended.code, int) else 1
    root = ctx.find_root().command
    assess = root.get_command(ctx, "assess") if isinstance(root, click.Group) else None
    if not code and assess is not None:
        console.print(f"Next: triaged assess {tenant} shows what this would have been worth")
    if not code:
        console.print("Next: systemctl restart triaged (or `triaged run`), then triaged status")
    elif not interview.is_silent:
        console.print("Mend what is marked, then run `triaged check --online` again")
    if code:
        sys.exit(code)
