"""A loaded bundle at work: one encoder pass answers every aspect, for all tenants."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

import numpy as np

from classifiers import assembly, language
from classifiers.assembly import Assembly
from classifiers.bundle import SHIPPED, Bundle, open_bundle
from classifiers.calibration import Temperature
from classifiers.encoder import Encoder
from classifiers.ensemble import Described, Ensemble
from classifiers.heads import Answers, Vector, View
from classifiers.manifest import AspectPart, Manifest
from classifiers.relabel import Evidence, Held, relabelled, retold
from classifiers.zeroshot import Calibration, Space, ZeroShot, describe, unit
from connector.errors import BadBundle
from connector.model import Aspect, Prediction, Reading
from connector.ports import NO_NAMES, Labels, Names, StandsFor

FEWEST_WORDS = 2
"""Different words below which a text ("help!!", "help") is abstained on: heads that learnt from
whole tickets answer it with confidence and by chance."""
LONG_ENOUGH = 1000
"""Characters in which these words are looked for."""

AT_ONCE = 8
"""Descriptions read together: a ticket may be waiting for the same encoder."""

_WORD = re.compile(r"[^\W\d_]{2,}")


class BundleEngine:
    """A bundle in memory, shared by all tenants; fulfils `connector.ports.Engine`.

    Descriptions are read once and remembered, so that tenants with the same labels share them.
    """

    def __init__(self, bundle: Bundle, threads: int) -> None:
        described, arrays = bundle.manifest, bundle.arrays()
        self._manifest = described
        self._encoders = assembly.encoders(bundle, threads)
        size = described.encoders[described.main].size
        self._space = Space(mean=assembly.array(arrays, "space.mean", (size,)))
        self._known: dict[str, Vector | None] = {}
        made = Assembly(bundle, arrays, self._described)
        self._ensembles = {
            aspect: made.ensemble(aspect, part) for aspect, part in described.aspects.items()
        }
        self._held = {
            aspect: _held(arrays, aspect, part) for aspect, part in described.aspects.items()
        }

    @property
    def bundle(self) -> str:
        """Name the bundle and its version, as `name@version`."""
        return self._manifest.title

    def labels(self, aspect: Aspect) -> Sequence[str]:
        """List the labels that the bundle answers with when a tenant names none of its own."""
        part = self._manifest.aspects.get(aspect)
        return tuple(part.labels) if part else ()

    def vectors(self, texts: Sequence[str]) -> list[bytes]:
        """Give each text's `Reading.vector`, which is all that one encoder tells of it."""
        main = self._manifest.main
        place = self._manifest.encoders[main].vector
        told = self._encoders[main].encode(texts)
        return [b"" if one is None else _kept(unit(one[place])) for one in told]

    def evidence(self, aspect: Aspect, own: Mapping[str, StandsFor] | None = None) -> Evidence:
        """Give the held-out answers of an aspect, and what they promise; raises `BadBundle`.

        With `own` names for the bundle's labels, all is of these.
        """
        held, made = self._held.get(aspect), self._ensembles.get(aspect)
        if held is None or made is None:
            raise BadBundle(f"{self.bundle} keeps no held-out answers for {aspect}: train it again")
        if not own:
            return Evidence(labels=made.labels, held=held, promises=made.promises)
        named = relabelled(made, own, held, self._described)
        told = held if named.own is None else retold(held, named.own)
        return Evidence(labels=named.labels, held=told, promises=named.promises)

    def classifier(self, labels: Labels, names: Names = NO_NAMES) -> "BundleClassifier":
        """Give a classifier for a tenant's own labels; aspects left out use the bundle's.

        Own labels are told apart by their descriptions, whatever the aspect; `names` are own names
        for the bundle's labels.
        """
        own = {aspect: self._own(aspect, chosen) for aspect, chosen in labels.items()}
        named = {
            aspect: relabelled(self._ensembles[aspect], chosen, self._held[aspect], self._described)
            for aspect, chosen in names.items()
        }
        every = {**self._ensembles, **own, **named}
        return BundleClassifier(self._encoders, self._manifest, tuple(every.values()))

    def _own(self, aspect: Aspect, labels: Mapping[str, Sequence[str]]) -> Ensemble:
        return Ensemble(
            aspect=aspect,
            labels=tuple(labels),
            members=(Described(likeness=self._described(labels)),),
            shares=(1.0,),
            calibration=Temperature(value=1.0),
            abstain_below=self._manifest.likeness.abstain_below,
            languages=self._manifest.languages,
        )

    def _described(self, labels: Mapping[str, Sequence[str]]) -> ZeroShot:
        part = self._manifest.likeness
        return describe(
            labels,
            embed=self._embed,
            space=self._space,
            calibration=Calibration(sharpness=part.sharpness, nothing=part.nothing),
        )

    def _embed(self, texts: Sequence[str]) -> list[Vector | None]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        main = self._manifest.main
        place = self._manifest.encoders[main].vector
        for start in range(0, len(new), AT_ONCE):
            part = new[start : start + AT_ONCE]
            for text, states in zip(part, self._encoders[main].encode(part), strict=True):
                self._known[text] = None if states is None else unit(states[place])
        return [self._known[text] for text in texts]


