"""YAML into frozen settings: every error at once, each with its place and a remedy."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector import rulebook, shelf, yamlfile
from connector.errors import ConfigError
from connector.model import TAGS, Aspect, Mode
from connector.ports import Platform
from connector.settings import AspectSettings, Configuration, DaemonSettings, TenantSettings
from connector.yamlfile import YamlFile

DEFAULT_PATH = Path("/etc/triaged/triaged.yaml")

_MAY_HOLD_SECRETS = {"desk", "intake", "store", "store_password"}
"""Keys whose wrong values are not repeated: somebody may have put a secret in clear there."""

DESK_SECRETS = {"webhook_secret": "secret", "previous_webhook_secret": "previous_secret"}
"""The options of a desk that `intake.webhook` fills in, and its key for each."""


def spelt(option: str) -> str:
    """Give the key under which a desk's option stands in a tenant file."""
    key = DESK_SECRETS.get(option)
    return f"intake.webhook.{key}" if key else f"desk.{option}"


MOST_PROBLEMS = 50
"""Shown of one section: whoever has more gave the wrong file."""

_PLACE = re.compile(r"(.+?):(\d+):(\d+): ")

ModelT = TypeVar("ModelT", bound=BaseModel)


def load(
    path: Path, platforms: Mapping[str, Platform], *, any_bundle: bool = False
) -> Configuration:
    """Read `path` and every tenant file that it names; raises `ConfigError` with all problems.

    With `any_bundle`, tenants may name bundles that were not promoted yet.
    """
    problems: list[str] = []
    daemon_file, daemon = _daemon(path)
    pattern = Path(daemon.tenants)
    base = Path(pattern.anchor) if pattern.is_absolute() else path.parent
    relative = str(pattern.relative_to(pattern.anchor))
    files = _matching(base, relative)
    if not files:
        place = daemon_file.at(["tenants"])
        problems.append(
            f"{place}: tenants: no file matches {daemon.tenants!r}; copy an example there"
        )
    read = [(file, _tenant(file, platforms, problems)) for file in files]
    if not any_bundle:
        problems.extend(_unknown_bundles(read, daemon.shelf))
    tenants = [tenant for _, tenant in read if tenant is not None]
    problems.extend(_twins(read))
    if problems:
        raise ConfigError(sorted(problems, key=_place))
    return Configuration(daemon=daemon, tenants=tuple(tenants))


def load_tenant(path: Path, platforms: Mapping[str, Platform]) -> TenantSettings:
    """Read one tenant's file by itself; raises `ConfigError` with all its problems."""
    problems: list[str] = []
    tenant = _tenant(path, platforms, problems)
    if tenant is None or problems:
        raise ConfigError(problems)
    return tenant


def load_daemon(path: Path) -> DaemonSettings:
    """Read the daemon's own settings alone; raises `ConfigError` with all problems of that file."""
    return _daemon(path)[1]


def _daemon(path: Path) -> tuple[YamlFile, DaemonSettings]:
    problems: list[str] = []
    file = yamlfile.read(path)
    daemon = _valid(DaemonSettings, file, problems)
    if daemon is None:
        raise ConfigError(problems)
    models = daemon.models
    if models.directory is not None:
        models = models.model_copy(update={"directory": path.parent / models.directory})
    return file, daemon.model_copy(update={"state": path.parent / daemon.state, "models": models})


def _place(problem: str) -> tuple[str, int, int]:
    """Give a problem's file, line and column, to list problems as a reader meets them."""
    found = _PLACE.match(problem)
    return (found[1], int(found[2]), int(found[3])) if found else (problem, 0, 0)


def _matching(base: Path, pattern: str) -> Sequence[Path]:
    try:
        return sorted(found for found in base.glob(pattern) if found.is_file())
    except (ValueError, IndexError):  # what pathlib makes of an empty or a senseless pattern
        return ()


