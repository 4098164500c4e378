"""Builds the Debian package: a virtual environment under /opt/triaged, and what belongs around it.

The same commit, build machine's Python and lock file give the same bytes: every time stamp is
SOURCE_DATE_EPOCH, nothing names the folder that it was built in.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from click.shell_completion import get_completion_class

from connector.cli.main import triaged

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "package" / "debian"
HOME = "opt/triaged"
"""Where the virtual environment is, in the package and on the machine."""

MAIL = "triaged@example.org"
"""Debian wants an address; this one reaches nobody. SECURITY.md says how we are reached."""

UNITS = "usr/lib/systemd/system"
DOCS = "usr/share/doc/triaged"
PAGES = ("how-to", "explanation", "reference")
SCRIPTS = ("postinst", "prerm", "postrm")
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/triaged",
    "fish": "usr/share/fish/vendor_completions.d/triaged.fish",
    "zsh": "usr/share/zsh/vendor-completions/_triaged",
}
START = f"""\
#!/{HOME}/bin/python3
import sys

from connector.cli import main

sys.exit(main())
"""
LEAVE_OUT = {"direct_url.json", "REQUESTED"}
"""What pip notes down about the file that it installed from: a path of the build machine's."""


@click.command()
@click.argument("wheel", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--python",
    default="/usr/bin/python3",
    show_default=True,
    help="The distribution's own Python, on which the package will depend.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "dist",
    show_default=True,
)
@click.option(
    "--lock",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=ROOT / "requirements.lock",
    show_default=True,
    help="What else belongs into the environment, each with its hash.",
)
@click.option("--version", help="The package's version; by default the wheel's and -1.")
def main(wheel: Path, python: str, output: Path, lock: Path, version: str | None) -> None:
    """Build the package from WHEEL and the lock file."""
    version = version or f"{wheel.name.split('-')[1]}-1"
    _epoch()
    output.mkdir(parents=True, exist_ok=True)
    package = output / f"triaged_{version}_{_architecture()}.deb"
    with TemporaryDirectory(prefix="triaged-deb-") as folder:
        stage = Path(folder)
        minor = _environment(stage, wheel, lock, python)
        _around(stage, version)
        _control(stage, version, minor)
        _settle(stage)
        # One thread, for the same bytes anywhere; dpkg reads zstd since Debian 12.
        options = ("--root-owner-group", "-Zzstd", "--threads-max=1")
        level = os.environ.get("DPKG_DEB_COMPRESSOR_LEVEL", "12")
        build = ("dpkg-deb", *options, "--build", str(stage), str(package))
        _run(*build, DPKG_DEB_COMPRESSOR_LEVEL=level)


def _environment(stage: Path, wheel: Path, lock: Path, python: str) -> str:
    """Make the virtual environment, and give the version of Python that it is for."""
    home = stage / HOME
    _run(python, "-m", "venv", "--without-pip", str(home))
    own = home / "bin" / "python3"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    install = (*pip, "--python", str(own), "install", "--no-compile")
    _run(*install, "--require-hashes", "--requirement", str(lock))
    _run(*install, "--no-deps", "--no-index", str(wheel))
    [packages] = home.glob("lib/python*/site-packages")
    for info in packages.glob("*.dist-info"):
        _forget_the_build(info)
    _compile(packages, stage, own)
    minor = packages.parent.name.removeprefix("python")
    for script in (home / "bin").iterdir():
        script.unlink()  # each names the folder of the build, and none but ours is for people
    (home / "bin" / "python3").symlink_to(f"/usr/bin/python{minor}")
    (home / "bin" / "python").symlink_to("python3")
    (home / "bin" / "triaged").write_text(START, "utf-8")
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {minor}\n", "utf-8"
    )
    shutil.rmtree(home / "include", ignore_errors=True)
    return minor


def _forget_the_build(info: Path) -> None:
    """Take out what pip wrote about this machine, and the scripts that were taken away."""
    for name in LEAVE_OUT:
        (info / name).unlink(missing_ok=True)
    record = info / "RECORD"
    gone = re.compile(r"^(?:\.\./\.\./\.\./bin/|.*/(?:direct_url\.json|REQUESTED),)")
    lines = record.read_text("utf-8").splitlines(keepends=True)
    record.write_text("".join(line for line in lines if not gone.match(line)), "utf-8")


def _compile(packages: Path, stage: Path, python: Path) -> None:
    """Compile once, here: the service may not write beside its code, and would do so each start.

    By hash and unchecked, since time stamps differ from machine to machine, and by the
    distribution's own Python.
    """
    mode = ("--invalidation-mode", "unchecked-hash", "-s", str(stage), "-p", "/")
    _run(str(python), "-m", "compileall", "-qq", *mode, str(packages), PYTHONHASHSEED="0")


