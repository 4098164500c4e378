"""The recipe of the bundle that comes with triaged: from weights and tickets to a sealed folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from classifiers.build import exact, sources
from classifiers.build.card import render
from classifiers.build.claims import Claims, claims
from classifiers.build.convert import Checkpoint, read_checkpoint
from classifiers.build.export import export
from classifiers.build.golden import GOLDEN, golden
from classifiers.build.measure import (
    Descriptions,
    Likeness,
    Read,
    blended,
    fit_likeness,
    head_answers,
    measured,
)
from classifiers.build.tickets import LANGUAGES, Example, own_tickets, seed_labels, senti4sd
from classifiers.build.train import LEAST, Fitted, Training, fit
from classifiers.build.words import VOCABULARY, Words, arrays, fit_words
from classifiers.build.write import packed, write_bundle
from classifiers.bundle import open_bundle
from classifiers.encoder import Encoder, Window
from classifiers.engine import BundleEngine
from classifiers.zeroshot import unit
from connector.errors import BadBundle
from connector.model import Aspect

NAME, VERSION = "default", "1.3.0"
ENCODER = "shared"
TOKENS = 256
"""The window: what the weights were trained with, and more than 19 of 20 tickets need."""
TAIL = 64
"""Tokens of the window that come from a long text's end, where the wish and the mood stand."""
HELPER_WEIGHT = 0.02
"""What a Senti4SD post says about sentiment beside a ticket of ours. More makes the head better
on Stack Overflow and worse on French, German and Spanish tickets."""
THREADS = 2
"""Texts read at the same time while building."""
CHECKED = 50
"""Test tickets on which the conversion is compared number by number."""
HEAD_LABELS = {
    Aspect.PRIORITY: ("low", "normal", "high", "urgent"),
    Aspect.SENTIMENT: ("negative", "neutral", "positive"),
}
MODEL, TOKENIZER, ARRAYS, CARD = "model.onnx", "tokenizer.json", "heads.npz", "README.md"

Say = Callable[[str], None]
"""Tells the person who waits which step has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to build from, and where to."""

    weights: Path
    output: Path
    created: date
    senti4sd: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What the heads are made of, as the quantised model reads it."""

    checkpoint: Checkpoint
    own: Read
    helpers: Read | None
    descriptions: Descriptions


@dataclass(slots=True, kw_only=True)
class Parts:
    """The manifest's pieces, collected while the bundle is made."""

    aspects: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    vocabulary: bytes = b""
    """One for all aspects: they are learnt from the same texts."""

    def add_words(self, words: Words, place: int) -> dict[str, Any]:
        """Keep a TF-IDF model's arrays, as the aspect's member at `place`, and describe it."""
        model = words.model
        self.arrays |= arrays(f"{words.answered.aspect}.{place}", model)
        self.vocabulary = model.vocabulary.render()
        return {"kind": "linear", "vocabulary": VOCABULARY, "temperature": model.temperature}

    def add_head(self, fitted: Fitted) -> dict[str, Any]:
        """Keep a head's arrays, as the aspect's first member, and describe it."""
        head = fitted.head
        self.arrays[f"{fitted.aspect}.0.weights"] = head.weights
        self.arrays[f"{fitted.aspect}.0.bias"] = head.bias
        return {
            "kind": "heads",
            "encoder": ENCODER,
            "states": head.states,
            "temperature": head.temperature,
        }


def build(order: Order, say: Say) -> Path:
    """Build, measure, seal and verify the bundle; the same inputs give the same bytes."""
    say("converting and quantising the weights")
    checkpoint = read_checkpoint(order.weights)
    tokenizer = _tokenizer(order.weights / TOKENIZER)
    model = export(checkpoint, int8=True).SerializeToString()
    encoder = _encoder(model, tokenizer)
    say("reading the tickets")
    material = _material(order, encoder, checkpoint)
    parts = Parts()
    for aspect, labels in HEAD_LABELS.items():
        say(f"learning {aspect}")
        fitted = _fit(aspect, labels, material)
        words = fit_words(aspect, labels, material.own)
        answers, mixed = blended([head_answers(fitted, material.own), words.answered], material.own)
        members = [parts.add_head(fitted), parts.add_words(words, 1)]
        claimed = claims(answers, material.own, LANGUAGES)
        parts.aspects[aspect] = aspect_part(labels, members, claimed, temperature=mixed)
        parts.metrics[aspect] = measured(answers, material.own) | _chosen(fitted, claimed)
    say("learning category")
    likeness = _category(parts, material)
    say("comparing with the original weights")
    parts.metrics["fidelity"] = _fidelity(order, material, tokenizer, encoder)
    say("sealing the bundle")
    described = _described(order, material, parts, likeness)
    files = {MODEL: model, TOKENIZER: tokenizer, ARRAYS: packed(parts.arrays)}
    files |= {VOCABULARY: parts.vocabulary, CARD: render(described).encode()}
    write_bundle(order.output, files=files, described=described)
    files[GOLDEN] = golden(BundleEngine(open_bundle(order.output), THREADS))
    return write_bundle(order.output, files=files, described={**described, "golden": GOLDEN})


def _tokenizer(path: Path) -> bytes:
    """Give a tokenizer without padding and truncation: our window cuts, and nothing is padded."""
    try:
        made = Tokenizer.from_buffer(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} cannot be read: {error}") from error
    made.no_padding()
    made.no_truncation()
    return str(made.to_str()).encode()


def _encoder(model: bytes, tokenizer: bytes) -> Encoder:
    window = Window(tokens=TOKENS, tail=TAIL)
    return Encoder(model=model, tokenizer=tokenizer, window=window, threads=THREADS)