def _tenant(
    path: Path, platforms: Mapping[str, Platform], problems: list[str]
) -> TenantSettings | None:
    try:
        file = yamlfile.read(path)
    except ConfigError as error:
        problems.extend(error.problems)
        return None
    tenant = _valid(TenantSettings, file, problems)
    desk = _desk(file, platforms, problems)
    if tenant is None or desk is None:
        return None
    problems.extend(_contradictions(tenant, file))
    problems.extend(_contradicting_rules(tenant, file))
    return tenant.model_copy(update={"desk": desk})


def _desk(
    file: YamlFile, platforms: Mapping[str, Platform], problems: list[str]
) -> BaseModel | None:
    """Validate the `desk:` section with its own platform's options."""
    section = file.data.get("desk")
    if not isinstance(section, Mapping):
        if section is not None:
            problems.append(f"{file.at(['desk'])}: desk: must be `key: value` lines")
        return None
    name = section.get("platform")
    platform = platforms.get(str(name))
    if platform is None:
        known = ", ".join(sorted(platforms))
        hint = _did_you_mean(str(name), platforms)
        found = "is missing" if name is None else f"{name!r} is not an installed platform"
        problems.append(
            f"{file.at(['desk', 'platform'])}: desk.platform: {found}{hint}; known: {known}"
        )
        return None
    values = dict(section)
    secrets = _webhook_secrets(file.data)
    if secrets and not secrets.keys() <= platform.options.model_fields.keys():
        place = file.at(["intake", "webhook"], key=True)
        problems.append(f"{place}: intake.webhook: {name} takes no webhooks; remove it and poll")
    else:
        values.update(secrets)
    return _valid(platform.options, YamlFile(file.path, file.data), problems, values, ("desk",))


def _webhook_secrets(data: Mapping[str, Any]) -> Mapping[str, str]:
    """An adapter verifies its own webhooks, so the secrets that intake names go to the desk."""
    intake = data.get("intake")
    webhook = intake.get("webhook") if isinstance(intake, Mapping) else None
    named = webhook if isinstance(webhook, Mapping) else {}
    return {
        option: secret
        for option, key in DESK_SECRETS.items()
        if isinstance(secret := named.get(key), str) and secret.startswith("secret:")
    }


def _valid(
    model: type[ModelT],
    file: YamlFile,
    problems: list[str],
    values: Mapping[str, Any] | None = None,
    prefix: tuple[str, ...] = (),
) -> ModelT | None:
    try:
        return model.model_validate(file.data if values is None else values)
    except ValidationError as invalid:
        errors = invalid.errors()
        problems.extend(_problem(model, file, error, prefix) for error in errors[:MOST_PROBLEMS])
        if len(errors) > MOST_PROBLEMS:
            left = len(errors) - MOST_PROBLEMS
            problems.append(f"{file.at([])}: and {left} problems more; is it the right file?")
        return None


def _problem(
    model: type[BaseModel], file: YamlFile, error: ErrorDetails, prefix: tuple[str, ...]
) -> str:
    location = (*prefix, *error["loc"])
    unknown = error["type"] == "extra_forbidden"
    place = file.at(location, key=unknown)
    path = ".".join(str(part) for part in location if not str(part).startswith("literal["))
    if unknown:
        names = _fields_at(model, error["loc"][:-1])
        hint = _did_you_mean(str(error["loc"][-1]), names)
        return f"{place}: {path}: unknown key{hint}; known: {', '.join(sorted(names))}"
    if error["type"] == "missing":
        return f"{place}: {path}: is required"
    found = "" if location[0] in _MAY_HOLD_SECRETS else _got(error)
    return f"{place}: {path}: {_lower_first(error['msg'])}{found}"


def _got(error: ErrorDetails) -> str:
    value = error["input"]
    if not isinstance(value, str | int | float | bool):
        return ""
    return f" (found {value!r})"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """List the keys that a section knows, following the location through nested sections."""
    for part in location:  # a map's own keys are no fields, and lead nowhere else
        info = model.model_fields.get(str(part))
        nested = list(_models_in(info.annotation if info else None))
        if nested:
            model = nested[0]
    return [name for name in model.model_fields if name not in DESK_SECRETS]


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""


