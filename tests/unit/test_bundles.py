from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import paper
import pytest

from connector.bundles import Bundles
from connector.errors import BadBundle, NothingToServe, ShelfUnusable
from connector.promotion import promote
from connector.shelf import PROMOTED, Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models", paper.describe)


@pytest.fixture
def put(shelf, tmp_path) -> Callable[..., None]:
    """Give a function that promotes a version, and can damage it afterwards."""

    def put(version: str, *, damaged: bool = False, **changes: object) -> None:
        made = paper.write(tmp_path / version, version, **changes)  # type: ignore[arg-type]
        promote(shelf, paper.kind, str(made), accept=True)
        if damaged:
            paper.damage(shelf.folder("ours", version))

    return put


@pytest.fixture
def bundles(shelf) -> Bundles:
    return Bundles(paper.kind, shelf, default=None, threads=1)


def serving(bundles: Bundles) -> str:
    return bundles.engine("ours").bundle


def test_the_last_promotion_serves(bundles, put) -> None:
    put("1")
    put("2")
    assert bundles.open("ours") == []
    assert serving(bundles) == "ours@2"


def test_the_default_is_a_folder(shelf, tmp_path) -> None:
    made = paper.write(tmp_path / "own", name="own")
    bundles = Bundles(paper.kind, shelf, default=made, threads=1)
    bundles.open(None)
    assert bundles.engine(None).bundle == "own@1"
    assert bundles.look() == []


def test_at_the_start_the_newest_earlier_one_that_verifies_serves(bundles, put) -> None:
    put("1")
    put("2", damaged=True)
    put("3", damaged=True)
    refused = bundles.open("ours")
    assert serving(bundles) == "ours@1"
    assert [(one.bundle, one.serving) for one in refused] == [
        ("ours@3", "ours@1"),
        ("ours@2", "ours@1"),
    ]
    assert all("damaged" in one.error for one in refused)
    assert bundles.look() == [], "said once"


def test_a_version_that_was_rolled_back_from_does_not_serve_in_anothers_place(
    bundles, put, shelf
) -> None:
    for version in "123":
        put(version)
    shelf.roll_back("ours")
    paper.damage(shelf.folder("ours", "2"))
    bundles.open("ours")
    assert serving(bundles) == "ours@1"


def test_when_none_can_serve_the_start_fails_and_names_them_all(bundles, put) -> None:
    put("1", damaged=True)
    put("2", damaged=True)
    with pytest.raises(NothingToServe, match=r"ours: .*2 is damaged; .*1 is damaged") as caught:
        bundles.open("ours")
    assert "triaged models promote" in str(caught.value)


def test_a_name_without_promotions_is_told(bundles) -> None:
    with pytest.raises(NothingToServe, match="ours: no version was promoted"):
        bundles.open("ours")


def test_what_is_promoted_while_it_runs_is_taken_up(bundles, put, shelf) -> None:
    put("1")
    bundles.open("ours")
    assert bundles.look() == []
    put("2")
    assert bundles.look() == []
    assert serving(bundles) == "ours@2"
    shelf.roll_back("ours")
    bundles.look()
    assert serving(bundles) == "ours@1"


def test_what_cannot_serve_is_told_once_and_the_old_one_serves_on(bundles, put, shelf) -> None:
    put("1")
    bundles.open("ours")
    put("2", damaged=True)
    [refused] = bundles.look()
    assert (refused.bundle, refused.serving) == ("ours@2", "ours@1")
    assert "damaged" in refused.error
    assert [bundles.look() for _ in range(3)] == [[], [], []]
    assert serving(bundles) == "ours@1"
    promote(shelf, paper.kind, str(shelf.directory.parent / "2"), accept=True)
    assert bundles.look() == []
    assert serving(bundles) == "ours@2", "mended and promoted again"


def test_one_that_answers_otherwise_here_than_when_it_was_made_is_refused(
    bundles, put, shelf
) -> None:
    put("1")
    bundles.open("ours")
    wrong = {"no toner": ("network", 0.9)}
    paper.write(shelf.folder("ours", "2"), "2", golden=wrong)
    shelf.promote("ours", "2", datetime.now(UTC))
    [refused] = bundles.look()
    assert "golden tickets" in refused.error
    assert serving(bundles) == "ours@1"


def test_a_list_that_cannot_be_read_is_told_once_and_again_after_it_was_mended(
    bundles, put, shelf
) -> None:
    put("1")
    bundles.open("ours")
    path = shelf.directory / "ours" / PROMOTED
    good = path.read_bytes()
    for _ in range(2):
        path.write_bytes(b"{")
        [refused] = bundles.look()
        assert "promoted.json" in refused.error
        assert bundles.look() == []
        path.write_bytes(good)
        assert bundles.look() == []
    path.unlink()
    [refused] = bundles.look()
    assert "no longer" in refused.error
    assert serving(bundles) == "ours@1"


def test_what_nobody_foresaw_is_not_tried_again_and_again(bundles, put, monkeypatch) -> None:
    put("1")
    bundles.open("ours")
    put("2")

    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bundles, "_loaded", explode)
    with pytest.raises(ZeroDivisionError):
        bundles.look()
    assert bundles.look() == []
    assert serving(bundles) == "ours@1"


def test_a_list_that_cannot_be_read_stops_the_start(bundles, put, shelf) -> None:
    put("1")
    (shelf.directory / "ours" / PROMOTED).write_bytes(b"{")
    with pytest.raises(ShelfUnusable):
        bundles.open("ours")


def test_the_default_has_to_be_opened(bundles) -> None:
    with pytest.raises(BadBundle):
        bundles.engine(None)
