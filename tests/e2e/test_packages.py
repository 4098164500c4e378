"""What people install, made and tried: the wheel, the source distribution, the Debian package."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import get_completion_class
from world import PATIENCE, direct

from connector import __version__
from connector.cli.main import triaged

ROOT = Path(__file__).parents[2]
DATA = ("connector", "adapters", "classifiers")
EPOCH = "1700000000"
ASK = {
    "bash": """
        COMP_WORDS=(triaged check --o)
        COMP_CWORD=2
        _triaged_completion triaged
        echo "${COMPREPLY[@]}"
    """,
    "fish": "complete --do-complete 'triaged check --o'",
}
"""How a shell is asked, without a terminal, what it would offer."""

builds = pytest.mark.skipif(
    subprocess.run(
        [sys.executable, "-m", "hatchling", "--help"], capture_output=True, check=False
    ).returncode
    != 0,
    reason="hatchling is not installed",
)
as_debian = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("dpkg", "dpkg-deb", "/usr/bin/python3"))),
    reason="only root on a Debian can install its packages",
)


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    ended = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, **environment},
        timeout=PATIENCE * 4,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def build(source: Path, target: Path, kind: str) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target), cwd=source)
    [made] = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Give a virtual environment with the wheel, and what it depends on borrowed from this one."""
    home = tmp_path_factory.mktemp("installed") / "opt"
    run(sys.executable, "-m", "venv", "--without-pip", str(home))
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", str(home / "bin" / "python"))
    run(*pip, "install", "--no-deps", "--no-index", str(wheel))
    [packages] = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(f"{Path(click.__file__).parent.parent}\n")
    return home


@builds
def test_a_wheel_from_the_source_distribution_has_the_same_bytes(wheel, tmp_path) -> None:
    source = build(ROOT, tmp_path / "first", "sdist")
    with tarfile.open(source) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    [unpacked] = (tmp_path / "unpacked").iterdir()
    again = build(unpacked, tmp_path / "second", "sdist")
    assert digest(again) == digest(source)
    assert digest(build(unpacked, tmp_path / "third", "wheel")) == digest(wheel)
    wanted = {"Makefile", "requirements.lock", "requirements-dev.lock", ".ci/run", "Containerfile"}
    assert not [name for name in wanted if not (unpacked / name).is_file()]


@builds
def test_the_wheel_holds_every_file_of_the_packages_and_the_manual(wheel) -> None:
    tracked = run("git", "ls-files", *DATA).splitlines() if (ROOT / ".git").exists() else []
    with zipfile.ZipFile(wheel) as packed:
        held = set(packed.namelist())
    assert not [name for name in tracked if name not in held]
    pages = {name.rpartition("/")[2] for name in held if "/share/man/" in name}
    assert {"triaged.1", "triaged-run.1", "triaged.yaml.5"} <= pages


@builds
def test_the_command_runs_from_the_built_wheel(installed, tmp_path) -> None:
    command = str(installed / "bin" / "triaged")
    told = run(command, "--version", cwd=tmp_path, PYTHONPATH="")
    assert told == f"triaged, version {__version__}\n"
    place = run(
        str(installed / "bin" / "python"),
        "-c",
        "import connector, adapters, classifiers; print(connector.__file__)",
        cwd=tmp_path,
        PYTHONPATH="",
    )
    assert place.startswith(str(installed))


