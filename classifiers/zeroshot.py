"""Any labels by their descriptions: how much a text resembles each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.heads import Vector

BLEND = 10.0
"""How much a label's closest description counts over its others: measured best between the mean
of all (0) and the closest alone (infinite), on our own training tickets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Where likeness is measured: the encoder's space seen from the middle of help-desk tickets.

    What all tickets have in common (`mean` of their unit vectors) says nothing about any label.
    """

    mean: Vector

    def place(self, vectors: Vector) -> Vector:
        """Move unit vectors (… by size) into the space, to unit length again."""
        return unit(np.subtract(vectors, self.mean))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What turns likeness into probability: a softmax that has "none of these" among its labels.

    `sharpness` multiplies likeness, `nothing` is the likeness that "none of these" always has.
    More labels, a small lead or a low likeness each lower the confidence by themselves, so that
    one pair of numbers serves label sets of any size.
    """

    sharpness: float
    nothing: float

    def probabilities(self, likeness: Vector) -> Vector:
        """Give one probability per label; what is missing from one belongs to none of them."""
        scores = self.sharpness * likeness
        top = np.maximum(scores.max(axis=-1, keepdims=True), self.sharpness * self.nothing)
        risen = np.exp(scores - top)
        none = np.exp(self.sharpness * self.nothing - top)
        shares: Vector = risen / (risen.sum(axis=-1, keepdims=True) + none)
        return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroShot:
    """Labels, and all their descriptions' places in the space, one label's after another's."""

    labels: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    places: Vector
    starts: NDArray[np.intp]
    """The row of `places` with which each label begins."""
    space: Space
    calibration: Calibration

    def logits(self, vector: Vector) -> Vector:
        """Give one score per label: its likeness, as sharp as it is calibrated to be."""
        scores: Vector = self.calibration.sharpness * self._likeness(vector)
        return scores

    def probabilities(self, vector: Vector) -> Vector:
        """Give one probability per label; together they stay under one."""
        return self.calibration.probabilities(self._likeness(vector))

    def closest(self, label: str, vector: Vector) -> str:
        """Give the description that speaks most for a label."""
        number = self.labels.index(label)
        start = self.starts[number]
        own = self.places[start : start + len(self.texts[number])]
        return self.texts[number][int(np.argmax(own @ self.space.place(vector)))]

    def _likeness(self, vector: Vector) -> Vector:
        return nearest(self.places @ self.space.place(vector), self.starts)


def near(likeness: Vector) -> float:
    """Give a label's likeness from those of its descriptions: the close ones count, one is enough.

    A mean in exponential weights (log-mean-exp), so that it does not grow with their number.
    """
    return float(nearest(likeness, np.zeros(1, np.intp))[0])


def nearest(likeness: Vector, starts: NDArray[np.intp]) -> Vector:
    """Give `near` of each label, whose descriptions' likeness begins at `starts`, all at once."""
    counts = np.diff(starts, append=len(likeness))
    tops = np.maximum.reduceat(likeness, starts)
    risen = np.exp(BLEND * (likeness - np.repeat(tops, counts)))
    means = tops + np.log(np.add.reduceat(risen, starts) / counts) / BLEND
    given: Vector = means.astype(np.float32)
    return given


def unit(vectors: Vector) -> Vector:
    """Scale vectors (… by size) to length one; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return scaled


Embed = Callable[[Sequence[str]], Sequence[Vector | None]]
"""Texts into unit vectors; `None` where there is nothing to read."""


def describe(
    labels: Mapping[str, Sequence[str]],
    *,
    embed: Embed,
    space: Space,
    calibration: Calibration,
) -> ZeroShot:
    """Make a classifier from labels and the texts that describe them.

    A label without any description is described by its own name.
    """
    names = tuple(labels)
    texts, places = [], []
    for name in names:
        described = tuple(labels[name]) or (name.replace("_", " "),)
        pairs = zip(described, embed(described), strict=True)
        read = [(text, vector) for text, vector in pairs if vector is not None]
        texts.append(tuple(text for text, _ in read) or described[:1])
        vectors = [vector for _, vector in read] or [np.zeros_like(space.mean)]
        places.append(space.place(np.stack(vectors)))
    rows = [len(part) for part in places]
    return ZeroShot(
        labels=names,
        texts=tuple(texts),
        places=np.concatenate(places) if places else np.zeros((0, len(space.mean)), np.float32),
        starts=np.cumsum([0, *rows[:-1]], dtype=np.intp)[: len(rows)],
        space=space,
        calibration=calibration,
    )
