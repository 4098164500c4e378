import errno
import multiprocessing
import os
import stat
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import paper
import pytest

from connector import promotion, shelf
from connector.errors import (
    BadBundle,
    NoEarlierBundle,
    NoSuchBundle,
    ShelfUnusable,
    VersionTaken,
)
from connector.promotion import promote
from connector.shelf import Shelf


@pytest.fixture
def stock(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models", paper.describe)


def serve(stock: Shelf, wanted: Path | str, *, accept: bool = True) -> promotion.Outcome:
    return promote(stock, paper.kind, str(wanted), accept=accept)


def serving(stock: Shelf) -> list[str]:
    return [one.version for one in stock.promotions("ours")]


def test_a_folder_is_copied_verified_and_serves(stock, tmp_path) -> None:
    made = paper.write(tmp_path / "made")
    outcome = serve(stock, made)
    assert (outcome.bundle, outcome.promoted, outcome.before) == ("ours@1", True, "")
    assert serving(stock) == ["1"]
    assert shelf.promoted(stock.directory) == ["ours"]
    assert stock.versions() == [("ours", "1")]
    copied = stock.folder("ours", "1")
    assert sorted(each.name for each in copied.iterdir()) == [paper.SHEET, paper.PADDING]
    assert stock.described("ours", "1") == paper.describe(str(made))


def test_versions_follow_each_other_and_roll_back_in_the_order_of_promotion(
    stock, tmp_path
) -> None:
    for version in "123":
        serve(stock, paper.write(tmp_path / version, version))
    assert serving(stock) == ["1", "2", "3"]
    assert [one.version for one in stock.roll_back("ours")] == ["3", "2"]
    assert [one.version for one in stock.roll_back("ours")] == ["2", "1"]
    with pytest.raises(NoEarlierBundle, match="ours@1 is the first"):
        stock.roll_back("ours")
    assert serving(stock) == ["1"]
    assert serve(stock, "ours@3").before == "ours@1"
    assert serving(stock) == ["1", "3"]


def test_what_serves_already_is_promoted_again_without_growing_the_list(stock, tmp_path) -> None:
    made = paper.write(tmp_path / "made")
    for _ in range(3):
        assert serve(stock, made).promoted
    assert serving(stock) == ["1"]


def test_a_damaged_bundle_is_refused_and_nothing_is_left_of_it(stock, tmp_path) -> None:
    serve(stock, paper.write(tmp_path / "one", "1"))
    bad = paper.write(tmp_path / "two", "2")
    paper.damage(bad)
    with pytest.raises(BadBundle, match="damaged"):
        serve(stock, bad)
    assert serving(stock) == ["1"]
    assert tidy(stock)


def test_a_bundle_that_is_damaged_while_it_is_copied_is_refused(
    stock, tmp_path, monkeypatch
) -> None:
    copy = shelf._copy_file

    def flawed(source: Path, target: Path) -> None:
        copy(source, target)
        if target.name == paper.PADDING:
            paper.damage(target.parent)

    monkeypatch.setattr(shelf, "_copy_file", flawed)
    with pytest.raises(BadBundle, match="damaged"):
        serve(stock, paper.write(tmp_path / "made"))
    assert stock.versions() == []
    assert tidy(stock)


def test_a_version_is_never_overwritten_by_another_bundle(stock, tmp_path) -> None:
    serve(stock, paper.write(tmp_path / "one", "1"))
    other = paper.write(tmp_path / "other", "1", answers={"else": ("network", 0.5)})
    with pytest.raises(VersionTaken, match="never"):
        serve(stock, other)
    assert stock.described("ours", "1") == paper.describe(str(tmp_path / "one"))
    assert tidy(stock)


def test_a_damaged_version_on_the_shelf_is_mended_by_promoting_it_again(stock, tmp_path) -> None:
    made = paper.write(tmp_path / "made")
    serve(stock, made)
    before = stock.promotions("ours")
    paper.damage(stock.folder("ours", "1"))
    with pytest.raises(BadBundle, match="damaged"):
        serve(stock, "ours@1")
    serve(stock, made)
    assert stock.described("ours", "1")
    assert serving(stock) == ["1"]
    assert stock.promotions("ours") != before, "a daemon that refused it must see it anew"
    assert tidy(stock)


def test_a_folder_with_another_bundle_in_it_is_no_version(stock, tmp_path) -> None:
    serve(stock, paper.write(tmp_path / "made"))
    stock.folder("ours", "1").rename(stock.folder("ours", "2"))
    with pytest.raises(BadBundle, match="holds ours@1"):
        stock.described("ours", "2")


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("nowhere", "no version of nowhere"),
        ("ours@9", "ours@9 is not in"),
        ("ours@", "neither"),
        ("../ours@1", "neither"),
        ("ours@../1", "neither"),
        ("ours\n", "neither"),
        ("", "neither"),
    ],
)
def test_what_is_not_on_the_shelf_is_told(stock, tmp_path, title, why) -> None:
    serve(stock, paper.write(tmp_path / "made"))
    with pytest.raises(NoSuchBundle, match=why):
        stock.find(title)
    assert stock.find("ours") == stock.find("ours@1") == ("ours", "1")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[{}]",
        b"\xff",
        b'[{"version": "../../x", "at": "2026-01-02T03:04:05Z"}]',
        b'[{"version": "1", "at": "2026-01-02T03:04:05"}]',
    ],
)
def test_a_list_that_nobody_of_us_wrote_is_named(stock, tmp_path, content) -> None:
    serve(stock, paper.write(tmp_path / "made"))
    path = stock.directory / "ours" / shelf.PROMOTED
    path.write_bytes(content)
    with pytest.raises(ShelfUnusable, match=r"promoted\.json"):
        stock.promotions("ours")


