"""Whether a bundle was signed by a key that the administrator trusts: Ed25519 over its seal."""

import base64
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector.errors import BadBundle, ConfigError, Unsigned
from connector.ports import SIGNATURE, BundleFacts, Engine, ModelKind

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PURPOSE = b"triaged bundle 1\n"
"""What a signature begins with, so that none made for something else can pass for one."""
LONGEST = 1000
"""Bytes that a signature's file may have; it has 89."""


def trusting(kind: ModelKind, trusted: Sequence[Path]) -> ModelKind:
    """Give the kind of model that refuses what none of these public keys signed.

    Without any key all is taken. The bundle that comes with triaged needs no signature. Raises
    `ConfigError` for a file that holds no key.
    """
    if not trusted:
        return kind
    keys = [_public(path) for path in trusted]

    def describe(folder: str | None) -> BundleFacts:
        facts = kind.describe(folder)
        if folder is not None:
            check(Path(folder), facts, keys)
        return facts

    def load(folder: str | None, threads: int) -> Engine:
        describe(folder)
        return kind.load(folder, threads)

    return replace(kind, describe=describe, load=load)


def check(folder: Path, facts: BundleFacts, keys: Sequence["Ed25519PublicKey"]) -> None:
    """Raise `Unsigned` unless one of the keys signed the bundle's seal, and with it every byte."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - most need none of it

    path = folder / SIGNATURE
    try:
        with path.open("rb") as opened:
            signature = base64.b64decode(opened.read(LONGEST), validate=False)
    except FileNotFoundError:
        raise Unsigned(f"{folder} is not signed") from None
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} cannot be read: {error}") from error
    for key in keys:
        try:
            key.verify(signature, _signed(facts))
        except InvalidSignature:
            continue
        return
    raise Unsigned(f"{path} is of no trusted key, or of another bundle")


def sign(folder: Path, facts: BundleFacts, key: Path) -> Path:
    """Sign a verified bundle with a private key, and give the signature's file."""
    private = _private(key)
    path = folder / SIGNATURE
    fresh = folder / f".{SIGNATURE}.new"
    try:
        with fresh.open("wb") as opened:
            opened.write(base64.b64encode(private.sign(_signed(facts))) + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        fresh.rename(path)
    except OSError as error:
        raise BadBundle(f"{path} cannot be written: {error.strerror}") from error
    return path


def _signed(facts: BundleFacts) -> bytes:
    return PURPOSE + facts.seal.encode()


def _public(path: Path) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - as above
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        load_pem_public_key,
    )

    key = _key(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"models.trusted_keys: {path} is no Ed25519 public key in PEM")
    return key


def _private(path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - as above
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        load_pem_private_key,
    )

    key = _key(path, lambda content: load_pem_private_key(content, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"--key: {path} is no Ed25519 private key in PEM without a password")
    return key


def _key(path: Path, read: Any) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as above

    try:
        return read(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"the key {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
