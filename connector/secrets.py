"""Secrets by name through the keyring, read-only from systemd credentials where those are given."""

import os
from collections.abc import Callable
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringError, PasswordSetError

from connector.errors import SecretMissing
from connector.model import Secret

SERVICE = "triaged"
"""The keyring service that our secrets are filed under: `keyring set triaged NAME`."""

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Set by systemd for units with LoadCredential= (systemd.exec(5))."""


class CredentialsKeyring(KeyringBackend):
    """A keyring over a directory with one file per secret, as systemd hands them to a unit.

    Read-only. A look-up takes well under a millisecond, and a headless server has no other
    backend. One newline at the end of a file is not part of the secret.
    """

    # Never chosen by keyring itself: `resolver` decides, so that a stray variable cannot.
    priority = -1

    def __init__(self, directory: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no types there
        self._directory = directory

    def get_password(self, service: str, username: str) -> str | None:
        """Give the content of the file of that name, `None` when there is none."""
        del service  # a unit's credentials belong to one service
        try:
            text = (self._directory / Path(username).name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return None
        return text.removesuffix("\n").removesuffix("\r")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Refuse: systemd owns the directory."""
        del service, password
        raise PasswordSetError(f"{username}: systemd credentials are read-only; see systemd-creds")


def resolver() -> Callable[[str], Secret]:
    """Give the function that turns a secret's name into the secret; it raises `SecretMissing`."""
    directory = os.environ.get(CREDENTIALS_DIRECTORY)
    backend: KeyringBackend = (
        CredentialsKeyring(Path(directory)) if directory else keyring.get_keyring()
    )

    def resolve(name: str) -> Secret:
        return _resolve(backend, name)

    return resolve


def _resolve(backend: KeyringBackend, name: str) -> Secret:
    kind = type(backend).__name__
    if isinstance(backend, fail.Keyring | null.Keyring):
        raise SecretMissing(f"secret `{name}`: this machine has no keyring")
    for one in (type(each).__name__ for each in getattr(backend, "backends", (backend,))):
        if "plaintext" in one.lower():
            raise SecretMissing(f"secret `{name}`: {one} keeps secrets in clear and is not used")
    try:
        text = backend.get_password(SERVICE, name)
    except KeyringError as error:
        raise SecretMissing(f"secret `{name}`: {kind} refused ({type(error).__name__})") from error
    if not text:
        raise SecretMissing(f"secret `{name}` is not in the keyring ({kind})")
    return Secret(text)
