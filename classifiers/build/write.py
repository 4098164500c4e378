"""Writes a bundle's folder: files first, then the manifest that seals them."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle import open_bundle
from classifiers.manifest import NAME, sealed


def write_bundle(folder: Path, *, files: Mapping[str, bytes], described: Mapping[str, Any]) -> Path:
    """Write and verify a bundle; what else lies in `folder` stays and belongs to no bundle.

    `described` is the manifest without format, seal and files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    seals = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in sorted(files.items())
    }
    (folder / NAME).write_bytes(sealed({**described, "files": seals}))
    open_bundle(folder)
    return folder


def packed(arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Pack arrays as an .npz; the same arrays always give the same bytes."""
    opened = io.BytesIO()
    plain = {name: np.ascontiguousarray(arrays[name], np.float32) for name in sorted(arrays)}
    np.savez(opened, allow_pickle=False, **plain)
    return opened.getvalue()
