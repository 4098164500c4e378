import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnx")

import onnxruntime  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402

from classifiers.build import exact  # noqa: E402
from classifiers.build.convert import read_checkpoint  # noqa: E402
from classifiers.build.export import export, quantise  # noqa: E402
from classifiers.commands import WANTED, cache_folder  # noqa: E402
from connector.errors import BadBundle  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 90,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}
TOKENS = [[2, 7, 11, 80, 3], [2, 3], [2, *range(10, 31), 3]]


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    transformers.BertModel(transformers.BertConfig(**SIZES)).save_pretrained(tmp_path)
    return tmp_path


def rename(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def pooled(model: bytes, tokens: list[int]) -> Any:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"input_ids": np.array([tokens])})[0][0]


def test_a_bert_becomes_a_distilbert_exactly(bert: Path) -> None:
    assert exact.difference(bert, read_checkpoint(bert), TOKENS) < exact.LARGEST_DIFFERENCE


def test_a_distilbert_is_taken_as_it_is(tmp_path: Path) -> None:
    torch.manual_seed(2)
    config = transformers.DistilBertConfig(
        vocab_size=90, dim=16, n_layers=1, n_heads=4, hidden_dim=32, max_position_embeddings=24
    )
    transformers.DistilBertForMaskedLM(config).save_pretrained(tmp_path)
    assert exact.difference(tmp_path, read_checkpoint(tmp_path), TOKENS) == 0


def test_the_graph_gives_the_states_of_every_layer(bert: Path) -> None:
    checkpoint = read_checkpoint(bert)
    model = exact.distilbert(checkpoint)
    graph = export(checkpoint, int8=False).SerializeToString()
    for tokens in TOKENS:
        with torch.inference_mode():
            told = model(input_ids=torch.tensor([tokens]), output_hidden_states=True)
        expected = np.stack([state.mean(1)[0].numpy() for state in told.hidden_states])
        assert np.abs(pooled(graph, tokens) - expected).max() < exact.LARGEST_DIFFERENCE


def test_int8_stays_close(bert: Path) -> None:
    checkpoint = read_checkpoint(bert)
    plain = export(checkpoint, int8=False).SerializeToString()
    small = export(checkpoint, int8=True).SerializeToString()
    assert len(small) < len(plain)
    for tokens in TOKENS:
        one, other = pooled(plain, tokens), pooled(small, tokens)
        cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        assert cosine.min() > 0.98


def test_quantising_is_symmetric_and_loses_at_most_half_a_step() -> None:
    matrix = np.random.default_rng(3).normal(size=(8, 5)).astype(np.float32)
    whole, scale = quantise(matrix, axis=0, limit=127)
    assert abs(whole.astype(int)).max() == 127
    assert (np.abs(whole * scale - matrix) <= scale / 2 + 1e-6).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda it: it.pop("encoder.layer.1.output.dense.bias"), "missing transformer.layer.1"),
        (lambda it: it.update(extra=np.zeros(1, np.float32)), "left over extra"),
        (
            lambda it: it.update({"encoder.layer.9.output.dense.bias": np.zeros(16, np.float32)}),
            "left over transformer.layer.9.ffn.lin2.bias",
        ),
        (
            lambda it: it.update({"embeddings.LayerNorm.bias": np.zeros(3, np.float32)}),
            "has shape",
        ),
        (lambda it: it.pop("embeddings.token_type_embeddings.weight"), "token_type"),
        (
            lambda it: [it.update({f"wrong.{name}": it.pop(name)}) for name in list(it)],
            "is missing",
        ),
    ],
)
def test_a_weight_that_is_missed_or_left_over_is_named(
    bert: Path, change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    rename(bert, change)
    with pytest.raises(BadBundle, match=complaint):
        read_checkpoint(bert)


def test_a_prefix_from_training_is_understood(bert: Path) -> None:
    before = read_checkpoint(bert)
    rename(bert, lambda it: [it.update({f"bert.{name}": it.pop(name)}) for name in list(it)])
    after = read_checkpoint(bert)
    for name, value in before.weights.items():
        np.testing.assert_array_equal(value, after.weights[name])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("model_type", "roberta"),
        ("hidden_act", "relu"),
        ("position_embedding_type", "relative_key"),
        ("layer_norm_eps", 1e-5),
    ],
)
def test_another_architecture_is_refused(bert: Path, setting: str, value: object) -> None:
    path = bert / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {setting: value}))
    with pytest.raises(BadBundle, match=str(value)):
        read_checkpoint(bert)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_named(bert: Path, name: str) -> None:
    (bert / name).write_bytes(b"\x00")
    with pytest.raises(BadBundle, match=name):
        read_checkpoint(bert)


def test_the_shipped_weights_convert_exactly() -> None:
    folder = cache_folder()
    if not all((folder / name).is_file() for name in WANTED):
        pytest.skip("the weights are not in the cache: `triaged models build` fetches them")
    tokens = [[101, *range(2000, 2000 + count), 102] for count in (1, 20, 200)]
    assert exact.difference(folder, read_checkpoint(folder), tokens) < exact.LARGEST_DIFFERENCE
