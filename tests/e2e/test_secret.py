"""Secrets by command: into systemd's credentials and a real keyring, never in clear."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail
from world import Site

from connector import credstore, secrets

CANARIES = [f"canary{number}-Kx9-voralberg" for number in range(20)]


def can_seal() -> bool:
    """Tell whether systemd-creds works here: it wants a place for a key of the machine."""
    if not shutil.which(credstore.PROGRAM):
        return False
    command = [credstore.PROGRAM, "encrypt", "--name=probe", "-", "-"]
    return not subprocess.run(command, input=b"x", capture_output=True, check=False).returncode


sealing = pytest.mark.skipif(not can_seal(), reason="systemd-creds cannot encrypt here")
desktop = pytest.mark.skipif(
    not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
    reason="no gnome-keyring here",
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A machine that systemd runs, and whose files are elsewhere; all else is real."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(secrets, "is_booted", lambda: True)
    monkeypatch.setattr(credstore, "BOOTED", tmp_path / "not-booted")
    monkeypatch.setattr(credstore, "DIRECTORY", tmp_path / "credentials")
    monkeypatch.setattr(credstore, "DROP_IN", tmp_path / "triaged.service.d" / "50.conf")
    return tmp_path


@sealing
def test_a_secret_is_sealed_given_to_the_service_and_read_back(folder, inside) -> None:
    ended = inside("secret", "set", "acme.token", given="s3cret-value\n")
    assert ended.returncode == 0
    assert "systemctl restart triaged" in ended.stdout
    [file] = (folder / "credentials").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"LoadCredentialEncrypted=acme.token:{file}" in credstore.DROP_IN.read_text().split("\n")
    assert secrets.resolver()("acme.token").reveal() == "s3cret-value"


@sealing
def test_no_secret_lies_in_clear_or_is_shown_whatever_is_done_with_it(folder, inside) -> None:
    told = ""
    for number, canary in enumerate(CANARIES):
        for ended in (
            inside("secret", "set", f"name{number}", given=canary),
            inside("secret", "rotate", f"secret:name{number}", given=f"{canary}-new"),
            inside("secret", "set", f"name{number}", canary),
        ):
            told += ended.stdout + ended.stderr
    told += inside("secret", "list", "--json").stdout
    on_disk = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert told.count("a secret is never an argument") == len(CANARIES)
    assert not [canary for canary in CANARIES if canary in told or canary.encode() in on_disk]
    assert secrets.resolver()("name7-before").reveal() == CANARIES[7]


@sealing
@pytest.mark.usefixtures("folder")
def test_a_removed_secret_takes_its_line_with_it(inside) -> None:
    for name in ("one", "two"):
        inside("secret", "set", name, given="a-secret")
    assert inside("secret", "rm", "one").returncode == 0
    assert "=one:" not in credstore.DROP_IN.read_text()
    assert "=two:" in credstore.DROP_IN.read_text()
    again = inside("secret", "rm", "one")
    assert again.returncode == 1
    assert "there is no secret 'one'" in again.stderr


@sealing
def test_a_file_that_was_renamed_or_damaged_is_not_taken_for_the_secret(folder, inside) -> None:
    inside("secret", "set", "one", given="a-secret")
    (folder / "credentials" / "one.cred").rename(folder / "credentials" / "two.cred")
    with pytest.raises(secrets.SecretMissing, match=r"secret `two`: SystemdCredentials refused"):
        secrets.resolver()("two")


@sealing
@pytest.mark.usefixtures("folder")
def test_the_list_tells_who_names_what_and_what_is_missing(
    site: Site, desk, inside, monkeypatch
) -> None:
    site.tenant("acme", desk)
    monkeypatch.setenv("TRIAGED_CONFIG", str(site.config))
    monkeypatch.setenv("COLUMNS", "200")
    inside("secret", "set", "acme.sandbox.zendesk-token", given="a-secret")
    inside("secret", "set", "stray", given="a-secret")
    ended = inside("secret", "list")
    assert ended.returncode == 78
    row = {line.split()[1]: line for line in ended.stdout.splitlines() if "│" in line}
    assert "acme: desk.token" in row["acme.sandbox.zendesk-token"]
    assert "nobody" in row["stray"]
    [hook] = [line for name, line in row.items() if name.endswith("zendesk-webhook")]
    assert "acme: intake.webhook.secret" in hook
    assert "missing" in hook
    assert "1 of 3 secrets are missing: triaged secret set acme.sandbox" in ended.stderr


@pytest.mark.parametrize("given", ["", "\n", "two\nlines", "nul\0", "tab\there", "x" * 70_000])
def test_what_is_no_secret_is_refused_and_not_repeated(folder, inside, given) -> None:
    ended = inside("secret", "set", "one", given=given)
    assert ended.returncode == 2
    assert "nothing was changed" in ended.stderr
    assert not (folder / "credentials").exists()


@pytest.mark.parametrize("name", ["a/b", "a b", "ä", ""])
@pytest.mark.usefixtures("folder")
def test_a_name_that_no_file_could_have_is_refused(inside, name) -> None:
    ended = inside("secret", "set", name, given="x")
    assert ended.returncode == 2
    assert "letters, digits, dots" in ended.stderr


@pytest.mark.usefixtures("folder")
def test_without_a_safe_place_nothing_is_stored(inside, monkeypatch) -> None:
    monkeypatch.setattr(secrets, "is_booted", lambda: False)
    ended = inside("secret", "set", "one", given="a-secret")
    assert ended.returncode == 1
    assert "this machine has no keyring" in ended.stderr
    assert "as root with systemd 250 or later" in ended.stderr


def test_the_services_own_credentials_cannot_be_changed(folder, inside, monkeypatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    ended = inside("secret", "set", "one", given="a-secret")
    assert ended.returncode == 1
    assert f"CREDENTIALS_DIRECTORY={folder}, which it cannot change" in ended.stderr


DESKTOP = """\
printf unlock | gnome-keyring-daemon --unlock --components=secrets >&2
printf 'first-value' | "$PYTHON" -m connector secret set acme.token
printf 'second-value' | "$PYTHON" -m connector secret rotate acme.token
"$PYTHON" -c 'from connector import secrets
print([secrets.resolver()(name).reveal() for name in ("acme.token", "acme.token-before")])'
"$PYTHON" -m connector secret rm acme.token
"""


@desktop
def test_on_a_desktop_the_secret_service_keeps_it(tmp_path) -> None:
    own = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PYTHON": sys.executable}
    environment = {**os.environ, **own}
    environment.pop("CREDENTIALS_DIRECTORY", None)
    ended = subprocess.run(
        [str(shutil.which("dbus-run-session")), "--", "sh", "-e", "-c", DESKTOP],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )
    assert ended.stdout.splitlines() == [
        "acme.token is stored (keyring SecretService)",
        "acme.token is replaced; the one before is acme.token-before (keyring SecretService)",
        "When nothing needs that one any more: triaged secret rm acme.token-before",
        "['second-value', 'first-value']",
        "acme.token is deleted (keyring SecretService)",
    ]