def _contradictions(tenant: TenantSettings, file: YamlFile) -> Iterator[str]:
    """Yield what is valid key by key and cannot be meant as a whole."""
    active = dict(tenant.aspects.active())
    if not active:
        place = file.at(["aspects"], key=True)
        yield f"{place}: aspects: every aspect is off; turn one on, `mode: shadow` writes nothing"
    taken: dict[str, Aspect] = {}
    for aspect, settings in active.items():
        path = f"aspects.{aspect}"
        labels = file.at(["aspects", aspect, "labels"], key=True)
        yield from (f"{labels}: {path}.labels: {told}" for told in _odd_labels(aspect, settings))
        if settings.mode is not Mode.AUTO or settings.field == TAGS:
            continue
        other = taken.setdefault(settings.field, aspect)
        if other is not aspect:
            yield (
                f"{file.at(['aspects', aspect, 'field'])}: {path}.field: {settings.field!r} is"
                f" already written by {other}; give each aspect a field of its own"
            )


def _contradicting_rules(tenant: TenantSettings, file: YamlFile) -> Iterator[str]:
    """Yield rules that cannot be meant, and those for an aspect that is off."""
    for path, problem in rulebook.contradictions(tenant.rules):
        where = ("rules", *path)
        yield f"{file.at(where)}: {'.'.join(where)}: {problem}"
    active = dict(tenant.aspects.active())
    for aspect in (Aspect.PRIORITY, Aspect.CATEGORY):
        if aspect not in active and aspect in tenant.rules.model_fields_set:
            place = file.at(["rules", aspect], key=True)
            yield f"{place}: rules.{aspect}: the aspect is off; give it a mode, or remove its rules"


def _odd_labels(aspect: Aspect, settings: AspectSettings) -> Iterator[str]:
    """Yield what cannot be meant by labels of one's own."""
    described, names = settings.described, settings.names
    if described and names:
        yield "give each label `stands_for`, or none: words alone replace the bundle's labels"
    elif described and aspect is not Aspect.CATEGORY:
        yield (
            "only a category has labels of your own; use `stands_for` to rename or merge the"
            " bundle's, or `values` to rename what is written"
        )
    elif len(described) == 1:
        yield "one label leaves no choice; name at least two"
    takers: dict[str, list[str]] = {}
    for name, own in names.items():
        for label in own.labels:
            takers.setdefault(label, []).append(name)
    for label, sharing in takers.items():
        if lacking := [name for name in sharing if len(sharing) > 1 and not names[name].words]:
            yield (
                f"{label!r} is split between {', '.join(sharing)}; describe"
                f" {', '.join(lacking)} by `words`"
            )


def _unknown_bundles(
    read: Sequence[tuple[Path, TenantSettings | None]], directory: Path
) -> Iterator[str]:
    """Yield a problem for each tenant whose bundle was never promoted."""
    naming = [(path, tenant.bundle) for path, tenant in read if tenant and tenant.bundle]
    known = shelf.promoted(directory) if naming else ()
    for path, name in naming:
        if name not in known:
            place = yamlfile.read(path).at(["bundle"])
            hint = _did_you_mean(name, known)
            told = f"promoted: {', '.join(known)}" if known else "none was promoted yet"
            yield (
                f"{place}: bundle: no bundle {name!r} was promoted to {directory}{hint}; {told};"
                " `triaged models promote FOLDER` makes one serve"
            )


def _twins(read: Sequence[tuple[Path, TenantSettings | None]]) -> Iterator[str]:
    """Yield a problem for each tenant name that a second file claims."""
    owners: dict[str, Path] = {}
    for path, tenant in read:
        if tenant is None:
            continue
        owner = owners.setdefault(tenant.tenant, path)
        if owner is not path:
            yield f"{path}:1:1: tenant: {tenant.tenant!r} is already the name of {owner}"
