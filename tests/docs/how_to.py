"""Which command of a how-to page is run by which test, or what it would need."""

import re

from pages import ROOT

HOW_TO = ROOT / "docs" / "how-to"
SANDBOX = HOW_TO / "try-the-sandbox.md"
PAGES = sorted([*HOW_TO.glob("*.md"), ROOT / "README.md"])

BESIDE_A_DAEMON = (
    "troubleshoot",
    "tune-the-dial",
    "read-the-report",
    "serve-several-organisations",
    "undo",
    "work-off-the-queue",
    "privacy-and-data-protection",
    "connect-zendesk",
)
"""Pages whose commands are run here, in this order, beside a daemon with a desk."""

READ_ONLY = {"--version", "check", "classify", "status"}
"""Commands of ours that every page may show; `tests/e2e/test_commands.py` has them."""

ELSEWHERE = {
    r"triaged init\b": "tests/e2e/test_init.py",
    r"triaged secret (set|list|rotate|rm)\b": "tests/e2e/test_secret.py",
    r"triaged models (promote|rollback|list)\b": "tests/e2e/test_bundles.py",
    r"triaged models (show|verify|build)\b": "tests/unit/test_models_commands.py",
    r"triaged models (sign)\b": "tests/unit/test_signature.py",
    r"triaged (train)\b": "tests/unit/test_training.py",
    r"triaged (evaluate)\b": "tests/unit/test_evaluation.py",
    r"triaged (assess)\b": "tests/e2e/test_assess.py",
    r"triaged (backfill)\b": "tests/e2e/test_backfill.py",
    r"triaged history (pull)\b": "tests/e2e/test_history.py",
    r"triaged store (migrate)\b": "tests/e2e/test_postgresql.py",
    r"triaged ladder (raise)\b": "tests/e2e/test_ladder.py",
    r"triaged brake (release)\b": "tests/e2e/test_safety.py",
    r"triaged (sandbox quill)\b|-m (pytest) test_quill": "tests/e2e/test_own_adapter.py",
    r"triaged (demo)\b|make (demo)\b": "tests/e2e/test_commands.py",
    r"make (deb)\b|apt install|_COMPLETE=": "tests/e2e/test_packages.py",
}
"""Commands that a test of their own runs, with its file: it has to name the command."""

MACHINE = {
    r"systemctl |journalctl ": "a machine that systemd has booted",
    r"pip install|-m venv ": "what is installed stands in test_packages",
    r"^(mkdir|cp|mv|rm|ln|install|useradd|tar|sqlite3|openssl) ": "the system's own",
    r"^make (test|setup)": "this very run",
    r"^podman ": "an engine for containers",
    r"^-u postgres ": "a database server's owner",
    r"desk\.acme\.example": "a desk of the reader's",
}
"""Commands that need what is not there in a test, and what that is."""


def plain(command: str) -> str:
    """Give a command as it is here: nobody else's rights, and our program on the path."""
    return command.replace("sudo ", "").replace("/opt/triaged/bin/", "").replace(".venv/bin/", "")


def rule(command: str) -> str | None:
    """Give the rule by which a command is not run here."""
    known = (*ELSEWHERE, *MACHINE)
    return next((pattern for pattern in known if re.search(pattern, plain(command))), None)