def _material(order: Order, encoder: Encoder, checkpoint: Checkpoint) -> Material:
    helpers = senti4sd(order.senti4sd) if order.senti4sd else []
    return Material(
        checkpoint=checkpoint,
        own=_read(encoder, own_tickets()),
        helpers=_read(encoder, helpers).pick("train") if helpers else None,
        descriptions={
            label: unit(states_of(encoder, texts)[:, checkpoint.layers])
            for label, texts in seed_labels().items()
        },
    )


def _read(encoder: Encoder, examples: Sequence[Example]) -> Read:
    states = encoder.encode([one.text for one in examples])
    pairs = [(one, told) for one, told in zip(examples, states, strict=True) if told is not None]
    return Read(examples=[one for one, _ in pairs], states=np.stack([told for _, told in pairs]))


def states_of(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Give the states of texts that all hold something to read."""
    states = encoder.encode(texts)
    return np.stack([one for one in states if one is not None])


def _fit(aspect: Aspect, labels: tuple[str, ...], material: Material) -> Fitted:
    learn = material.own.pick("train", "valid")
    count = len(learn.examples)
    states, gold, clusters = learn.states, learn.gold(aspect), learn.clusters
    if material.helpers and aspect is Aspect.SENTIMENT:
        states = np.concatenate([states, material.helpers.states])
        gold = gold + material.helpers.gold(aspect)
        clusters = clusters + material.helpers.clusters
    aside = np.arange(len(gold)) >= count
    training = Training(
        states=states,
        labels=gold,
        clusters=clusters,
        weights=np.where(aside, HELPER_WEIGHT, 1.0),
        helpers=aside,
    )
    every = tuple(range(material.checkpoint.layers + 1))
    return fit(aspect, labels, training, (every[-1:], every[-4:], every))


def _category(parts: Parts, material: Material) -> Likeness:
    """Learn the seed categories by head, by description and by words, and average all three."""
    own = material.own
    likeness = fit_likeness(own, material.descriptions, material.checkpoint.layers)
    labels = likeness.answered.labels
    fitted = _fit(Aspect.CATEGORY, labels, material)
    words = fit_words(Aspect.CATEGORY, labels, own)
    answers, mixed = blended([head_answers(fitted, own), likeness.answered, words.answered], own)
    claimed = claims(answers, own, LANGUAGES)
    parts.aspects[Aspect.CATEGORY] = aspect_part(
        tuple(seed_labels()),
        [parts.add_head(fitted), {"kind": "zero-shot"}, parts.add_words(words, 2)],
        claimed,
        temperature=mixed,
        descriptions=seed_labels(),
    )
    parts.metrics[Aspect.CATEGORY] = measured(answers, own) | _chosen(fitted, claimed)
    parts.metrics["category_by_description_alone"] = measured(likeness.answered, own) | {
        "labels_kept_aside": likeness.transfer
    }
    parts.arrays["space.mean"] = likeness.space.mean
    return likeness


def aspect_part(
    labels: Sequence[str],
    members: Sequence[Mapping[str, Any]],
    claimed: Claims,
    *,
    temperature: float = 1.0,
    descriptions: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Describe an aspect whose members all say as much."""
    return {
        "labels": labels,
        "descriptions": dict(descriptions),
        "members": members,
        "shares": [1 / len(members)] * len(members),
        "calibration": {"kind": "temperature", "value": temperature},
        "abstain_below": LEAST,
        "languages": claimed.languages,
        "bars": dict(claimed.bars),
    }


def _chosen(fitted: Fitted, claimed: Claims) -> dict[str, Any]:
    choice = fitted.choice
    return {
        "claims": claimed.measured,
        "chosen": {
            "strength": choice.strength,
            "folds_macro_f1": round(choice.mean, 4),
            "folds_deviation": round(choice.deviation, 4),
        },
    }


def _fidelity(
    order: Order, material: Material, tokenizer: bytes, encoder: Encoder
) -> dict[str, float]:
    """Measure what conversion, export and int8 changed, on test tickets."""
    test = material.own.pick("test")
    plain = _encoder(export(material.checkpoint, int8=False).SerializeToString(), tokenizer)
    before, after = unit(states_of(plain, test.texts)[:, -1]), unit(test.states[:, -1])
    cosines = (before * after).sum(axis=1)
    tokens = [encoder.tokens(text) for text in test.texts[:CHECKED]]
    differs = exact.difference(order.weights, material.checkpoint, tokens)
    return {
        "conversion_largest_difference": float(f"{differs:.1e}"),
        "int8_cosine_mean": round(float(cosines.mean()), 4),
        "int8_cosine_least": round(float(cosines.min()), 4),
    }


def _described(
    order: Order, material: Material, parts: Parts, likeness: Likeness
) -> Mapping[str, Any]:
    checkpoint = material.checkpoint
    return {
        "name": NAME,
        "version": VERSION,
        "created": order.created.isoformat(),
        "languages": LANGUAGES,
        "encoders": {
            ENCODER: {
                "model": MODEL,
                "tokenizer": TOKENIZER,
                "tokens": TOKENS,
                "tail": TAIL,
                "size": checkpoint.size,
                "states": checkpoint.layers + 1,
                "vector": checkpoint.layers,
            }
        },
        "arrays": ARRAYS,
        "likeness": {
            "sharpness": likeness.calibration.sharpness,
            "nothing": likeness.calibration.nothing,
            "abstain_below": LEAST,
        },
        "aspects": parts.aspects,
        "metrics": parts.metrics,
        "data": sources.data(material.own, material.helpers),
        "licences": sources.LICENCES,
    }
