"""A BERT or DistilBERT folder into DistilBERT weights, exactly; no name is guessed or skipped."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from connector.errors import BadBundle

Weights = Mapping[str, NDArray[np.float32]]

LAYER_NORM_EPSILON = 1e-12
"""DistilBERT's own, which is not configurable; BERT's is the same unless a folder says else."""

_FIXED = {
    "embeddings.word_embeddings.weight": "embeddings.word_embeddings.weight",
    "embeddings.LayerNorm.weight": "embeddings.LayerNorm.weight",
    "embeddings.LayerNorm.bias": "embeddings.LayerNorm.bias",
}
_IN_LAYER = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)")
_POSITIONS = "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"
_NOT_NEEDED = re.compile(
    # A counter, the next-sentence head and the heads of pre-training are no part of the encoder.
    r"embeddings\.position_ids|pooler\.dense\.(weight|bias)|cls\..+|vocab_.+|(pre_)?classifier\..+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A DistilBERT: its sizes, and its weights under DistilBERT's own names."""

    layers: int
    heads: int
    size: int
    hidden: int
    vocabulary: int
    positions: int
    weights: Weights

    @property
    def config(self) -> dict[str, Any]:
        """Give the settings that make `transformers` build the same model."""
        return {
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.positions,
            "n_layers": self.layers,
            "n_heads": self.heads,
            "dim": self.size,
            "hidden_dim": self.hidden,
            "activation": "gelu",
        }


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a folder with `config.json` and `model.safetensors` of a BERT or a DistilBERT.

    A BERT is converted exactly: what differs between the two is that BERT adds a token-type
    vector, which is the same for every token of a single text and so moves into the positions.
    Raises `BadBundle` naming every weight that is missing, left over or of the wrong shape.
    """
    settings = _settings(folder)
    try:
        raw = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise BadBundle(f"{folder / 'model.safetensors'} cannot be read: {error}") from error
    kind = settings.get("model_type")
    if kind == "bert":
        return _checked(_from_bert(raw, folder), _bert_sizes(settings, folder), folder)
    if kind == "distilbert":
        return _checked(_from_distilbert(raw), _distilbert_sizes(settings, folder), folder)
    raise BadBundle(f"{folder}: model_type {kind!r} is neither bert nor distilbert")


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        settings: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} cannot be read: {error}") from error
    return settings


def _bert_sizes(settings: Mapping[str, Any], folder: Path) -> dict[str, int]:
    expected = {
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "layer_norm_eps": LAYER_NORM_EPSILON,
    }
    for name, value in expected.items():
        if settings.get(name, value) != value:
            raise BadBundle(f"{folder}: {name} is {settings[name]!r}, DistilBERT has {value!r}")
    return {
        "layers": settings["num_hidden_layers"],
        "heads": settings["num_attention_heads"],
        "size": settings["hidden_size"],
        "hidden": settings["intermediate_size"],
        "vocabulary": settings["vocab_size"],
        "positions": settings["max_position_embeddings"],
    }


def _distilbert_sizes(settings: Mapping[str, Any], folder: Path) -> dict[str, int]:
    if settings.get("activation", "gelu") != "gelu":
        raise BadBundle(f"{folder}: activation is {settings['activation']!r}, only gelu is known")
    return {
        "layers": settings["n_layers"],
        "heads": settings["n_heads"],
        "size": settings["dim"],
        "hidden": settings["hidden_dim"],
        "vocabulary": settings["vocab_size"],
        "positions": settings["max_position_embeddings"],
    }


def _from_bert(raw: Mapping[str, NDArray[Any]], folder: Path) -> dict[str, NDArray[Any]]:
    raw = {name.removeprefix("bert."): value for name, value in raw.items()}
    if not {_POSITIONS, _TYPES} <= raw.keys():
        raise BadBundle(f"{folder}: {_POSITIONS} or {_TYPES} is missing")
    weights = {_POSITIONS: raw[_POSITIONS] + raw[_TYPES][0]}
    for name, value in raw.items():
        if name not in (_POSITIONS, _TYPES) and not _NOT_NEEDED.fullmatch(name):
            weights[_distilbert_name(name)] = value
    return weights


def _distilbert_name(name: str) -> str:
    match = _LAYER.fullmatch(name)
    if match and match[2] in _IN_LAYER:
        return f"transformer.layer.{match[1]}.{_IN_LAYER[match[2]]}.{match[3]}"
    return _FIXED.get(name, name)  # an unknown name stays, and is refused as left over


def _from_distilbert(raw: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    plain = {name.removeprefix("distilbert."): value for name, value in raw.items()}
    return {name: value for name, value in plain.items() if not _NOT_NEEDED.fullmatch(name)}


def _checked(
    weights: Mapping[str, NDArray[Any]], sizes: Mapping[str, int], folder: Path
) -> Checkpoint:
    expected = expected_shapes(sizes)
    wrong = [f"missing {name}" for name in expected.keys() - weights.keys()]
    wrong += [f"left over {name}" for name in weights.keys() - expected.keys()]
    wrong += [
        f"{name} has shape {weights[name].shape}, not {shape}"
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    if wrong:
        raise BadBundle(f"{folder}: {'; '.join(sorted(wrong))}")
    exact = {name: np.ascontiguousarray(weights[name], dtype=np.float32) for name in expected}
    return Checkpoint(weights=exact, **sizes)


def expected_shapes(sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """List every weight that a DistilBERT of these sizes has, with its shape."""
    size, hidden = sizes["size"], sizes["hidden"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (sizes["vocabulary"], size),
        _POSITIONS: (sizes["positions"], size),
        "embeddings.LayerNorm.weight": (size,),
        "embeddings.LayerNorm.bias": (size,),
    }
    for number in range(sizes["layers"]):
        shapes |= layer_shapes(f"transformer.layer.{number}", size, hidden)
    return shapes


def layer_shapes(prefix: str, size: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """List the weights of one transformer layer under `prefix`."""
    matrices = {
        "attention.q_lin": (size, size),
        "attention.k_lin": (size, size),
        "attention.v_lin": (size, size),
        "attention.out_lin": (size, size),
        "ffn.lin1": (hidden, size),
        "ffn.lin2": (size, hidden),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in matrices.items():
        shapes[f"{prefix}.{name}.weight"] = shape
        shapes[f"{prefix}.{name}.bias"] = shape[:1]
    for name in ("sa_layer_norm", "output_layer_norm"):
        shapes[f"{prefix}.{name}.weight"] = (size,)
        shapes[f"{prefix}.{name}.bias"] = (size,)
    return shapes