def test_rolling_back_to_a_damaged_version_changes_nothing(stock, tmp_path) -> None:
    for version in "12":
        serve(stock, paper.write(tmp_path / version, version))
    paper.damage(stock.folder("ours", "1"))
    with pytest.raises(BadBundle, match="damaged"):
        stock.roll_back("ours")
    assert serving(stock) == ["1", "2"]


def test_a_place_that_cannot_be_written_is_told_with_the_remedy(stock, tmp_path) -> None:
    stock.directory.write_text("a file where the folder should be")
    with pytest.raises(ShelfUnusable, match=r"models\.directory"):
        serve(stock, paper.write(tmp_path / "made"))


def test_a_full_disk_changes_nothing_and_is_told(stock, tmp_path, monkeypatch) -> None:
    serve(stock, paper.write(tmp_path / "one", "1"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shelf.shutil, "copyfileobj", full)
    with pytest.raises(ShelfUnusable, match="No space left"):
        serve(stock, paper.write(tmp_path / "two", "2"))
    assert serving(stock) == ["1"]
    assert tidy(stock)


def test_what_lies_on_the_shelf_is_as_open_as_the_shelf(stock, tmp_path) -> None:
    stock.directory.mkdir()
    stock.directory.chmod(0o750)
    serve(stock, paper.write(tmp_path / "made"))
    for path in stock.directory.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640), path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_puts_on_the_shelf_belongs_to_the_shelfs_owner(stock, tmp_path) -> None:
    stock.directory.mkdir()
    os.chown(stock.directory, 12345, 23456)
    serve(stock, paper.write(tmp_path / "made"))
    for path in stock.directory.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456), path


def tidy(stock: Shelf) -> bool:
    return not list(stock.directory.glob(f"{shelf.UNFINISHED}*"))


class Killed(BaseException):
    """The process is no more: no handler runs any further call either."""