@builds
def test_a_desk_and_its_check_run_from_the_built_wheel(installed, tmp_path) -> None:
    command = str(installed / "bin" / "triaged")
    environment = {**os.environ, "PYTHONPATH": ""}
    serve = [command, "sandbox", "zendesk", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        serve, encoding="utf-8", stdout=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as desk:
        assert desk.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+", desk.stdout.readline())
        assert found
        with direct() as session:
            tenant = session.get(f"{found[0]}/sandbox/tenant").json()
        for name, value in tenant.pop("secrets").items():
            (tmp_path / name).write_text(value)
        (tmp_path / "tenants").mkdir()
        (tmp_path / "tenants" / "one.yaml").write_text(json.dumps(tenant))
        (tmp_path / "triaged.yaml").write_text("state: state\n")
        told = run(
            *(command, "check", "--online", "--json", "--config", "triaged.yaml"),
            cwd=tmp_path,
            PYTHONPATH="",
            CREDENTIALS_DIRECTORY=str(tmp_path),
        )
        desk.send_signal(signal.SIGINT)
    findings = json.loads(told)
    assert {each["subject"] for each in findings} >= {"configuration", "model"}
    assert not [each for each in findings if each["problem"]]


def script(shell: str) -> str:
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(triaged, {}, "triaged", "_TRIAGED_COMPLETE").source()


@builds
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_what_is_begun(installed, shell) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    path = f"{installed / 'bin'}:{os.environ['PATH']}"
    told = run(shell, "-c", f"{script(shell)}\n{ASK[shell]}", PYTHONPATH="", PATH=path)
    assert told.split()[0] == "--online"


@builds
def test_zsh_is_told_commands_with_their_meaning(installed) -> None:
    """The widget itself needs a terminal; this is what it asks and reads."""
    asked = {"_TRIAGED_COMPLETE": "zsh_complete", "COMP_WORDS": "triaged che", "COMP_CWORD": "1"}
    told = run(str(installed / "bin" / "triaged"), PYTHONPATH="", **asked)
    assert told.startswith("plain\ncheck\nCheck the configuration")
    if shutil.which("zsh"):
        run("zsh", "-n", "-c", script("zsh"))


@pytest.fixture(scope="module")
def debian(wheel, tmp_path_factory) -> Callable[..., Path]:
    """Give a function that builds a package of a version, without the dependencies' own files."""
    folder = tmp_path_factory.mktemp("debian")
    empty = folder / "empty.lock"
    empty.write_text("")

    def build_package(version: str, into: Path = folder) -> Path:
        if made := [*into.glob(f"triaged_{version}_*.deb")]:
            return made[0]
        options = ("--lock", str(empty), "--output", str(into), "--version", version)
        make = (sys.executable, str(ROOT / "package" / "deb.py"), str(wheel))
        run(*make, *options, DPKG_DEB_COMPRESSOR_LEVEL="1")
        [new] = into.glob(f"triaged_{version}_*.deb")
        return new

    return build_package


class Root:
    """A folder that dpkg takes for a whole machine's disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("updates", "info"):
            (folder / "var/lib/dpkg" / name).mkdir(parents=True)
        (folder / "var/lib/dpkg/status").touch()

    def dpkg(self, *command: str) -> None:
        """Run the maintainer's scripts too: they find the folder in DPKG_ROOT."""
        force = ("--force-script-chrootless", "--force-depends", "--force-confold")
        run("dpkg", f"--root={self.folder}", *force, *command)

    def files(self) -> set[str]:
        """List what is there beside dpkg's own notes."""
        found = (path for path in self.folder.rglob("*") if not path.is_dir() or path.is_symlink())
        names = {str(path.relative_to(self.folder)) for path in found}
        return {name for name in names if not name.startswith("var/lib/dpkg")}


@builds
@as_debian
def test_a_debian_package_is_installed_upgraded_removed_and_purged(debian, tmp_path) -> None:
    root = Root(tmp_path)
    root.dpkg("--install", str(debian("0.1.0-1")))
    files = root.files()
    wanted = {
        "etc/triaged/triaged.yaml",
        "opt/triaged/bin/triaged",
        "usr/bin/triaged",
        "usr/lib/systemd/system/triaged.service",
        "usr/share/bash-completion/completions/triaged",
        "usr/share/doc/triaged/examples/tenants/zendesk-example.yaml",
        "usr/share/man/man1/triaged.1.gz",
    }
    assert not wanted - files
    assert not [name for name in files if "direct_url.json" in name]
    main = tmp_path / "etc/triaged/triaged.yaml"
    main.write_text("state: /srv/triaged\n")
    tenant = tmp_path / "etc/triaged/tenants/acme.yaml"
    tenant.write_text("tenant: acme\n")
    drop_in = tmp_path / "etc/systemd/system/triaged.service.d/50-credentials.conf"
    state = tmp_path / "var/lib/private/triaged/triaged.db"
    for path in (drop_in, state):
        path.parent.mkdir(parents=True)
        path.touch()
    mine = {str(path.relative_to(tmp_path)) for path in (main, tenant, drop_in, state)}
    root.dpkg("--install", str(debian("0.1.1-1")))
    assert main.read_text() == "state: /srv/triaged\n"
    assert root.files() == files | mine
    root.dpkg("--remove", "triaged")
    assert root.files() == mine
    root.dpkg("--purge", "triaged")
    assert root.files() == set()


@builds
@as_debian
def test_a_debian_package_names_no_folder_of_the_build_and_has_one_time(debian, tmp_path) -> None:
    package = debian("0.1.1-1")
    assert digest(debian("0.1.1-1", tmp_path / "again")) == digest(package)
    content = tmp_path / "content"
    run("dpkg-deb", "--raw-extract", str(package), str(content))
    files = [path for path in content.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.stat().st_mtime for path in files} == {float(EPOCH)}
    assert not [path for path in files if b"triaged-deb-" in path.read_bytes()]
    [compiled] = content.glob("opt/triaged/lib/*/site-packages/connector/__pycache__/model.*")
    assert b"/opt/triaged/lib/python3" in compiled.read_bytes()


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_a_maintainers_script_is_a_shells(name) -> None:
    run("sh", "-n", str(ROOT / "package" / "debian" / name))


def test_the_debian_package_is_not_built_without_a_time(tmp_path) -> None:
    wheel = tmp_path / "triaged-1-py3-none-any.whl"
    wheel.touch()
    command = [
        sys.executable,
        str(ROOT / "package" / "deb.py"),
        str(wheel),
        "--output",
        str(tmp_path),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 2
    assert "SOURCE_DATE_EPOCH must be set" in ended.stderr
    assert list(tmp_path.iterdir()) == [wheel]


def test_the_containerfile_keeps_the_rules() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    if not linter.exists():
        pytest.skip("hadolint is not installed")
    run(str(linter), str(ROOT / "Containerfile"))


def test_the_container_runs_as_nobody_and_is_looked_after() -> None:
    text = (ROOT / "Containerfile").read_text("utf-8")
    last = text.rpartition("\nFROM ")[2]
    assert "\nUSER 65532:65532\n" in last
    assert "\nHEALTHCHECK " in last
    assert "/readyz" in last
    assert not re.findall(r"^ADD |:latest\b", text, re.MULTILINE)
