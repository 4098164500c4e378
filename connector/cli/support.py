"""The support bundle: what helps somebody elsewhere to understand a machine; nothing private."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http.client import HTTPException
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import click

from connector import __version__, secrets
from connector.clean import mask
from connector.cli.examination import Symptom, asked, shown
from connector.errors import TriagedError
from connector.redaction import redact
from connector.settings import Configuration, DaemonSettings
from connector.store import look, place_of

READ_ME = """\
Written by `triaged doctor --bundle`. Look through it before you send it.

findings.json       what `triaged doctor` found
configuration.json  the settings as they hold, without comments; of secrets the names, of desks no
                    account; labels and their descriptions are counted, not shown
counts.json         how much work is in which state, per tenant
metrics.txt         what a running daemon counts, where one answers
packages.txt        what is installed beside triaged
service.json        the service's state and limits as systemd tells them

It holds no ticket, no ticket's number, no person and no secret.
"""

NOT_SHOWN = ("account", "labels", "values", "teams", "treat_as_empty", "token", "password")
"""Keys whose values are people's, or may hold what somebody wrote in the wrong place."""


def write(
    place: Path, found: Sequence[Symptom], settings: Configuration | None, daemon: DaemonSettings
) -> None:
    """Write the bundle; a file that exists is never touched."""
    pieces = {
        "README.txt": READ_ME,
        "findings.json": _json([asdict(each) for each in found]),
        "configuration.json": _json(_configuration(settings)),
        "counts.json": _json(_counts(daemon)),
        "metrics.txt": _safe(_metrics(daemon)),
        "packages.txt": _packages(),
        "service.json": _json(shown()),
    }
    try:
        with place.open("xb") as file, ZipFile(file, "w", ZIP_DEFLATED) as bundle:
            place.chmod(0o600)
            for name, text in pieces.items():
                bundle.writestr(name, text)
    except FileExistsError:
        raise click.ClickException(f"{place} exists already; name another file") from None
    except OSError as error:
        raise click.ClickException(f"{place}: {error.strerror}; name another file") from error


def _safe(text: str) -> str:
    """Take out of a text what people and machines keep to themselves, as the log does."""
    return redact("\n".join(map(mask, text.splitlines())))


def _json(content: Any) -> str:
    return json.dumps(_leaves(content), indent=2, ensure_ascii=False) + "\n"


def _leaves(content: Any) -> Any:
    """Make each text within safe; keys are ours."""
    if isinstance(content, Mapping):
        return {str(name): _leaves(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_leaves(each) for each in content]
    return _safe(content) if isinstance(content, str) else content


def _configuration(settings: Configuration | None) -> Any:
    if settings is None:
        return {"unusable": "see findings.json"}
    tenants = [
        _shown({**tenant.model_dump(mode="json", exclude={"desk"}), "desk": _desk(tenant.desk)})
        for tenant in settings.tenants
    ]
    return {"daemon": settings.daemon.model_dump(mode="json"), "tenants": tenants}


def _desk(desk: Any) -> Mapping[str, Any]:
    dumped: Mapping[str, Any] = desk.model_dump(mode="json")
    return dumped


def _shown(content: Any, key: str = "") -> Any:
    """Give settings with private ones counted instead of shown."""
    if key in NOT_SHOWN and content:
        count = len(content) if isinstance(content, Mapping | list) else 1
        return f"({count} not shown)"
    if isinstance(content, Mapping):
        return {name: _shown(value, str(name)) for name, value in content.items()}
    if isinstance(content, list):
        return [_shown(each) for each in content]
    return content


def _counts(daemon: DaemonSettings) -> Any:
    try:
        overviews = look(place_of(daemon, secrets.resolver()))
    except TriagedError as error:
        return {"unusable": error.detail}
    return [
        {key: value for key, value in asdict(one).items() if key != "trouble"} for one in overviews
    ]


def _metrics(daemon: DaemonSettings) -> str:
    try:
        return asked(daemon.web.host, daemon.web.port, "/metrics")[1]
    except (OSError, HTTPException) as error:
        return f"no daemon answered ({type(error).__name__})"


def _packages() -> str:
    """List what is installed."""
    found = sorted(f"{each.metadata['Name']}=={each.version}" for each in distributions())
    return "\n".join([f"triaged {__version__}", *found])
