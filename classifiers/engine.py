"""A loaded bundle at work: one encoder pass answers every aspect, for all tenants."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from classifiers import language
from classifiers.blend import Blend
from classifiers.bundle import SHIPPED, Bundle, open_bundle
from classifiers.encoder import Encoder, States, Window
from classifiers.heads import Answers, LinearHead, Vector, View
from classifiers.manifest import AspectPart, BlendPart, HeadPart, Manifest, ZeroShotPart
from classifiers.zeroshot import Calibration, Space, ZeroShot, describe, unit
from connector.errors import BadBundle
from connector.model import Aspect, Prediction, Reading
from connector.ports import Labels

FEWEST_WORDS = 2
"""Different words below which a text ("help!!", "help") is abstained on: heads that learnt from
whole tickets answer it with confidence and by chance."""
LONG_ENOUGH = 1000
"""Characters in which these words are looked for."""

_WORD = re.compile(r"[^\W\d_]{2,}")

Arrays = Mapping[str, NDArray[np.float32]]


class BundleEngine:
    """A bundle in memory, shared by all tenants; fulfils `connector.ports.Engine`.

    Descriptions are read once and remembered, so that tenants with the same labels share them.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        described, arrays = bundle.manifest, bundle.arrays()
        self._manifest = described
        self._encoder = _encoder(bundle, threads)
        self._space = Space(mean=_array(arrays, "space.mean", (described.encoder.size,)))
        self._heads = {
            aspect: _head(aspect, part, described, arrays)
            for aspect, part in described.aspects.items()
            if not isinstance(part, ZeroShotPart)
        }
        self._known: dict[str, Vector | None] = {}

    @property
    def bundle(self) -> str:
        """Name the bundle and its version, as `name@version`."""
        return self._manifest.title

    def labels(self, aspect: Aspect) -> Sequence[str]:
        """List the labels that the bundle answers with when a tenant names none of its own."""
        part = self._manifest.aspects.get(aspect)
        return tuple(part.labels) if part else ()

    def classifier(self, labels: Labels) -> "BundleClassifier":
        """Give a classifier for a tenant's own labels; aspects left out use the bundle's.

        Own labels are told apart by their descriptions, whatever the aspect.
        """
        own = {aspect: self._by_likeness(aspect, chosen) for aspect, chosen in labels.items()}
        shipped = {
            aspect: self._shipped(aspect, part)
            for aspect, part in self._manifest.aspects.items()
            if aspect not in own
        }
        return BundleClassifier(self._encoder, self._manifest, tuple((own | shipped).values()))

    def _shipped(self, aspect: Aspect, part: AspectPart) -> Answers:
        if isinstance(part, HeadPart):
            return self._heads[aspect]
        described = self._by_likeness(aspect, part.labels)
        if isinstance(part, ZeroShotPart):
            return described
        described = replace(described, abstain_below=part.abstain_below)
        return Blend(head=self._heads[aspect], likeness=described, temperature=part.mixed)

    def _by_likeness(self, aspect: Aspect, labels: Mapping[str, Sequence[str]]) -> ZeroShot:
        part = self._manifest.likeness
        return describe(
            aspect,
            labels,
            embed=self._embed,
            space=self._space,
            calibration=Calibration(sharpness=part.sharpness, nothing=part.nothing),
            abstain_below=part.abstain_below,
        )

    def _embed(self, texts: Sequence[str]) -> list[Vector | None]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        place = self._manifest.encoder.vector
        for text, states in zip(new, self._encoder.encode(new), strict=True):
            self._known[text] = None if states is None else unit(states[place])
        return [self._known[text] for text in texts]


class BundleClassifier:
    """One tenant's classifier; fulfils `connector.ports.Classifier` and holds no state."""

    def __init__(self, encoder: Encoder, described: Manifest, answers: Sequence[Answers]) -> None:
        self._encoder = encoder
        self._place = described.encoder.vector
        self._answers = tuple(answers)

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        """Read each text once and answer every aspect; results are in the order of the texts."""
        read = self._encoder.encode(texts)
        return [self._reading(text, states) for text, states in zip(texts, read, strict=True)]

    def _reading(self, text: str, states: States | None) -> Reading:
        if states is None:
            nothing = (_nothing(one.aspect, "There is no text.") for one in self._answers)
            return Reading(predictions=tuple(nothing))
        view = View(states=states, vector=unit(states[self._place]))
        enough = len(set(_WORD.findall(text[:LONG_ENOUGH].casefold()))) >= FEWEST_WORDS
        return Reading(
            predictions=tuple(
                one.predict(view) if enough else _nothing(one.aspect, "There are too few words.")
                for one in self._answers
            ),
            vector=view.vector.astype("<f2").tobytes(),
            language=language.identify(text),
        )


def load(folder: str | None, threads: int) -> BundleEngine:
    """Open a bundle's folder (`None`: the shipped one) for a number of texts at a time."""
    # Languages take about a second to load; the first ticket should not wait for all of it.
    Thread(target=language.warm, name="language", daemon=True).start()
    return BundleEngine(open_bundle(Path(folder) if folder else SHIPPED), threads)


def _nothing(aspect: Aspect, reason: str) -> Prediction:
    return Prediction(aspect=aspect, label=None, confidence=0.0, reason=reason)


def _encoder(bundle: Bundle, threads: int) -> Encoder:
    part = bundle.manifest.encoder
    return Encoder(
        model=bundle.files[part.model],
        tokenizer=bundle.files[part.tokenizer],
        window=Window(tokens=part.tokens, tail=part.tail),
        threads=threads,
    )


def _head(
    aspect: Aspect, part: HeadPart | BlendPart, described: Manifest, arrays: Arrays
) -> LinearHead:
    if max(part.states) >= described.encoder.states:
        raise BadBundle(f"the head of {aspect} wants states that the encoder does not give")
    labels, features = len(part.labels), len(part.states) * described.encoder.size
    return LinearHead(
        aspect=aspect,
        labels=tuple(part.labels),
        states=part.states,
        weights=_array(arrays, f"{aspect}.weights", (labels, features)),
        bias=_array(arrays, f"{aspect}.bias", (labels,)),
        temperature=part.temperature,
        abstain_below=part.abstain_below,
    )


def _array(arrays: Arrays, name: str, shape: tuple[int, ...]) -> Vector:
    found = arrays.get(name)
    if found is None or found.shape != shape or found.dtype != np.float32:
        raise BadBundle(f"the array {name} is not there as fp32 of shape {shape}")
    return found
