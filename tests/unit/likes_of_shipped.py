"""Bundles with the parts of the shipped one, under a name and version of a test's own."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import classifiers
from classifiers.build.write import write_bundle
from classifiers.bundle import SHIPPED, open_bundle

TEXTS = (
    "The VPN does not connect since this morning and nobody here can work.",
    "Please order two new laptops for the colleagues who begin in May.",
    "I am locked out of my account after too many wrong passwords.",
)


@cache
def answered() -> Sequence[dict[str, Any]]:
    """Give golden tickets as the shipped bundle answers them here."""
    readings = classifiers.kind.load(None, 1).classifier({}).predict(TEXTS)
    return [
        {
            "text": text,
            "answers": {
                one.aspect: {"label": one.label, "confidence": round(one.confidence, 4)}
                for one in reading.predictions
            },
        }
        for text, reading in zip(TEXTS, readings, strict=True)
    ]


def alike(
    folder: Path, version: str = "1", name: str = "ours", golden: object = None, **changes: object
) -> Path:
    """Write a bundle; its golden tickets are true unless others are given, such as `()`."""
    base = open_bundle(SHIPPED)
    tickets = answered() if golden is None else golden
    files = {**base.files, "golden.json": json.dumps({"tickets": tickets}).encode()}
    described = base.manifest.model_dump(mode="json", exclude={"format", "seal", "files"})
    described |= {"name": name, "version": version, "golden": "golden.json", **changes}
    return write_bundle(folder, files=files, described=described)
