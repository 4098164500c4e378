"""Take each remedy against a trap out once, in a copy, and see whether its test fails.

`--only WORDS` tries the traps whose names hold these words. It takes some five minutes, prints a
line for each trap, and ends with 1 if a remedy is missed by nobody.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from traps import TRAPS, Trap

ROOT = Path(__file__).parents[2]
CHANGED = ("adapters", "connector", "tests")
"""What is copied; the rest of the tree is reached by links."""

FAILED = 1
"""What pytest ends with when a test failed; anything else is no answer."""


def main() -> int:
    """Try the traps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="words in the name of a trap")
    only = parser.parse_args().only
    console, unnoticed = Console(), 0
    chosen = [trap for trap in TRAPS if only.casefold() in trap.what.casefold()]
    with tempfile.TemporaryDirectory() as folder:
        tree = copy(Path(folder))
        for trap in chosen:
            told = missed(tree, trap)
            unnoticed += bool(told)
            console.print(f"{told or 'noticed'}: {trap.what}", markup=False, soft_wrap=True)
    console.print(f"{len(chosen) - unnoticed} of {len(chosen)} remedies are missed by their test")
    return int(unnoticed > 0)


def copy(tree: Path) -> Path:
    """Copy the code and the tests, and link what else the tests read."""
    for each in ROOT.iterdir():
        if each.name in CHANGED:
            shutil.copytree(each, tree / each.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif not each.name.startswith("."):
            (tree / each.name).symlink_to(each)
    return tree


def missed(tree: Path, trap: Trap) -> str:
    """Run a trap's test without the remedy; say so unless it fails."""
    file = tree / trap.file
    text = file.read_text("utf-8")
    assert text.count(trap.remedy) == 1, trap.what
    file.write_text(text.replace(trap.remedy, trap.without), "utf-8")
    try:
        return "" if ended(tree, trap) == FAILED else "UNNOTICED"
    finally:
        file.write_text(text, "utf-8")


def ended(tree: Path, trap: Trap) -> int:
    """Run a trap's test."""
    path, _, words = trap.test.partition("::")
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", path)
    return subprocess.run(
        [*command, "-k", words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