class BundleClassifier:
    """One tenant's classifier; fulfils `connector.ports.Classifier` and holds no state."""

    def __init__(
        self, encoders: Mapping[str, Encoder], described: Manifest, answers: Sequence[Answers]
    ) -> None:
        self._encoders = encoders
        self._main = described.main
        self._place = described.encoders[described.main].vector
        self._answers = tuple(answers)

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        """Read each text once and answer every aspect; results are in the order of the texts."""
        # All that a text needs is done on one thread, so that heads and languages of one text
        # are at work while onnxruntime reads another.
        return self._encoders[self._main].each(self._reading, texts)

    def _reading(self, text: str) -> Reading:
        passes = {name: encoder.one(text) for name, encoder in self._encoders.items()}
        told = {name: one for name, one in passes.items() if one is not None}
        if len(told) < len(passes):
            nothing = (_nothing(one.aspect, "There is no text.") for one in self._answers)
            return Reading(predictions=tuple(nothing))
        view = View(
            vector=unit(told[self._main].states[self._place]),
            passes=told,
            text=text,
            language=language.identify(text),
        )
        enough = len(set(_WORD.findall(text[:LONG_ENOUGH].casefold()))) >= FEWEST_WORDS
        return Reading(
            predictions=tuple(
                one.predict(view) if enough else _nothing(one.aspect, "There are too few words.")
                for one in self._answers
            ),
            vector=_kept(view.vector),
            language=view.language,
        )


def load(folder: str | None, threads: int) -> BundleEngine:
    """Open a bundle's folder (`None`: the shipped one) for a number of texts at a time."""
    # Languages take about a second to load; the first ticket should not wait for all of it.
    Thread(target=language.warm, name="language", daemon=True).start()
    return BundleEngine(open_bundle(Path(folder) if folder else SHIPPED), threads)


def _held(arrays: assembly.Arrays, aspect: Aspect, part: AspectPart) -> Held | None:
    """Give the held-out answers that the bundle keeps; one that was made before has none."""
    gold = arrays.get(f"{aspect}.gold")
    if gold is None:
        return None
    shape = (gold.size, len(part.labels))
    numbers = assembly.array(arrays, f"{aspect}.gold", (gold.size,)).astype(np.intp)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(part.labels):
        raise BadBundle(f"the array {aspect}.gold names labels that are not there")
    return Held(shares=assembly.array(arrays, f"{aspect}.held", shape), gold=numbers)


def _kept(vector: Vector) -> bytes:
    return vector.astype("<f2").tobytes()


def _nothing(aspect: Aspect, reason: str) -> Prediction:
    return Prediction(aspect=aspect, label=None, confidence=0.0, reason=reason)
