"""Secrets as encrypted systemd credentials: one file each, and the lines that the service needs."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError, PasswordSetError

DIRECTORY = Path("/etc/triaged/credentials")
DROP_IN = Path("/etc/systemd/system/triaged.service.d/50-credentials.conf")
BOOTED = Path("/run/systemd/system")
"""There exactly when systemd runs this machine (sd_booted(3))."""

SUFFIX = ".cred"
PROGRAM = "systemd-creds"
"""Since systemd 250."""

PATIENCE = 30.0
"""Seconds: a security chip may take some."""

_HEAD = """\
# Written by `triaged secret`: one line for each file in {directory}.
# What you add here is lost at its next run; put lines of yours into a drop-in of another name.
[Service]
"""


def is_booted() -> bool:
    """Tell whether systemd runs this machine and can keep credentials for its services."""
    return BOOTED.is_dir() and which(PROGRAM) is not None


class SystemdCredentials(KeyringBackend):
    """A keyring of files that only this machine can decrypt, for root and for the service.

    A file is bound to its name: renamed, it cannot be read. The service sees a secret at its next
    start, decrypted into memory that belongs to it alone (systemd.exec(5)).
    """

    priority = -1  # never chosen by keyring itself

    def __init__(self, directory: Path | None = None, drop_in: Path | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no types there
        self._directory = directory or DIRECTORY
        self._drop_in = drop_in or DROP_IN

    def __str__(self) -> str:
        return f"systemd credentials in {self._directory}"

    def holds(self, name: str) -> bool:
        """Tell whether there is a file for a name, as far as we may see."""
        return name in self.names()

    def names(self) -> Sequence[str]:
        """List what is stored; nothing where we may not look."""
        try:
            found = [each.name for each in self._directory.iterdir()]
        except OSError:
            return ()
        return sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))

    def get_password(self, service: str, username: str) -> str | None:
        """Decrypt a secret; `None` when there is none, `KeyringError` when it cannot be read."""
        del service
        if not self.holds(username):
            return None
        told = _run("decrypt", f"--name={username}", str(self._file(username)), "-")
        try:
            return told.decode("utf-8")
        except UnicodeDecodeError:
            raise KeyringError(f"{self._file(username)} holds no text") from None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Encrypt a secret into its file, and give it to the service."""
        del service
        text = password.encode("utf-8")
        sealed = _run("encrypt", f"--name={username}", "-", "-", given=text)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._file(username).with_suffix(".new")
            fresh.touch(0o600)
            fresh.write_bytes(sealed)
            fresh.replace(self._file(username))
            self._hand_over()
        except OSError as error:
            raise PasswordSetError(f"{error.filename}: {error.strerror}") from error

    def delete_password(self, service: str, username: str) -> None:
        """Delete a secret's file, and its line for the service."""
        del service
        try:
            self._file(username).unlink()
            self._hand_over()
        except OSError as error:
            raise PasswordDeleteError(f"{error.filename}: {error.strerror}") from error

    def _file(self, name: str) -> Path:
        return self._directory / f"{Path(name).name}{SUFFIX}"

    def _hand_over(self) -> None:
        """Write the drop-in by what is there: a line without its file would stop the start."""
        lines = (f"LoadCredentialEncrypted={name}:{self._file(name)}\n" for name in self.names())
        self._drop_in.parent.mkdir(parents=True, exist_ok=True)
        self._drop_in.write_text(
            _HEAD.format(directory=self._directory) + "".join(lines), encoding="utf-8"
        )
        if BOOTED.is_dir() and (systemctl := which("systemctl")):
            subprocess.run(
                [systemctl, "daemon-reload"], check=False, capture_output=True, timeout=PATIENCE
            )


def _run(*arguments: str, given: bytes = b"") -> bytes:
    """Have systemd-creds do something; its words never hold the secret."""
    try:
        ended = subprocess.run(
            [PROGRAM, *arguments], input=given, capture_output=True, check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KeyringError(f"{PROGRAM}: {type(error).__name__}") from error
    if ended.returncode:
        words = ended.stderr.decode(errors="replace").strip().splitlines()
        raise KeyringError(f"{PROGRAM}: {words[-1] if words else ended.returncode}")
    return ended.stdout
