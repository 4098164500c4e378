"""DistilBERT weights into an ONNX graph, fused as it is written, in fp32 or int8."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from classifiers.build.convert import LAYER_NORM_EPSILON, Checkpoint, Weights

OPSET = 17
"""The first with LayerNormalization; every onnxruntime that this project allows reads it."""
CONTRIB = "com.microsoft"
"""The domain of onnxruntime's fused operators."""
FULL_RANGE = 127
"""Weights use -127..127. Processors with VNNI add the products up exactly; AVX2 alone clips the
sum of two neighbours, which for these matrices happens to one pair in a million."""
HALF_RANGE = 63
"""Weights use -63..63, so that no pair is ever clipped. For the matrix after the attention, where
one pair in 5,000 would be: one bundle gives the same scores on every processor."""


@dataclass(slots=True)
class _Graph:
    """Nodes and weights in the order in which they are written."""

    int8: bool
    heads: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(
        self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any
    ) -> str:
        made = helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes)
        self.nodes.append(made)
        return output

    def rows(self, name: str, table: NDArray[np.float32], indices: str) -> str:
        """Look rows up; in int8 each row keeps its own scale, which is nearly lossless."""
        if not self.int8:
            return self.node("Gather", [self.constant(name, table), indices], f"{name}/rows")
        whole, scale = quantise(table, axis=1, limit=FULL_RANGE)
        taken = self.node("Gather", [self.constant(name, whole), indices], f"{name}/int8")
        scales = self.constant(f"{name}/scale", scale[:, None])
        scaled = self.node("Gather", [scales, indices], f"{name}/scales")
        plain = self.node("Cast", [taken], f"{name}/float", to=TensorProto.FLOAT)
        return self.node("Mul", [plain, scaled], f"{name}/rows")

    def product(
        self, name: str, value: str, matrix: NDArray[np.float32], bias: str, limit: int = FULL_RANGE
    ) -> str:
        """Multiply by `matrix`, shaped (in, out), and add the bias."""
        if not self.int8:
            plain = self.node("MatMul", [value, self.constant(f"{name}.w", matrix)], f"{name}/mul")
            return self.node("Add", [plain, bias], f"{name}/out")
        whole, scale = quantise(matrix, axis=0, limit=limit)
        weight, scales = self.constant(f"{name}.w", whole), self.constant(f"{name}.scale", scale)
        inputs = [value, weight, scales, "", bias]
        return self.node("DynamicQuantizeMatMul", inputs, f"{name}/out", CONTRIB)

    def attention(self, name: str, value: str, matrix: NDArray[np.float32], bias: str) -> str:
        """Attend within one text; queries, keys and values lie side by side in `matrix`."""
        if not self.int8:
            weight = self.constant(f"{name}.w", matrix)
            inputs = [value, weight, bias]
            return self.node("Attention", inputs, f"{name}/out", CONTRIB, num_heads=self.heads)
        whole, scale = quantise(matrix, axis=0, limit=FULL_RANGE)
        weight, scales = self.constant(f"{name}.w", whole), self.constant(f"{name}.scale", scale)
        parts = [f"{name}/int8", f"{name}/in_scale", f"{name}/in_zero"]
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [value], parts))
        zero = self.constant(f"{name}.zero", np.zeros(matrix.shape[1], np.int8))
        inputs = [parts[0], weight, bias, parts[1], scales, "", parts[2], zero]
        return self.node("QAttention", inputs, f"{name}/out", CONTRIB, num_heads=self.heads)