class Death:
    """Ends everything at the so-manieth step that changes the disk, and every one after it."""

    changing = frozenset({"os.rename", "os.mkdir", "os.chmod", "os.rmdir", "os.remove"})

    def __init__(self) -> None:
        self.left: int | None = None
        self.steps: list[str] = []
        sys.addaudithook(self._hook)  # stays for ever; asleep while `left` is None

    def step(self, what: str) -> None:
        if self.left is None:
            return
        self.steps.append(what)
        if len(self.steps) > self.left:
            raise Killed(what)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.left is None:
            return
        if event == "open" and set("wxa+") & set(str(arguments[1])):
            self.step("open")
        elif event in self.changing:
            self.step(event)


@pytest.fixture(scope="module")
def one_death() -> Death:
    return Death()


@pytest.fixture
def death(one_death, monkeypatch) -> Iterator[Death]:
    for place, name in ((os, "fsync"), (shelf.shutil, "copyfileobj"), (shelf.fcntl, "flock")):
        real: Callable[..., object] = getattr(place, name)

        def counted(*given: Any, _real=real, _name=name) -> object:  # type: ignore[no-untyped-def]
            try:
                one_death.step(_name)
            except Killed:
                if _name == "fsync":
                    lose_half(given[0])
                raise
            return _real(*given)

        monkeypatch.setattr(place, name, counted)
    yield one_death
    one_death.left = None


def lose_half(descriptor: int) -> None:
    """Cut a file that had not reached the disk, as a power cut may."""
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        os.ftruncate(descriptor, found.st_size // 2)


def dies_at(death: Death, step: int, action: Callable[[], object]) -> bool:
    """Do something that is killed at a step; tell whether it was."""
    death.left, death.steps = step, []
    try:
        action()
    except Killed:
        return True
    finally:
        death.left = None
    return False


@pytest.mark.parametrize("case", ["first", "next", "back", "mend"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_nothing_half(
    case, death, tmp_path
) -> None:
    killed = 0
    for step in range(1000):
        folder = tmp_path / str(step)
        stock = Shelf(folder / "models", paper.describe)
        before, after, action = prepared(case, stock, folder)
        if not dies_at(death, step, action):
            break
        killed += 1
        found = serving(stock)
        assert found in (before, after), death.steps
        for version in found[-1:]:
            if (case, found) != ("mend", before):
                assert stock.described("ours", version)
        for name, version in stock.versions():
            if case != "mend":
                assert stock.described(name, version), death.steps
        action()
        assert serving(stock) == (after if case != "back" or found == before else ["1"])
        assert stock.described("ours", serving(stock)[-1])
        assert tidy(stock)
        assert not list((stock.directory / "ours").glob(".*.new"))
    assert killed >= (4 if case == "back" else 12), death.steps


def prepared(
    case: str, stock: Shelf, folder: Path
) -> tuple[list[str], list[str], Callable[[], object]]:
    """Give what is promoted before, what afterwards, and what is done between the two."""
    versions = {"first": "", "next": "1", "back": "123", "mend": "1"}[case]
    for version in versions:
        serve(stock, paper.write(folder / version, version))
    before = list(versions)
    if case == "back":
        return before, before[:-1], lambda: roll_back(stock)
    if case == "mend":
        paper.damage(stock.folder("ours", "1"))
        return before, before, lambda: serve(stock, folder / "1")
    made = paper.write(folder / "made", "new")
    return before, [*before, "new"], lambda: serve(stock, made)


def roll_back(stock: Shelf) -> None:
    with stock.changing():
        stock.roll_back("ours")


def promote_many(directory: Path, made: Path) -> None:
    for _ in range(5):
        serve(Shelf(directory, paper.describe), made)


def test_promotions_at_the_same_time_are_kept_apart(stock, tmp_path) -> None:
    spawn = multiprocessing.get_context("spawn")
    made = [paper.write(tmp_path / version, version) for version in "abc"]
    others = [spawn.Process(target=promote_many, args=(stock.directory, one)) for one in made]
    for each in others:
        each.start()
    for each in others:
        each.join(60)
    assert [each.exitcode for each in others] == [0, 0, 0]
    found = serving(stock)
    assert set(found) == set("abc")
    assert all(one != other for one, other in pairwise(found))
    assert tidy(stock)
