"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from connector import config

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

configuration: Callable[[CommandT], CommandT] = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=config.DEFAULT_PATH,
    show_default=True,
    envvar="TRIAGED_CONFIG",
    show_envvar=True,
    help="The daemon's configuration file.",
)

bundle: Callable[[CommandT], CommandT] = click.option(
    "--bundle",
    metavar="FOLDER|NAME[@VERSION]",
    help="A bundle's folder, or its name on the shelf, instead of the one that comes with triaged.",
)

as_json: Callable[[CommandT], CommandT] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for programs instead of text for people."
)
