"""A foreign package under one of our import names is refused at the start, with a remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector import namesakes
from connector.errors import EXIT_CONFIG, NamesTaken


def package(folder: Path, name: str, text: str = "") -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)


def distribution(folder: Path, title: str, *files: str) -> None:
    info = folder / f"{title}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {title}\nVersion: 1.2\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def start(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Start the command as a shell does, with a folder in front of what is installed."""
    script = "import sys; from connector.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=60,
        check=False,
    )


def test_nothing_stands_in_our_way_here() -> None:
    assert namesakes.found() == ()
    namesakes.require_none()


@pytest.mark.parametrize("name", ["adapters", "classifiers"])
def test_a_folder_that_comes_before_ours_is_refused(tmp_path, name) -> None:
    package(tmp_path, name)
    refused = start(tmp_path, "check")
    assert refused.returncode == EXIT_CONFIG
    assert f"`import {name}` gives {tmp_path / name} instead of" in refused.stderr
    assert "virtual environment of its own" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("file", ["adapters/__init__.py", "connector/core.py", "classifiers.py"])
def test_a_distribution_that_installs_one_of_our_names_is_refused(tmp_path, file) -> None:
    distribution(tmp_path, "foreign", "foreign-1.2.dist-info/METADATA", file)
    refused = start(tmp_path, "run")
    name = file.partition("/")[0].removesuffix(".py")
    assert refused.returncode == EXIT_CONFIG
    assert f"the distribution foreign 1.2 installs {name} too" in refused.stderr
    assert "pip uninstall foreign" in refused.stderr


def test_names_that_only_begin_like_ours_are_no_matter(tmp_path) -> None:
    distribution(tmp_path, "fine", "adapters_of_fine/__init__.py", "fine/adapters/__init__.py")
    package(tmp_path, "adapters_of_fine")
    assert start(tmp_path, "--version").returncode == 0


def test_a_folder_of_ours_without_its_beginning_is_noticed(monkeypatch, tmp_path) -> None:
    """What is left of a package after its namesake was uninstalled."""
    (tmp_path / "adapters").mkdir()
    monkeypatch.setattr(namesakes, "HOME", tmp_path)
    with pytest.raises(NamesTaken, match=f"instead of {tmp_path / 'adapters'}"):
        namesakes.require_none()


def test_the_command_that_reports_namesakes_is_not_refused(tmp_path) -> None:
    package(tmp_path, "adapters")
    assert "NamesTaken" not in (told := start(tmp_path, "doctor").stderr)
    assert "gives" not in told
