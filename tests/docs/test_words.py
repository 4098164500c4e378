import os
import re
from collections.abc import Iterator
from pathlib import Path

from pages import ROOT, name

UNTRACKED = {"__pycache__", ".cache", ".hypothesis"}
UNTRACKED_AT_THE_TOP = {*UNTRACKED, ".git", ".venv", "dist", "build"}
BINARY = {".onnx", ".npz", ".png", ".gz", ".pyc"}
LARGE = {"tokenizer.json"}
"""A vocabulary: half a megabyte of words that are everybody's."""

# A letter in brackets each, so that this file does not hold what it looks for.
MACHINE = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|hom[e]/[a-z]+|User[s])/")
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KE[Y]-----\s+[A-Za-z0-9+/]{20}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bgithub_pat_\w{50,}\b"
    r"|\bglpat-[\w-]{20}\b"
    r"|\bxox[abp]-\d{6,}-[\w-]{10,}"
    r"|\bsk_live_\w{20,}\b"
    r"|\bAIza[\w-]{35}\b"
)


def tracked() -> Iterator[Path]:
    """Yield the text files of the checkout, without what git ignores."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [each for each in folders if not ignored(Path(folder, each))]
        for file in files:
            # In a second worktree `.git` is a file that names the first.
            if Path(file).suffix not in BINARY and file not in {*LARGE, ".git"}:
                yield Path(folder, file)


def ignored(folder: Path) -> bool:
    if folder.name.endswith(("_cache", ".egg-info")):
        return True
    return folder.name in (UNTRACKED_AT_THE_TOP if folder.parent == ROOT else UNTRACKED)


def holding(pattern: re.Pattern[str]) -> list[str]:
    return [name(path) for path in tracked() if pattern.search(path.read_text("utf-8"))]


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert not holding(MACHINE)


def test_no_file_holds_what_looks_like_a_secret() -> None:
    assert not holding(SECRET)


def test_files_are_found_at_all() -> None:
    found = {name(path) for path in tracked()}
    assert {"README.md", "connector/model.py", "tests/docs/test_words.py"} <= found
