"""Finished pieces of work, kept on disk so that a killed training goes on where it was."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
ArrayT = TypeVar("ArrayT", bound=NDArray[Any])


class Kept:
    """A folder of arrays by what they were made of; half-written ones are made again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.found = 0
        """Pieces that were there already."""
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, make: Callable[[], ArrayT]) -> ArrayT:
        """Give what was kept under a name, or make and keep it."""
        path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.npy"
        try:
            found: ArrayT = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, BadZipFile):
            made = make()
        else:
            self.found += 1
            return found
        partial = path.with_suffix(".part")
        with partial.open("wb") as opened:
            np.save(opened, made, allow_pickle=False)
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(path)
        return made
