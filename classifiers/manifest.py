"""What a bundle says about itself: parts, labels, calibration, measured quality, licences."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.model import Aspect
from connector.ports import BundleName, BundleVersion

FORMAT = 2
"""Raised when an older triaged could not read a newer bundle."""
NAME = "manifest.json"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A file beside the manifest; a bundle has no folders, and no name leads out of it."""

Share = Annotated[float, Field(ge=0, le=1)]

ROUNDING = 1e-6
"""What shares may miss of 1, as written in JSON."""
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
    """A model, and how texts are cut for it. Its graph's first output are the pooled states."""

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
    outputs: dict[str, int] = {}
    """Further outputs of the graph by name, and the number of labels that each has logits for."""


class ZeroShotMember(Part):
    """Answers by the descriptions of the labels, with the bundle's `likeness`."""

    kind: Literal["zero-shot"]


class HeadsMember(Part):
    """A linear head; the arrays hold `ASPECT.N.weights` and `ASPECT.N.bias`, N its place."""

    kind: Literal["heads"]
    encoder: str
    states: tuple[int, ...] = Field(min_length=1)
    """The pooled states that it looks at."""
    temperature: float = Field(gt=0)


class DistilbertMember(Part):
    """A fine-tuned encoder's own logits."""

    kind: Literal["distilbert"]
    encoder: str
    output: str
    temperature: float = Field(gt=0)


class LinearMember(Part):
    """TF-IDF; the arrays hold `ASPECT.N.weights`, `ASPECT.N.bias` and `ASPECT.N.idf`."""

    kind: Literal["linear"]
    vocabulary: FileName
    """JSON: `words` and `characters`, each n-gram with its place in the arrays."""
    temperature: float = Field(gt=0)


Member = Annotated[
    ZeroShotMember | HeadsMember | DistilbertMember | LinearMember, Field(discriminator="kind")
]


class TemperatureCalibration(Part):
    """The averaged distribution softened (over 1) or sharpened (under 1)."""

    kind: Literal["temperature"]
    value: float = Field(gt=0)


class IsotonicCalibration(Part):
    """The confidence of the best label by a rising line through these points."""

    kind: Literal["isotonic"]
    x: tuple[float, ...] = Field(min_length=2)
    y: tuple[float, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if len(self.x) != len(self.y) or min(self.y) < 0 or max(self.y) > 1:
            raise ValueError("x and y need the same length, and y lies in 0..1")
        if any(sorted(line) != list(line) for line in (self.x, self.y)):
            raise ValueError("x and y have to rise")
        return self


Calibrated = Annotated[TemperatureCalibration | IsotonicCalibration, Field(discriminator="kind")]


class EnergyScope(Part):
    """A text whose logits (of `member`, before its temperature) hold too little is abstained on."""

    kind: Literal["energy"]
    member: int = Field(ge=0)
    threshold: float
    """The least log-sum-exp."""


class DistanceScope(Part):
    """A text too far from every class is abstained on; `ASPECT.centroids` is classes by size."""

    kind: Literal["distance"]
    encoder: str
    state: int = Field(ge=0)
    threshold: float
    """The largest cosine distance to the closest centroid."""


Scope = Annotated[EnergyScope | DistanceScope, Field(discriminator="kind")]


def _rising(steps: Sequence[tuple[float, float]]) -> bool:
    return all(sorted(line) == list(line) for line in zip(*steps, strict=True))


class AspectPart(Part):
    """One question: its labels, who answers it, and when the bundle would rather not say."""

    labels: tuple[str, ...] = Field(min_length=1)
    descriptions: dict[str, tuple[str, ...]] = {}
    """What the labels mean, for members that go by it."""
    members: tuple[Member, ...] = Field(min_length=1, max_length=4)
    shares: tuple[float, ...]
    """How much each member says; together 1."""
    calibration: Calibrated
    """Applied to the average."""
    abstain_below: float = Field(ge=0, le=1)
    scope: Scope | None = None
    languages: tuple[str, ...] = ()
    """Those that it was measured on; others are abstained on. Empty: any."""
    bars: dict[str, Share] = {}
    """By language: how sure it has to be there, where `abstain_below` is not enough."""
    promises: dict[str, tuple[tuple[Share, Share], ...]] = {}
    """By label: from which confidence on which precision can be promised. Empty: none is fitted."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if len(self.shares) != len(self.members) or min(self.shares) < 0:
            raise ValueError("every member needs one share")
        if abs(sum(self.shares) - 1.0) > ROUNDING:
            raise ValueError("the shares have to add up to 1")
        if len(set(self.labels)) != len(self.labels) or not set(self.descriptions) <= set(
            self.labels
        ):
            raise ValueError("labels are named once, and only labels have descriptions")
        if not set(self.promises) <= set(self.labels):
            raise ValueError("only labels have promises")
        if self.languages and not set(self.bars) <= set(self.languages):
            raise ValueError("only languages that it was measured on have bars")
        if not all(map(_rising, self.promises.values())):
            raise ValueError("promises have to rise")
        if isinstance(self.scope, EnergyScope) and self.scope.member >= len(self.members):
            raise ValueError("the scope names a member that is not there")
        return self


class LikenessPart(Part):
    """How likeness to a description becomes a probability, for these and any other labels.

    The middle of the space in which it is measured lies in the arrays as `space.mean`.
    """

    sharpness: float = Field(gt=0)
    nothing: float
    abstain_below: float = Field(ge=0, le=1)


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

    format: Literal[2]
    seal: Sha256
    name: BundleName
    version: BundleVersion
    created: date
    languages: tuple[str, ...]
    encoders: dict[str, EncoderPart] = Field(min_length=1)
    """By name; the first one's vector is a text's place for similarity and descriptions."""
    arrays: FileName
    likeness: LikenessPart
    aspects: dict[Aspect, AspectPart]
    metrics: dict[str, Any]
    data: tuple[Source, ...]
    licences: tuple[Licence, ...]
    golden: FileName | None = None
    """Synthetic tickets with what the bundle answered when it was made."""
    files: dict[FileName, FileSeal]

    @property
    def title(self) -> str:
        """Name the bundle and its version."""
        return f"{self.name}@{self.version}"

    @property
    def main(self) -> str:
        """Name the encoder that gives the vector."""
        return next(iter(self.encoders))

    @property
    def needed(self) -> tuple[str, ...]:
        """List the files that serving needs."""
        encoders = self.encoders.values()
        members = (member for part in self.aspects.values() for member in part.members)
        return (
            self.arrays,
            *(name for part in encoders for name in (part.model, part.tokenizer)),
            *(member.vocabulary for member in members if isinstance(member, LinearMember)),
            *filter(None, [self.golden]),
        )


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
