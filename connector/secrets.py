"""Secrets by name: from systemd credentials or the keyring, resolved late, never kept in clear."""

import os
from collections.abc import Callable
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringError, PasswordSetError

from connector import redaction
from connector.credstore import SystemdCredentials, is_booted
from connector.errors import SecretMissing, SecretNotStored
from connector.model import Secret

SERVICE = "triaged"
"""The keyring service that our secrets are filed under."""

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

    def __str__(self) -> str:
        return f"credentials in {self._directory}"

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
    """Give the function that turns a secret's name into the secret; it raises `SecretMissing`.

    What it gives is hidden in this process's log from then on.
    """

    def resolve(name: str) -> Secret:
        return _resolve(source_of(name), name)

    return resolve


def source_of(name: str) -> KeyringBackend:
    """Give what a secret is read from: the process's own credentials alone where it has any, else
    what `triaged secret` stored for systemd, else the keyring.
    """
    if directory := os.environ.get(CREDENTIALS_DIRECTORY):
        return CredentialsKeyring(Path(directory))
    sealed = SystemdCredentials()
    return sealed if sealed.holds(name) else keyring.get_keyring()


def keeper() -> KeyringBackend:
    """Give what secrets are stored in here: systemd's credentials for root where it can, else the
    keyring. Raises `SecretNotStored` where neither would keep them safe.
    """
    if directory := os.environ.get(CREDENTIALS_DIRECTORY):
        raise SecretNotStored(
            f"the secrets of this process come from {CREDENTIALS_DIRECTORY}={directory}, which it"
            " cannot change"
        )
    if os.geteuid() == 0 and is_booted():
        return SystemdCredentials()
    backend = keyring.get_keyring()
    if objection := objection_to(backend):
        raise SecretNotStored(objection)
    return backend


def objection_to(backend: KeyringBackend) -> str:
    """Say why a keyring is not used: it is none, or keeps secrets in clear; nothing: it is."""
    if isinstance(backend, fail.Keyring | null.Keyring):
        return "this machine has no keyring"
    for one in (type(each).__name__ for each in getattr(backend, "backends", (backend,))):
        if "plaintext" in one.lower():
            return f"{one} keeps secrets in clear and is not used"
    return ""


def title(backend: KeyringBackend) -> str:
    """Name a keyring for people."""
    if isinstance(backend, CredentialsKeyring | SystemdCredentials):
        return str(backend)
    return f"keyring {type(backend).__module__.rpartition('.')[2]}"


def _resolve(backend: KeyringBackend, name: str) -> Secret:
    kind = type(backend).__name__
    if objection := objection_to(backend):
        raise SecretMissing(f"secret `{name}`: {objection}")
    try:
        text = backend.get_password(SERVICE, name)
    except KeyringError as error:
        told = f": {error}" if isinstance(backend, SystemdCredentials) else ""
        raise SecretMissing(
            f"secret `{name}`: {kind} refused ({type(error).__name__}{told})"
        ) from error
    if not text:
        raise SecretMissing(f"secret `{name}` is not in the keyring ({kind})")
    secret = Secret(text)
    redaction.remember(secret)
    return secret
