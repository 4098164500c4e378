from pathlib import Path

import paper
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from connector.errors import BadBundle, ConfigError, Unsigned
from connector.ports import SIGNATURE, ModelKind
from connector.promotion import promote
from connector.shelf import Shelf
from connector.signature import sign, trusting


def pair(folder: Path, name: str, key: object = None) -> tuple[Path, Path]:
    """Write a private and a public key; give their files."""
    key = key or Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def keys(tmp_path) -> tuple[Path, Path]:
    return pair(tmp_path, "ours")


@pytest.fixture
def careful(keys) -> ModelKind:
    return trusting(paper.kind, [keys[1]])


@pytest.fixture
def made(tmp_path) -> Path:
    return paper.write(tmp_path / "made")


def signed(folder: Path, key: Path) -> Path:
    return sign(folder, paper.describe(str(folder)), key)


def test_a_signed_bundle_is_promoted_and_served_and_an_unsigned_one_is_not(
    careful, keys, made, tmp_path
) -> None:
    shelf = Shelf(tmp_path / "models", careful.describe)
    with pytest.raises(Unsigned, match="made is not signed"):
        promote(shelf, careful, str(made), accept=True)
    with pytest.raises(Unsigned):
        careful.load(str(made), 1)
    signed(made, keys[0])
    assert promote(shelf, careful, str(made), accept=True).promoted
    assert careful.load(str(shelf.folder("ours", "1")), 1).bundle == "ours@1"


def test_the_signature_is_of_these_bytes_and_by_this_key(careful, keys, made, tmp_path) -> None:
    other = paper.write(tmp_path / "other", "2")
    signed(other, keys[0])
    (made / SIGNATURE).write_bytes((other / SIGNATURE).read_bytes())
    with pytest.raises(Unsigned, match="no trusted key, or of another bundle"):
        careful.describe(str(made))
    signed(made, pair(tmp_path, "stranger")[0])
    with pytest.raises(Unsigned, match="no trusted key"):
        careful.describe(str(made))
    (made / SIGNATURE).write_bytes(b"\xff" * 3000)
    with pytest.raises(BadBundle):
        careful.describe(str(made))
    signed(made, keys[0])
    assert careful.describe(str(made)).title == "ours@1"


def test_any_of_several_keys_will_do_and_the_shipped_bundle_needs_none(
    made, keys, tmp_path
) -> None:
    several = trusting(paper.kind, [pair(tmp_path, "old")[1], keys[1]])
    signed(made, keys[0])
    assert several.describe(str(made)).title == "ours@1"
    shipped: list[object] = []
    plain = ModelKind(
        name="plain",
        load=lambda folder, _: shipped.append(folder),  # type: ignore[arg-type, return-value]
        describe=lambda _: paper.describe(str(made)),
    )
    trusting(plain, [keys[1]]).load(None, 1)
    assert shipped == [None]


def test_without_keys_nothing_is_asked() -> None:
    assert trusting(paper.kind, []) is paper.kind


def test_a_file_that_is_no_such_key_is_named(made, keys, tmp_path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    curve = pair(tmp_path, "curve", ec.generate_private_key(ec.SECP256R1()))
    for path in (wrong, curve[1], keys[0]):
        with pytest.raises(ConfigError, match=f"trusted_keys: .*{path.name} is no Ed25519 public"):
            trusting(paper.kind, [path])
    with pytest.raises(ConfigError, match="cannot be read"):
        trusting(paper.kind, [tmp_path / "gone"])
    for path in (wrong, curve[0], keys[1]):
        with pytest.raises(ConfigError, match="no Ed25519 private key"):
            signed(made, path)
