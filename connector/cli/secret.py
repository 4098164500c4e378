"""`triaged secret`: store, list, replace and remove the secrets that the configuration names."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from connector import config, registry, secrets
from connector.cli import options
from connector.credstore import SystemdCredentials
from connector.errors import SecretMissing, SecretNotStored
from connector.ports import SecretName, SecretRef
from connector.settings import Configuration

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

BEFORE = "-before"
"""Ends the name under which `rotate` keeps what a secret was."""

LONGEST = 64 << 10
"""Characters; systemd takes credentials of up to a megabyte, and no desk gives such a token."""

RESTART = "The service sees it at its next start: systemctl restart triaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A secret's name, who names it, and where it was found; `place` is empty when it is missing.

    The secret itself is nowhere in here.
    """

    name: str
    named_by: tuple[str, ...]
    place: str
    problem: str = ""


class _Name(click.ParamType[str]):
    """A secret's name, with or without the `secret:` that it has in a file."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the name, or say how one is written."""
        try:
            written = f"secret:{value.removeprefix('secret:')}"
            return str(TypeAdapter(SecretName).validate_python(written))
        except ValidationError:
            self.fail("a name has letters, digits, dots, _ and - only", param, ctx)


class _Spilt(click.Argument):
    """What must not stand behind a name; no usage line offers it."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Give nothing."""
        del ctx
        return []


def _name(function: CommandT) -> CommandT:
    """Take a name, and refuse a secret that somebody typed behind it without repeating it."""
    spilt = click.argument("spilt", cls=_Spilt, nargs=-1, callback=_refuse, expose_value=False)
    return click.argument("name", type=_Name())(spilt(function))


def _refuse(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> None:
    del param
    if value:
        raise click.UsageError(
            "a secret is never an argument: other users and your shell's history see it. Type it"
            " when asked, or pipe it in; and have a new one made in place of this one",
            ctx,
        )


@click.group("secret")
def command() -> None:
    """Keep the secrets that the configuration names as `secret:NAME`.

    As root on a machine that systemd runs, each becomes an encrypted credential of the service;
    elsewhere it goes into your keyring. It is read from standard input, or asked for without echo.
    """


@command.command("set")
@_name
def set_(name: str) -> None:
    """Store a secret under NAME, in place of the one that was there."""
    keeper = secrets.keeper()
    _store(keeper, name, _typed(name))
    _tell(keeper, f"{name} is stored ({secrets.title(keeper)})")


@command.command("rotate")
@_name
def rotate(name: str) -> None:
    """Store a new secret under NAME, and keep the one before as NAME-before.

    Name that one as `previous_secret` while the desk still signs with it.
    """
    keeper = secrets.keeper()
    before = _stored(keeper, name)
    if not before:
        raise _absent(keeper, name)
    new = _typed(name)
    if new == before:
        raise click.UsageError("this is the secret that is there already; nothing was changed")
    _store(keeper, f"{name}{BEFORE}", before)
    _store(keeper, name, new)
    _tell(keeper, f"{name} is replaced; the one before is {name}{BEFORE} ({secrets.title(keeper)})")
    click.echo(f"When nothing needs that one any more: triaged secret rm {name}{BEFORE}")


@command.command("rm")
@_name
def remove(name: str) -> None:
    """Delete the secret that is stored under NAME."""
    keeper = secrets.keeper()
    if not _stored(keeper, name):
        raise _absent(keeper, name)
    try:
        keeper.delete_password(secrets.SERVICE, name)
    except KeyringError as error:
        raise SecretNotStored(f"secret `{name}` cannot be deleted: {error}") from error
    _tell(keeper, f"{name} is deleted ({secrets.title(keeper)})")


@command.command("list")
@options.configuration
@options.as_json
def list_(path: Path, *, as_json: bool) -> None:
    """List the secrets that the configuration names, where each lies, and what nobody names.

    Exits with 78 when one is missing. No secret is shown.
    """
    known = list(_known(_names(path)))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in known], indent=2))
    else:
        _show(known)
    missing = [one.name for one in known if not one.place]
    if missing:
        first = f"triaged secret set {missing[0]}"
        raise SecretMissing(f"{len(missing)} of {len(known)} secrets are missing: {first}")


def _names(path: Path) -> Mapping[str, Sequence[str]]:
    """Give who names each secret; before there is a configuration, nobody does."""
    if not path.exists():
        return {}
    settings = config.load(path, registry.platforms(), any_bundle=True)
    found: dict[str, list[str]] = {}
    for owner, name in _references(settings):
        found.setdefault(name, []).append(owner)
    return found


def _references(settings: Configuration) -> Iterator[tuple[str, str]]:
    if settings.daemon.store_password:
        yield "store_password", settings.daemon.store_password
    for tenant in settings.tenants:
        for option, value in tenant.desk:
            if isinstance(value, SecretRef):
                yield f"{tenant.tenant}: {config.spelt(option)}", value


def _known(named: Mapping[str, Sequence[str]]) -> Iterator[Known]:
    resolve = secrets.resolver()
    for name in sorted({*named, *SystemdCredentials().names()}):
        owners = tuple(named.get(name, ()))
        try:
            resolve(name)
        except SecretMissing as error:
            yield Known(name=name, named_by=owners, place="", problem=error.detail)
        else:
            yield Known(name=name, named_by=owners, place=secrets.title(secrets.source_of(name)))


def _typed(name: str) -> str:
    """Take the secret from whoever types or pipes it."""
    if sys.stdin.isatty():
        text: str = click.prompt(f"{name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        try:
            text = sys.stdin.read(LONGEST + 1).removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            text = "\0"
    if not text:
        raise click.UsageError("nothing was given on standard input; nothing was changed")
    if len(text) > LONGEST or not text.isprintable():
        raise click.UsageError(
            "what was given is no secret of one line: it is too long, or has line breaks or"
            " characters that cannot be printed; nothing was changed"
        )
    return text


def _stored(keeper: KeyringBackend, name: str) -> str | None:
    try:
        found = keeper.get_password(secrets.SERVICE, name)
    except KeyringError as error:
        raise SecretMissing(f"secret `{name}` cannot be read: {error}") from error
    return found


def _store(keeper: KeyringBackend, name: str, text: str) -> None:
    """Store a secret and read it back: what is told to be stored is."""
    try:
        keeper.set_password(secrets.SERVICE, name, text)
        kept = keeper.get_password(secrets.SERVICE, name)
    except KeyringError as error:
        raise SecretNotStored(f"secret `{name}`: {error or type(error).__name__}") from error
    if kept != text:
        raise SecretNotStored(
            f"secret `{name}` did not come back as it was stored ({secrets.title(keeper)})"
        )


def _absent(keeper: KeyringBackend, name: str) -> click.ClickException:
    return click.ClickException(
        f"there is no secret {name!r} ({secrets.title(keeper)}); `triaged secret list` shows them"
    )


def _tell(keeper: KeyringBackend, what: str) -> None:
    click.echo(what)
    if isinstance(keeper, SystemdCredentials):
        click.echo(RESTART)


def _show(known: Sequence[Known]) -> None:
    if not known:
        click.echo("No secret is named or stored.")
        return
    table = Table()
    for column in ("secret", "named by", "found in"):
        table.add_column(column, overflow="fold")
    for one in known:
        owners = ", ".join(one.named_by) or "nobody"
        table.add_row(one.name, owners, one.place or f"missing ({one.problem})")
    Console(highlight=False).print(table)
