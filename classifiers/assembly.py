"""A bundle's parts put together: arrays and manifest into the members that answer."""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from classifiers import ensemble, manifest
from classifiers.bundle import Bundle
from classifiers.calibration import Calibration, Isotonic, Temperature
from classifiers.encoder import Encoder, Window
from classifiers.ensemble import Ensemble, Member, Scope
from classifiers.heads import LinearHead, Vector
from classifiers.linear import LinearText, Vocabulary
from classifiers.manifest import AspectPart, EncoderPart
from classifiers.zeroshot import ZeroShot
from connector.errors import BadBundle
from connector.model import Aspect

Arrays = Mapping[str, NDArray[np.float32]]

Describe = Callable[[Mapping[str, Sequence[str]]], ZeroShot]
"""Labels with their descriptions into what answers by likeness."""


_loaded: WeakValueDictionary[tuple[str, str, Window, int], Encoder] = WeakValueDictionary()
"""The encoders of this process that somebody uses, by what they were made of."""
_loading = Lock()


def encoders(bundle: Bundle, threads: int) -> dict[str, Encoder]:
    """Give every encoder; raises `BadBundle` when one lacks an output that it should have.

    One that another bundle has loaded, byte for byte the same, is shared with it.
    """
    made = {}
    for name, part in bundle.manifest.encoders.items():
        made[name] = encoder = _encoder(bundle, part, threads)
        if missing := set(part.outputs) - set(encoder.outputs[1:]):
            raise BadBundle(f"the encoder {name} has no output {', '.join(sorted(missing))}")
        if part.vector >= part.states:
            raise BadBundle(f"the encoder {name} wants its vector from a state that it lacks")
    return made


def _encoder(bundle: Bundle, part: EncoderPart, threads: int) -> Encoder:
    seals = bundle.manifest.files
    window = Window(tokens=part.tokens, tail=part.tail)
    key = (seals[part.model].sha256, seals[part.tokenizer].sha256, window, threads)
    with _loading:
        encoder = _loaded.get(key)
        if encoder is None:
            _loaded[key] = encoder = Encoder(
                model=bundle.files[part.model],
                tokenizer=bundle.files[part.tokenizer],
                window=window,
                threads=threads,
            )
        return encoder


def array(arrays: Arrays, name: str, shape: tuple[int, ...]) -> Vector:
    """Give an array of exactly this shape; raises `BadBundle`."""
    found = arrays.get(name)
    if found is None or found.shape != shape or found.dtype != np.float32:
        raise BadBundle(f"the array {name} is not there as fp32 of shape {shape}")
    return found


class Assembly:
    """Makes the ensembles of one bundle."""

    def __init__(self, bundle: Bundle, arrays: Arrays, describe: Describe) -> None:
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._arrays = arrays
        self._describe = describe
        self._vocabularies: dict[str, Vocabulary] = {}

    def ensemble(self, aspect: Aspect, part: AspectPart) -> Ensemble:
        """Put one aspect together; raises `BadBundle` for a part that does not fit."""
        members = [
            self._member(f"{aspect}.{place}", part, member)
            for place, member in enumerate(part.members)
        ]
        return Ensemble(
            aspect=aspect,
            labels=part.labels,
            members=tuple(members),
            shares=part.shares,
            calibration=calibration(part.calibration),
            abstain_below=part.abstain_below,
            scope=self._scope(aspect, part),
            languages=part.languages,
            bars=part.bars,
            promises=part.promises,
        )

    def _member(self, name: str, part: AspectPart, member: manifest.Member) -> Member:
        count = len(part.labels)
        if isinstance(member, manifest.ZeroShotMember):
            labels = {label: part.descriptions.get(label, ()) for label in part.labels}
            return ensemble.Described(likeness=self._describe(labels))
        if isinstance(member, manifest.LinearMember):
            return self._linear(name, count, member)
        encoder = self._encoder(name, member.encoder)
        if isinstance(member, manifest.DistilbertMember):
            if encoder.outputs.get(member.output) != count:
                raise BadBundle(f"{name} wants an output {member.output} of {count} labels")
            return ensemble.Distilbert(
                encoder=member.encoder, output=member.output, temperature=member.temperature
            )
        if not 0 <= min(member.states) <= max(member.states) < encoder.states:
            raise BadBundle(f"{name} wants states that the encoder does not give")
        head = LinearHead(
            labels=part.labels,
            states=member.states,
            weights=self._array(name, "weights", (count, len(member.states) * encoder.size)),
            bias=self._array(name, "bias", (count,)),
            temperature=member.temperature,
        )
        return ensemble.Heads(head=head, encoder=member.encoder)

    def _linear(self, name: str, count: int, member: manifest.LinearMember) -> Member:
        file = member.vocabulary
        if file not in self._vocabularies:
            self._vocabularies[file] = Vocabulary.parse(self._bundle.files[file])
        vocabulary = self._vocabularies[file]
        weights = self._array(name, "weights", (count, vocabulary.size))
        model = LinearText(
            vocabulary=vocabulary,
            idf=self._array(name, "idf", (vocabulary.size,)),
            weights=np.ascontiguousarray(weights.T),
            bias=self._array(name, "bias", (count,)),
            temperature=member.temperature,
        )
        return ensemble.Linear(model=model)

    def _scope(self, aspect: Aspect, part: AspectPart) -> Scope | None:
        told = part.scope
        if told is None:
            return None
        if isinstance(told, manifest.EnergyScope):
            return ensemble.Energy(member=told.member, threshold=told.threshold)
        encoder = self._encoder(f"{aspect}.scope", told.encoder)
        if told.state >= encoder.states:
            raise BadBundle(f"{aspect}.scope wants a state that the encoder does not give")
        centroids = self._arrays.get(f"{aspect}.centroids", np.zeros(0, np.float32))
        shape = (len(centroids), encoder.size)
        return ensemble.Distance(
            encoder=told.encoder,
            state=told.state,
            centroids=self._array(str(aspect), "centroids", (max(1, shape[0]), shape[1])),
            threshold=told.threshold,
        )

    def _encoder(self, name: str, wanted: str) -> manifest.EncoderPart:
        try:
            return self._manifest.encoders[wanted]
        except KeyError:
            raise BadBundle(f"{name} names an encoder {wanted!r} that is not there") from None

    def _array(self, name: str, kind: str, shape: tuple[int, ...]) -> Vector:
        return array(self._arrays, f"{name}.{kind}", shape)


def calibration(part: manifest.Calibrated) -> Calibration:
    """Give what the manifest describes."""
    if isinstance(part, manifest.TemperatureCalibration):
        return Temperature(value=part.value)
    return Isotonic(x=part.x, y=part.y)
