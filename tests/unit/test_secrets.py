from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import PasswordSetError

from connector import secrets
from connector.errors import SecretMissing


class PlaintextKeyring(KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str:
        return f"{service} {username}"

    def set_password(self, service: str, username: str, password: str) -> None: ...


class SafeKeyring(PlaintextKeyring):
    pass


def use(monkeypatch: pytest.MonkeyPatch, backend: KeyringBackend) -> None:
    monkeypatch.delenv(secrets.CREDENTIALS_DIRECTORY, raising=False)
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


def test_systemd_credentials_are_read_by_name(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "acme.token").write_text("s3cret\n")
    monkeypatch.setenv(secrets.CREDENTIALS_DIRECTORY, str(tmp_path))
    secret = secrets.resolver()("acme.token")
    assert secret.reveal() == "s3cret"
    assert "s3cret" not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize("name", ["missing", "empty", "binary"])
def test_a_secret_that_is_not_there_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch, name: str
) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.setenv(secrets.CREDENTIALS_DIRECTORY, str(tmp_path))
    with pytest.raises(SecretMissing) as caught:
        secrets.resolver()(name)
    assert str(caught.value).startswith(f"secret `{name}` is not in the keyring")
    assert "triaged secret set NAME" in str(caught.value)
    assert caught.value.exit_code == 78


def test_a_name_cannot_leave_the_credentials_directory(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "outside").write_text("not yours")
    inner = tmp_path / "credentials"
    inner.mkdir()
    monkeypatch.setenv(secrets.CREDENTIALS_DIRECTORY, str(inner))
    with pytest.raises(SecretMissing):
        secrets.resolver()("../outside")


def test_systemd_credentials_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(PasswordSetError, match="read-only"):
        secrets.CredentialsKeyring(tmp_path).set_password("triaged", "name", "value")


def test_without_systemd_the_machines_keyring_is_asked(monkeypatch) -> None:
    use(monkeypatch, SafeKeyring())
    assert secrets.resolver()("name").reveal() == "triaged name"


@pytest.mark.parametrize("backend", [fail.Keyring(), null.Keyring()])
def test_a_machine_without_keyring_is_said(monkeypatch, backend: KeyringBackend) -> None:
    use(monkeypatch, backend)
    with pytest.raises(SecretMissing, match="this machine has no keyring"):
        secrets.resolver()("name")


def test_a_keyring_in_clear_is_refused(monkeypatch) -> None:
    use(monkeypatch, PlaintextKeyring())
    with pytest.raises(SecretMissing, match="keeps secrets in clear"):
        secrets.resolver()("name")
