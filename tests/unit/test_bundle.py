import hashlib
import io
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classifiers
from classifiers import bundle, manifest
from connector.errors import BadBundle
from connector.model import Aspect

SIZE = 4


def arrays() -> bytes:
    opened = io.BytesIO()
    weights = np.zeros((2, SIZE), np.float32)
    np.savez(
        opened,
        **{
            "space.mean": np.zeros(SIZE, np.float32),
            "sentiment.0.weights": weights,
            "sentiment.0.bias": np.zeros(2, np.float32),
        },
    )
    return opened.getvalue()


FILES = {
    "model.onnx": b"no model, but sealed",
    "tokenizer.json": b"{}",
    "heads.npz": arrays(),
    "README.md": b"# tiny\n",
}


def described(files: Mapping[str, bytes] = FILES) -> dict[str, Any]:
    return {
        "name": "tiny",
        "version": "0.1",
        "created": "2026-01-02",
        "languages": ["en"],
        "encoders": {
            "shared": {
                "model": "model.onnx",
                "tokenizer": "tokenizer.json",
                "tokens": 32,
                "tail": 8,
                "size": SIZE,
                "states": 1,
                "vector": 0,
            }
        },
        "arrays": "heads.npz",
        "likeness": {"sharpness": 20.0, "nothing": 0.1, "abstain_below": 0.5},
        "aspects": {
            "sentiment": {
                "labels": ["negative", "positive"],
                "members": [
                    {"kind": "heads", "encoder": "shared", "states": [0], "temperature": 1.0}
                ],
                "shares": [1.0],
                "calibration": {"kind": "temperature", "value": 1.0},
                "abstain_below": 0.5,
            }
        },
        "metrics": {},
        "data": [],
        "licences": [],
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
    }


def write(folder: Path, content: Mapping[str, Any], files: Mapping[str, bytes] = FILES) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / manifest.NAME).write_bytes(manifest.sealed(content))
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny", described())


def refused(folder: Path) -> str:
    with pytest.raises(BadBundle) as caught:
        bundle.open_bundle(folder)
    message = str(caught.value)
    assert "triaged models build" in message
    return message


def test_a_sealed_bundle_opens(tiny: Path) -> None:
    opened = bundle.open_bundle(tiny)
    assert opened.manifest.title == "tiny@0.1"
    assert dict(opened.files) == FILES
    assert opened.arrays()["sentiment.0.weights"].shape == (2, SIZE)
    assert classifiers.kind.describe(str(tiny)).title == "tiny@0.1"


