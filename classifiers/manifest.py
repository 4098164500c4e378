"""What a bundle says about itself: parts, labels, calibration, measured quality, licences."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connector.model import Aspect

FORMAT = 1
"""Raised when an older triaged could not read a newer bundle."""
NAME = "manifest.json"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A file beside the manifest; a bundle has no folders, and no name leads out of it."""

UNSEALED = "0" * 64
_SEAL = re.compile(rb'"seal": "([0-9a-f]{64})"')


class Part(BaseModel):
    """A piece of the manifest: frozen, and refusing keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class FileSeal(Part):
    """What a file must be, byte for byte."""

    sha256: Sha256
    bytes: int = Field(ge=0)


class EncoderPart(Part):
    """The model, and how texts are cut for it."""

    model: FileName
    tokenizer: FileName
    tokens: int = Field(ge=8)
    """The window: tokens read of a text."""
    tail: int = Field(ge=0)
    """How many of them come from the text's end."""
    size: int = Field(ge=1)
    """Numbers per state."""
    states: int = Field(ge=1)
    """Pooled states per text."""
    vector: int = Field(ge=0)
    """Which state is the text's place for similarity."""


class HeadPart(Part):
    """A linear head; its weights lie in the arrays as `ASPECT.weights` and `ASPECT.bias`."""

    kind: Literal["head"]
    labels: tuple[str, ...] = Field(min_length=2)
    states: tuple[int, ...] = Field(min_length=1)
    """The pooled states that it looks at."""
    temperature: float = Field(gt=0)
    abstain_below: float = Field(ge=0, le=1)


class ZeroShotPart(Part):
    """Labels and the texts that describe them."""

    kind: Literal["zero-shot"]
    labels: dict[str, tuple[str, ...]] = Field(min_length=1)


class BlendPart(Part):
    """Labels answered by a head and by their descriptions, averaged.

    `temperature` is the head's own, `mixed` that of the average. A tenant's own labels are
    answered by their descriptions alone.
    """

    kind: Literal["blend"]
    labels: dict[str, tuple[str, ...]] = Field(min_length=2)
    states: tuple[int, ...] = Field(min_length=1)
    temperature: float = Field(gt=0)
    mixed: float = Field(gt=0)
    abstain_below: float = Field(ge=0, le=1)


class LikenessPart(Part):
    """How likeness to a description becomes a probability, for these and any other labels.

    The middle of the space in which it is measured lies in the arrays as `space.mean`.
    """

    sharpness: float = Field(gt=0)
    nothing: float
    abstain_below: float = Field(ge=0, le=1)


AspectPart = Annotated[HeadPart | ZeroShotPart | BlendPart, Field(discriminator="kind")]


class Source(Part):
    """Data that a bundle was made from: what it was, how much, and under which licence."""

    name: str
    rows: int
    licence: str
    attribution: str = ""
    sha256: Sha256
    """Of the rows used, in order: tells whether it was the same data, without holding any."""


class Licence(Part):
    """Whose work is in the bundle."""

    what: str
    licence: str
    attribution: str


class Manifest(Part):
    """`manifest.json`. `seal` is the SHA-256 of the file itself, written with zeros in its place.

    `metrics` holds what was measured, per aspect, class and language, with reliability tables. It
    is for people and for the card; nothing is decided by it at serving.
    """

    format: Literal[1]
    seal: Sha256
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$")
    created: date
    languages: tuple[str, ...]
    encoder: EncoderPart
    arrays: FileName
    likeness: LikenessPart
    aspects: dict[Aspect, AspectPart]
    metrics: dict[str, Any]
    data: tuple[Source, ...]
    licences: tuple[Licence, ...]
    files: dict[FileName, FileSeal]

    @property
    def title(self) -> str:
        """Name the bundle and its version."""
        return f"{self.name}@{self.version}"


def sealed(content: Mapping[str, Any]) -> bytes:
    """Render a manifest as JSON with its seal in place."""
    whole = {"format": FORMAT, "seal": UNSEALED, **content}
    text = json.dumps(whole, indent=1, ensure_ascii=False).encode() + b"\n"
    return text.replace(UNSEALED.encode(), seal_of(text).encode(), 1)


def seal_of(content: bytes) -> str:
    """Compute the seal that a manifest's bytes should carry."""
    return hashlib.sha256(_SEAL.sub(b'"seal": "%s"' % UNSEALED.encode(), content, 1)).hexdigest()


def seal_in(content: bytes) -> str:
    """Read the seal that a manifest's bytes do carry; empty when there is none."""
    match = _SEAL.search(content)
    return match[1].decode() if match else ""
