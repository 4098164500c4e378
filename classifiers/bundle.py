"""A bundle's folder: every byte verified before anything is made of it."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from classifiers import manifest
from classifiers.manifest import FileSeal, Manifest
from connector.errors import BadBundle

SHIPPED = Path(__file__).parent / "bundles" / "default"
"""The bundle that comes with triaged."""
LARGEST_MANIFEST = 4_000_000
"""Bytes; the shipped one has tens of thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle: its manifest, and its files as the bytes that were verified."""

    manifest: Manifest
    files: Mapping[str, bytes]

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Give the heads' arrays by name. Nothing but numbers is ever unpickled or run."""
        name = self.manifest.arrays
        try:
            with np.load(io.BytesIO(self.files[name]), allow_pickle=False) as opened:
                return {key: opened[key] for key in opened.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise BadBundle(f"{name} holds no arrays: {error}") from error


def open_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle's folder; raises `BadBundle` that names the file and the reason.

    The bytes that were verified are the bytes that are used: a file that changes afterwards
    changes nothing.
    """
    described = _manifest(folder)
    files = {name: _verified(folder, name, seal) for name, seal in described.files.items()}
    for name in described.needed:
        if name not in files:
            raise BadBundle(f"{folder / manifest.NAME} needs {name} but lists no such file")
    return Bundle(manifest=described, files=MappingProxyType(files))


def _manifest(folder: Path) -> Manifest:
    path = folder / manifest.NAME
    content = _read(path, LARGEST_MANIFEST)
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise BadBundle(f"{path} is no JSON: {error}") from error
    found = raw.get("format") if isinstance(raw, dict) else None
    if found != manifest.FORMAT:
        raise BadBundle(
            f"{path} has the format {found!r}; this triaged reads {manifest.FORMAT}:"
            " build or train the bundle again with this triaged"
        )
    if manifest.seal_in(content) != manifest.seal_of(content):
        raise BadBundle(f"{path} is not as it was written: its seal does not match")
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadBundle(f"{path}: {place}: {first['msg']}") from error


def _verified(folder: Path, name: str, seal: FileSeal) -> bytes:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadBundle(f"{path} leads out of the bundle's folder")
    content = _read(path, seal.bytes)
    if len(content) != seal.bytes:
        raise BadBundle(f"{path} has {len(content)} bytes instead of {seal.bytes}")
    if hashlib.sha256(content).hexdigest() != seal.sha256:
        raise BadBundle(f"{path} is damaged: its SHA-256 is not the one in {manifest.NAME}")
    return content


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise BadBundle(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > most:
        raise BadBundle(f"{path} is larger than {most} bytes")
    return content