def quantise(
    matrix: NDArray[np.float32], *, axis: int, limit: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round to int8, symmetric, one scale for each slice that is left when `axis` is reduced."""
    scale = np.maximum(np.abs(matrix).max(axis=axis), np.finfo(np.float32).tiny) / limit
    whole = np.rint(matrix / np.expand_dims(scale, axis))
    return whole.astype(np.int8), scale.astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A linear head (`classifier.weight`, labels by size, and `classifier.bias`), and the output it
    answers at.
    """

    output: str
    weights: Weights

    @property
    def labels(self) -> int:
        """Count the labels."""
        return len(self.weights["classifier.bias"])


def end_of_layer(number: int) -> str:
    """Name the tensor that a layer gives."""
    return f"layer{number}/output_layer_norm"


def export(checkpoint: Checkpoint, *, int8: bool, head: Head | None = None) -> onnx.ModelProto:
    """Give a graph from `input_ids` (texts by tokens, unpadded) to `states`.

    `states` is texts by states by size: the mean over a text's tokens after the embeddings and
    after each layer. In `int8` every matrix has one scale per output and every row of the
    vocabulary its own; activations are quantised as they come. Otherwise all is fp32. A `head`
    adds an output with a row of logits for each text, and stays in fp32.
    """
    graph = _Graph(int8=int8, heads=checkpoint.heads)
    states = [_embed(graph, checkpoint.weights)]
    for number in range(checkpoint.layers):
        prefix = f"transformer.layer.{number}"
        states.append(_layer(graph, states[-1], checkpoint.weights, prefix, f"layer{number}"))
    _pool(graph, states, checkpoint.positions)
    if head is not None:
        _answer(graph, states[-1], head)
    return _model(graph, len(states), checkpoint.size, head)


def _embed(graph: _Graph, weights: Weights) -> str:
    words = graph.rows("words", weights["embeddings.word_embeddings.weight"], "input_ids")
    table = graph.constant("positions", weights["embeddings.position_embeddings.weight"])
    graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    starts = graph.constant("zero", np.zeros(1, np.int64))
    axes = graph.constant("first", np.zeros(1, np.int64))
    positions = graph.node("Slice", [table, starts, "length", axes], "positions/rows")
    summed = graph.node("Add", [words, positions], "embedded")
    return _norm(graph, summed, weights, "embeddings.LayerNorm", "embeddings/norm")


def _norm(graph: _Graph, value: str, weights: Weights, prefix: str, name: str) -> str:
    scale = graph.constant(f"{name}.w", weights[f"{prefix}.weight"])
    shift = graph.constant(f"{name}.b", weights[f"{prefix}.bias"])
    inputs = [value, scale, shift]
    return graph.node("LayerNormalization", inputs, name, epsilon=LAYER_NORM_EPSILON)


def _layer(graph: _Graph, value: str, weights: Weights, prefix: str, name: str) -> str:
    def matrix(part: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(weights[f"{prefix}.{part}.weight"].T)

    def bias(part: str) -> str:
        return graph.constant(f"{name}.{part}.b", weights[f"{prefix}.{part}.bias"])

    def norm(new: str, old: str, part: str) -> str:
        # Not SkipLayerNormalization: this pair takes a quarter of its time (ADR 0013).
        summed = graph.node("Add", [new, old], f"{name}/{part}/sum")
        return _norm(graph, summed, weights, f"{prefix}.{part}", f"{name}/{part}")

    three = [f"attention.{part}_lin" for part in "qkv"]
    side_by_side = np.concatenate([matrix(part) for part in three], axis=1)
    biases = np.concatenate([weights[f"{prefix}.{part}.bias"] for part in three])
    shared = graph.constant(f"{name}.qkv.b", biases)
    attended = graph.attention(f"{name}.qkv", value, side_by_side, shared)
    out = "attention.out_lin"
    mixed = graph.product(f"{name}.mix", attended, matrix(out), bias(out), HALF_RANGE)
    value = norm(mixed, value, "sa_layer_norm")
    wide = graph.product(f"{name}.wide", value, matrix("ffn.lin1"), bias("ffn.lin1"))
    active = graph.node("Gelu", [wide], f"{name}/gelu", CONTRIB)
    narrow = graph.product(f"{name}.narrow", active, matrix("ffn.lin2"), bias("ffn.lin2"))
    return norm(narrow, value, "output_layer_norm")


def _pool(graph: _Graph, ends: Sequence[str], positions: int) -> None:
    """Take means as products with a row of 1/length: less work than as many reductions."""
    ones = graph.constant("ones", np.ones((1, 1, positions), np.float32))
    third = graph.constant("third", np.full(1, 2, np.int64))
    row = graph.node("Slice", [ones, "zero", "length", third], "ones/row")
    count = graph.node("Cast", ["length"], "length/float", to=TensorProto.FLOAT)
    shares = graph.node("Div", [row, count], "ones/shares")
    means = [graph.node("MatMul", [shares, end], f"{end}/mean") for end in ends]
    graph.node("Concat", means, "states", axis=1)


def _answer(graph: _Graph, end: str, head: Head) -> None:
    """Answer from the mean over the tokens of the last layer."""
    weight = graph.constant("classifier.w", head.weights["classifier.weight"].T)
    bias = graph.constant("classifier.b", head.weights["classifier.bias"])
    axes = graph.constant("token", np.ones(1, np.int64))
    mean = graph.node("Squeeze", [f"{end}/mean", axes], "classifier/mean")
    product = graph.node("MatMul", [mean, weight], "classifier/out")
    graph.node("Add", [product, bias], head.output)


def _model(graph: _Graph, states: int, size: int, head: Head | None) -> onnx.ModelProto:
    outputs = [helper.make_tensor_value_info("states", TensorProto.FLOAT, ["texts", states, size])]
    if head is not None:
        shape: list[str | int | None] = ["texts", head.labels]
        outputs.append(helper.make_tensor_value_info(head.output, TensorProto.FLOAT, shape))
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
        outputs,
        graph.tensors,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8, producer_name="triaged")
