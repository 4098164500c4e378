"""The questions of `triaged init`, asked on a terminal or answered by options."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlsplit

import click
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo as Option

from connector import config, registry, secrets
from connector.errors import ConfigError, SecretMissing
from connector.model import Aspect, FieldInfo, Secret
from connector.ports import Platform, SecretName
from connector.settings import TENANT_NAME

NONE = "-"
_SECRET = get_args(SecretName)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Which desk, as valid options, and the keys as they will stand in its file."""

    tenant: str
    platform: str
    desk: Mapping[str, str]
    options: Any


class Interview:
    """Asks for what options do not say; a silent one says what is missing instead."""

    def __init__(self, *, is_silent: bool) -> None:
        self.is_silent = is_silent
        self.new: dict[str, Secret] = {}
        """Secrets that were given now and are to be stored when they have proved right."""

    def answers(self, given: Mapping[str, Any]) -> Answers:
        """Settle the tenant's name, the platform and the desk's keys."""
        platform = self._platform(given["platform"])
        told = {key: given[key] for key in ("url", "account") if given[key]}
        for each in given["more"]:
            key, mark, value = each.partition("=")
            if not mark:
                raise click.UsageError(f"--set {each!r}: write KEY=VALUE")
            told[key] = value
        credential = self._credential(platform, given["credential"], told)
        for name, option in _plain(platform):
            if name not in told:
                told[name] = self._asked(name, str(option.description or ""))
        tenant = self._tenant(given["tenant"], str(told.get("url", "")))
        if credential:
            told.setdefault(credential, f"secret:{tenant}.{platform.name}-{_dashed(credential)}")
        options = self._valid(platform, told)
        return Answers(tenant=tenant, platform=platform.name, desk=told, options=options)

    def _platform(self, given: str | None) -> Platform:
        known = registry.platforms()
        names = [name for name in sorted(known) if "url" in known[name].options.model_fields]
        name = given or self._asked("platform", f"one of {', '.join(names)}", choices=names)
        if name not in names:
            raise click.UsageError(f"--platform {name!r}: there is one for {', '.join(names)}")
        return known[name]

    def _tenant(self, given: str | None, url: str) -> str:
        host = urlsplit(url).hostname or ""
        usual = "desk" if host.replace(".", "").isdecimal() else host.partition(".")[0]
        name = given or self._asked("tenant", "its name, in small letters", default=usual)
        if not re.fullmatch(TENANT_NAME, name):
            raise click.UsageError(
                f"--tenant {name!r}: write small letters, digits and dashes, such as acme"
            )
        return name

    def _credential(
        self, platform: Platform, given: str | None, told: Mapping[str, str]
    ) -> str | None:
        """Give the key that names the credential; `None` when one was given by `--set`."""
        known = [name for name, option in platform.options.model_fields.items() if _names(option)]
        known = [name for name in known if name not in config.DESK_SECRETS]
        if given and given not in known:
            raise click.UsageError(f"--credential {given!r}: there is {', '.join(known)}")
        if any(name in told for name in known) or not known:
            return None
        if given or len(known) == 1 or self.is_silent:
            return given or known[0]
        return self._asked("credential", f"one of {', '.join(known)}", known[0], choices=known)

    def _valid(self, platform: Platform, told: Mapping[str, str]) -> BaseModel:
        """Validate the desk's keys as the configuration would; raises `ConfigError`."""
        try:
            valid: BaseModel = platform.options.model_validate({"platform": platform.name, **told})
        except ValidationError as invalid:
            problems = [_said(error) for error in invalid.errors()]
            raise ConfigError(problems) from None
        return valid

    def credential(self, name: str) -> Secret:
        """Give a secret that is stored already, or take it from whoever types or pipes it."""
        if name in self.new:
            return self.new[name]
        try:
            return secrets.resolver()(name)
        except SecretMissing:
            if self.is_silent and sys.stdin.isatty():
                raise
        secrets.keeper()  # says now, and not after all questions, that it could not be stored
        if sys.stdin.isatty():
            text = str(click.prompt(f"{name} (not shown)", hide_input=True, err=True))
        else:
            text = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
        if not text or not text.isprintable():
            raise click.UsageError(f"no secret of one line was given for {name}")
        self.new[name] = Secret(text)
        return self.new[name]

    def forgets(self) -> bool:
        """Take back what was typed, to ask for it again; nothing where nobody can type."""
        if self.is_silent or not self.new or not sys.stdin.isatty():
            return False
        self.new.clear()
        return True

    def field(self, aspect: Aspect, fit: Sequence[FieldInfo], guess: FieldInfo | None) -> str:
        """Ask which field an aspect goes into; `-` is none."""
        if self.is_silent:
            return guess.id if guess else NONE
        for each in fit:
            options = f", {len(each.options)} options" if each.options else ""
            click.echo(f"    {each.id}: {each.title}{options}", err=True)
        usual = guess.id if guess else NONE
        return str(click.prompt(f"{aspect}: field (- for none)", default=usual, err=True))

    def agrees(self, question: str, *, unasked: bool) -> bool:
        """Ask for a yes."""
        return unasked if self.is_silent else click.confirm(question, err=True)

    def _asked(
        self,
        name: str,
        meaning: str,
        default: str | None = None,
        choices: Sequence[str] | None = None,
    ) -> str:
        if self.is_silent:
            if default:
                return default
            raise click.UsageError(f"{name} is not given: {meaning}")
        kind = click.Choice(choices) if choices else None
        if not choices and meaning:
            click.echo(f"  {meaning}", err=True)
        return str(click.prompt(name, default=default, type=kind, err=True))


def _plain(platform: Platform) -> Iterator[tuple[str, Option]]:
    """Yield the keys that have to be given and are no secrets."""
    for name, option in platform.options.model_fields.items():
        if option.is_required() and name != "platform" and not _names(option):
            if option.annotation is not str:
                raise ConfigError(
                    f"a desk of platform {platform.name} needs more than a few words"
                    f" (`{name}`); copy its example and edit it"
                )
            yield name, option


def _names(option: Option) -> bool:
    """Tell whether an option holds the name of a secret."""
    within = [getattr(each, "__metadata__", ()) for each in get_args(option.annotation)]
    return _SECRET in option.metadata or any(_SECRET in metadata for metadata in within)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _said(error: Any) -> str:
    path = ".".join(("desk", *map(str, error["loc"])))
    return f"{path}: {error['msg']}"