def _around(stage: Path, version: str) -> None:
    """Put units, configuration, manual, completion and pages where the distribution has them."""
    for unit in sorted((ROOT / "systemd").iterdir()):
        _put(unit, stage / UNITS / unit.name)
    _put(ROOT / "config" / "triaged.yaml", stage / "etc/triaged/triaged.yaml")
    (stage / "etc/triaged/tenants").mkdir()
    for example in sorted((ROOT / "config").rglob("*.*")):
        _put(example, stage / DOCS / "examples" / example.relative_to(ROOT / "config"))
    for page in sorted((ROOT / "share/man").rglob("*.[0-9]")):
        _packed(
            page.read_bytes(),
            stage / "usr" / page.relative_to(ROOT).with_suffix(f"{page.suffix}.gz"),
        )
    shutil.rmtree(stage / HOME / "share/man", ignore_errors=True)
    for page in (path for each in PAGES for path in sorted((ROOT / "docs" / each).glob("*.md"))):
        _put(page, stage / DOCS / page.relative_to(ROOT / "docs"))
    _packed((ROOT / "CHANGELOG.md").read_bytes(), stage / DOCS / "changelog.gz")
    _packed(_entry(version).encode(), stage / DOCS / "changelog.Debian.gz")
    _put(TEMPLATES / "copyright", stage / DOCS / "copyright")
    link = stage / "usr/bin/triaged"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"/{HOME}/bin/triaged")
    for shell, path in COMPLETIONS.items():
        (stage / path).parent.mkdir(parents=True)
        (stage / path).write_text(_completion(shell) + "\n", "utf-8")


def _completion(shell: str) -> str:
    """Give the script by which a shell completes the command."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    return kind(triaged, {}, "triaged", "_TRIAGED_COMPLETE").source().strip()


def _control(stage: Path, version: str, minor: str) -> None:
    folder = stage / "DEBIAN"
    folder.mkdir()
    major, small = map(int, minor.split("."))
    files = [path for path in _files(stage) if folder not in path.parents]
    control = (TEMPLATES / "control").read_text("utf-8")
    text = control.format(
        version=version,
        mail=MAIL,
        architecture=_architecture(),
        python=f"{minor}~",
        next_python=f"{major}.{small + 1}~",
        kibibytes=sum(path.stat().st_size for path in files if not path.is_symlink()) // 1024,
    )
    (folder / "control").write_text(text, "utf-8")
    settings = [path for path in files if path.is_relative_to(stage / "etc")]
    names = (f"/{path.relative_to(stage)}\n" for path in settings)
    (folder / "conffiles").write_text("".join(names), "utf-8")
    for script in SCRIPTS:
        _put(TEMPLATES / script, folder / script)
    sums = (f"{_md5(path)}  {path.relative_to(stage)}\n" for path in files if not path.is_symlink())
    (folder / "md5sums").write_text("".join(sums), "utf-8")


def _settle(stage: Path) -> None:
    """Give everything the rights that it has on the machine, and one time."""
    when = _epoch()
    runs = {stage / HOME / "bin" / "triaged", *(stage / "DEBIAN" / name for name in SCRIPTS)}
    for path in (stage, *stage.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in runs else 0o644)
        os.utime(path, (when, when), follow_symlinks=False)


def _epoch() -> int:
    """Give the one time of everything: that of the commit, as `make deb` sets it."""
    try:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    except (KeyError, ValueError):
        raise click.UsageError(
            "SOURCE_DATE_EPOCH must be set, in seconds: `make deb` takes that of the last commit."
        ) from None


def _files(stage: Path) -> Sequence[Path]:
    return sorted(path for path in stage.rglob("*") if path.is_symlink() or path.is_file())


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _packed(content: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(content, 9, mtime=0))


def _entry(version: str) -> str:
    """Give the entry that Debian's tools look for; what is new stands in our own changelog."""
    when = format_datetime(datetime.fromtimestamp(_epoch(), UTC))
    return (
        f"triaged ({version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n"
        f" -- The triaged authors <{MAIL}>  {when}\n"
    )


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()  # what dpkg reads


def _architecture() -> str:
    return _said("dpkg", "--print-architecture")


def _run(*command: str, **environment: str) -> None:
    subprocess.run(command, check=True, env=_clean(environment))


def _said(*command: str, **environment: str) -> str:
    run = subprocess.run(
        command, check=True, env=_clean(environment), stdout=subprocess.PIPE, text=True
    )
    return run.stdout.strip()


def _clean(more: Mapping[str, str]) -> Mapping[str, str]:
    """Give the environment without what would mix this process's packages into the package."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | dict(more)


if __name__ == "__main__":
    main()