@pytest.mark.parametrize("name", [*FILES, manifest.NAME])
def test_a_flipped_bit_anywhere_is_refused(tiny: Path, name: str) -> None:
    path = tiny / name
    whole = path.read_bytes()
    step = max(1, len(whole) // 60)
    for place in range(0, len(whole), step):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(bytes(damaged))
        assert name in refused(tiny)
    path.write_bytes(whole)
    assert bundle.open_bundle(tiny)


def test_a_thousand_damaged_bundles_are_a_thousand_refusals(tiny: Path) -> None:
    """One to three changed bytes at random places of random files, and once in a while a cut."""
    draw = random.Random(20)
    whole = {name: (tiny / name).read_bytes() for name in (*FILES, manifest.NAME)}
    for _ in range(1000):
        name = draw.choice([*whole])
        damaged = bytearray(whole[name])
        if draw.random() < 0.1:
            del damaged[draw.randrange(len(damaged)) :]
        else:
            for place in draw.sample(range(len(damaged)), min(len(damaged), draw.randint(1, 3))):
                damaged[place] ^= draw.randint(1, 255)
        (tiny / name).write_bytes(bytes(damaged))
        assert name in refused(tiny)
        (tiny / name).write_bytes(whole[name])
    assert bundle.open_bundle(tiny)


def test_loading_and_answering_never_reaches_a_pickle() -> None:
    """Python tells an audit hook of each class that any unpickler is about to look up."""
    code = """
import sys
met = []
sys.addaudithook(lambda event, _: met.append(event) if event == "pickle.find_class" else None)
import classifiers
[reading] = classifiers.kind.load(None, 1).classifier({}).predict(["The VPN does not connect."])
assert reading.predictions
print(met)
import pickle
from pathlib import Path
pickle.loads(pickle.dumps(Path("seen by the hook")))
print(met)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    before, after = ended.stdout.splitlines()
    assert before == "[]"
    assert after != "[]", "the hook sees what it is to see"


@pytest.mark.parametrize("name", [*FILES, manifest.NAME])
def test_a_missing_file_is_named(tiny: Path, name: str) -> None:
    (tiny / name).unlink()
    assert name in refused(tiny)


@pytest.mark.parametrize("name", [*FILES, manifest.NAME])
def test_a_truncated_file_is_named(tiny: Path, name: str) -> None:
    path = tiny / name
    path.write_bytes(path.read_bytes()[:-2])
    assert name in refused(tiny)


def test_a_longer_file_is_refused(tiny: Path) -> None:
    with (tiny / "tokenizer.json").open("ab") as opened:
        opened.write(b" ")
    assert "tokenizer.json" in refused(tiny)


def test_an_unknown_format_says_which_one_is_read(tiny: Path) -> None:
    path = tiny / manifest.NAME
    path.write_bytes(path.read_bytes().replace(b'"format": 2', b'"format": 1'))
    message = refused(tiny)
    assert "format 1" in message
    assert "reads 2" in message
    assert "again with this triaged" in message


@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"', b"\xff\xfe", b"", b"{}"])
def test_a_manifest_of_another_shape_is_refused(tiny: Path, content: bytes) -> None:
    (tiny / manifest.NAME).write_bytes(content)
    assert manifest.NAME in refused(tiny)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/b", "..", ".hidden", "a\x00b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    content = described()
    content["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    assert "files" in refused(write(tmp_path / "tiny", content))


def test_a_link_that_leads_out_of_the_folder_is_refused(tiny: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(FILES["model.onnx"])
    (tiny / "model.onnx").unlink()
    (tiny / "model.onnx").symlink_to(outside)
    assert "leads out" in refused(tiny)


def test_a_part_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    content = described()
    del content["files"]["heads.npz"]
    assert "heads.npz" in refused(write(tmp_path / "tiny", content))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda it: it.update(surprise=1), "surprise"),
        (lambda it: it.pop("licences"), "licences"),
        (lambda it: it["encoders"]["shared"].update(tokens=1), "encoders.shared.tokens"),
        (lambda it: it.update(encoders={}), "encoders"),
        (lambda it: it["aspects"]["sentiment"]["members"][0].update(kind="pickle"), "members.0"),
        (lambda it: it["aspects"]["sentiment"].update(shares=[0.5]), "aspects.sentiment"),
        (lambda it: it["aspects"]["sentiment"].update(shares=[]), "aspects.sentiment"),
        (lambda it: it["aspects"]["sentiment"].update(labels=["a", "a"]), "aspects.sentiment"),
        (
            lambda it: it["aspects"]["sentiment"].update(languages=["en"], bars={"fr": 0.6}),
            "aspects.sentiment",
        ),
        (
            lambda it: it["aspects"]["sentiment"].update(
                calibration={"kind": "isotonic", "x": [0.0, 1.0], "y": [0.9, 0.1]}
            ),
            "aspects.sentiment.calibration",
        ),
        (
            lambda it: it["aspects"]["sentiment"].update(
                scope={"kind": "energy", "member": 1, "threshold": 0.0}
            ),
            "aspects.sentiment",
        ),
        (lambda it: it["aspects"].update(mood={}), "aspects.mood"),
        (lambda it: it["likeness"].update(sharpness=0), "likeness.sharpness"),
    ],
)
def test_a_wrong_entry_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], place: str
) -> None:
    content = described()
    change(content)
    assert place in refused(write(tmp_path / "tiny", content))


def test_a_pickle_among_the_arrays_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return (Path.touch, (str(tmp_path / "sprung"),))

    opened = io.BytesIO()
    np.save(opened, np.array([Trap()], dtype=object), allow_pickle=True)
    for content in (pickle.dumps(Trap()), opened.getvalue(), b"PK\x03\x04 no zip"):
        files = {**FILES, "heads.npz": content}
        folder = write(tmp_path / "tiny", described(files), files)
        with pytest.raises(BadBundle, match=r"heads\.npz"):
            bundle.open_bundle(folder).arrays()
    assert not (tmp_path / "sprung").exists()


def test_a_sealed_file_that_is_no_model_is_refused_at_loading(tiny: Path) -> None:
    with pytest.raises(BadBundle):
        classifiers.kind.load(str(tiny), 1)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere" in refused(tmp_path / "nowhere")


def test_the_seal_is_stable_and_the_manifest_readable(tmp_path: Path) -> None:
    one = (write(tmp_path / "one", described()) / manifest.NAME).read_bytes()
    other = (write(tmp_path / "other", described()) / manifest.NAME).read_bytes()
    assert one == other
    assert json.loads(one)["aspects"][Aspect.SENTIMENT]["labels"] == ["negative", "positive"]
