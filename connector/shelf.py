"""The shelf: bundles by name and version on disk, and which of them were promoted."""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from connector.errors import BadBundle, NoEarlierBundle, NoSuchBundle, ShelfUnusable, VersionTaken
from connector.ports import (
    BUNDLE_NAME,
    BUNDLE_VERSION,
    SIGNATURE,
    BundleFacts,
    BundleVersion,
    Describe,
)

PROMOTED = "promoted.json"
LOCK = ".lock"
UNFINISHED = ".unfinished-"
"""How the names of folders begin that are not yet, or no longer, on the shelf."""
LARGEST_LIST = 1_000_000
"""Bytes of `promoted.json`: ten thousand promotions."""


class Promotion(BaseModel):
    """That a version was made the one that serves, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: BundleVersion
    at: AwareDatetime


_PROMOTIONS = TypeAdapter(tuple[Promotion, ...])


class Shelf:
    """A directory with `NAME/VERSION/`, a sealed bundle each, and `NAME/promoted.json`.

    The last promotion of a name serves. Reading needs no lock: a version is there as a whole or
    not at all, and a list is replaced in one step. Changes are made within `changing`.
    """

    def __init__(self, directory: Path, describe: Describe) -> None:
        self.directory = directory
        self._describe = describe

    def versions(self) -> Sequence[tuple[str, str]]:
        """List name and version of all that is on the shelf, without looking at it."""
        return [
            (name, version)
            for name in _folders(self.directory, BUNDLE_NAME)
            for version in _folders(self.directory / name, BUNDLE_VERSION)
        ]

    def folder(self, name: str, version: str) -> Path:
        """Give the place of a version, which need not be there."""
        return self.directory / name / version

    def promotions(self, name: str) -> tuple[Promotion, ...]:
        """Give a name's promotions, the one that serves last; raises `ShelfUnusable`."""
        path = self.directory / name / PROMOTED
        try:
            with path.open("rb") as opened:
                content = opened.read(LARGEST_LIST)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ShelfUnusable(f"{path}: {error.strerror or error}") from error
        try:
            return _PROMOTIONS.validate_json(content)
        except ValidationError as error:
            raise ShelfUnusable(
                f"{path} is no list of promotions: {error.errors()[0]['msg']}"
            ) from error

    def described(self, name: str, version: str) -> BundleFacts:
        """Verify a version; raises `BadBundle`, also when it says that it is another one."""
        folder = self.folder(name, version)
        facts = self._describe(str(folder))
        if (facts.name, facts.version) != (name, version):
            raise BadBundle(f"{folder} holds {facts.title}")
        return facts

    def find(self, title: str) -> tuple[str, str]:
        """Give name and version for `NAME@VERSION`, or for `NAME` those that serve.

        Raises `NoSuchBundle`.
        """
        name, mark, version = title.partition("@")
        if not re.fullmatch(BUNDLE_NAME, name) or (
            mark and not re.fullmatch(BUNDLE_VERSION, version)
        ):
            raise NoSuchBundle(f"{title!r} is neither a folder nor NAME@VERSION")
        promotions = () if version else self.promotions(name)
        version = version or (promotions[-1].version if promotions else "")
        if not version:
            raise NoSuchBundle(f"no version of {name} was promoted to {self.directory}")
        if not self.folder(name, version).is_dir():
            raise NoSuchBundle(f"{name}@{version} is not in {self.directory}")
        return name, version

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep others from changing the shelf, waiting for those who do; raises `ShelfUnusable`.

        What a killed process left unfinished is removed first.
        """
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(parents=True)
                _alike(self.directory, self.directory.parent)
                _sync_folder(self.directory.parent)
            line = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ShelfUnusable(f"{self.directory}: {error.strerror or error}") from error
        try:
            fcntl.flock(line, fcntl.LOCK_EX)
            _alike(self.directory / LOCK, self.directory)
            self._tidy()
            try:
                yield
            finally:
                self._tidy()
        except OSError as error:
            place = error.filename or self.directory
            raise ShelfUnusable(f"{place}: {error.strerror or error}") from error
        finally:
            os.close(line)

    def copy(self, source: Path) -> tuple[Path, BundleFacts]:
        """Give a verified copy of a bundle that is on the disk but not yet on the shelf.

        It goes away with the change unless `place` takes it. Raises `BadBundle`, and
        `VersionTaken` when other bytes are on the shelf under that name and version.
        """
        wanted = self._describe(str(source))
        self._has(wanted)
        copied = self._unfinished()
        signed = [SIGNATURE] if (source / SIGNATURE).is_file() else []
        for name in (*wanted.files, *signed):
            _copy_file(source / name, copied / name)
            _alike(copied / name, self.directory)
        _alike(copied, self.directory)
        _sync_folder(copied)
        return copied, self._describe(str(copied))

    def place(self, copied: Path, facts: BundleFacts) -> None:
        """Put a copy on the shelf, unless the same is there already; a damaged one gives way."""
        name, target = self.directory / facts.name, self.folder(facts.name, facts.version)
        if not name.is_dir():
            name.mkdir(mode=0o700)
            _alike(name, self.directory)
            _sync_folder(self.directory)
        if self._has(facts):
            return
        if target.exists():  # damaged: between these two it is not there at all, which is no worse
            target.rename(self._unfinished() / "damaged")
        copied.rename(target)
        _sync_folder(name)

    def promote(self, name: str, version: str, at: datetime) -> None:
        """Make a version that is on the shelf the one that serves."""
        earlier = self.promotions(name)
        if earlier and earlier[-1].version == version:
            earlier = earlier[:-1]
        self._write(name, (*earlier, Promotion(version=version, at=at)))

    def roll_back(self, name: str) -> tuple[Promotion, Promotion]:
        """Take the last promotion back; give it, and the one that serves now.

        Raises `NoEarlierBundle`, and `BadBundle` when the earlier one is damaged.
        """
        promotions = self.promotions(name)
        if not promotions:
            raise NoSuchBundle(f"no version of {name} was promoted to {self.directory}")
        *earlier, last = promotions
        if not earlier:
            raise NoEarlierBundle(f"{name}@{last.version} is the first that was promoted")
        self.described(name, earlier[-1].version)
        self._write(name, tuple(earlier))
        return last, earlier[-1]

    def _has(self, facts: BundleFacts) -> bool:
        """Tell whether a bundle is on the shelf, byte for byte."""
        place = self.folder(facts.name, facts.version)
        if not place.exists():
            return False
        try:
            there = self._describe(str(place))
        except BadBundle:
            return False
        if there.seal != facts.seal:
            raise VersionTaken(f"{place} is {there.title}, and not the same")
        return True

    def _unfinished(self) -> Path:
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.directory))

    def _tidy(self) -> None:
        """Remove what never came on the shelf, of this change or of a process that was killed."""
        for left in self.directory.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)

    def _write(self, name: str, promotions: tuple[Promotion, ...]) -> None:
        folder = self.directory / name
        told = [each.model_dump(mode="json") for each in promotions]
        written = folder / f".{PROMOTED}.new"
        with written.open("wb") as opened:
            opened.write(json.dumps(told, indent=1).encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        _alike(written, self.directory)
        written.rename(folder / PROMOTED)
        _sync_folder(folder)


def promoted(directory: Path) -> Sequence[str]:
    """List the names of which a version was promoted; raises `ShelfUnusable`."""
    names = _folders(directory, BUNDLE_NAME)
    try:
        return [name for name in names if (directory / name / PROMOTED).is_file()]
    except OSError as error:
        raise ShelfUnusable(f"{error.filename}: {error.strerror or error}") from error


def _folders(within: Path, pattern: str) -> Sequence[str]:
    try:
        found = [each.name for each in within.iterdir() if each.is_dir()]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ShelfUnusable(f"{within}: {error.strerror or error}") from error
    return sorted(name for name in found if re.fullmatch(pattern, name))


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file to the disk itself: after a power cut none under its final name is empty."""
    with source.open("rb") as given, target.open("xb") as taken:
        shutil.copyfileobj(given, taken)
        taken.flush()
        os.fsync(taken.fileno())


def _sync_folder(folder: Path) -> None:
    line = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(line)
    finally:
        os.close(line)


def _alike(path: Path, folder: Path) -> None:
    """Let a path be as open as a folder, and when root made it, belong to the same owner.

    An administrator promotes, and the service reads, which may be another user.
    """
    like, is_now = folder.stat(), path.stat()
    if os.geteuid() == 0 and (is_now.st_uid, is_now.st_gid) != (like.st_uid, like.st_gid):
        os.chown(path, like.st_uid, like.st_gid)
    path.chmod(like.st_mode & (0o777 if path.is_dir() else 0o666))
