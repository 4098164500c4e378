"""One model in many runtimes, in a process of its own: texts in by the line, seconds out.

`bench_serving.py` starts one such process for each core and one for both. With `--prepare` it
writes the model in every format instead.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from classifiers.build.convert import Checkpoint, read_checkpoint
from classifiers.build.export import Head, export
from classifiers.build.tickets import own_tickets
from classifiers.bundle import SHIPPED
from classifiers.commands import cache_folder
from classifiers.encoder import Encoder, Tokens, Window
from classifiers.engine import load

Run = Callable[[Sequence[str]], list[int]]
"""Texts into the number of the likeliest label of each; nothing where there is none."""

WINDOW = Window(tokens=256, tail=64)
LABELS = 4
OUTPUTS = 4
"""Category, priority, sentiment and the vector: what one pass of ours gives."""
BATCH = 8
WIDTH = 1024
"""Rows and columns of the product that shows the processor's limit."""
TIMES = 8
LEAST_SECONDS = 0.5
"""What is quicker is done again, and its mean is told."""
CALIBRATED_ON = 60
"""Tickets that OpenVINO's quantisation looks at."""
FP32, INT8, OPENVINO, CTRANSLATE = "fp32.onnx", "int8.onnx", "openvino-int8.xml", "ctranslate2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a runtime finds the model, and how many threads it may use."""

    folder: Path
    threads: int
    bundle: str | None

    def tokens(self) -> Callable[[str], list[int]]:
        """Give the tokenizer and window that we serve with."""
        return Tokens((self.folder / "tokenizer.json").read_bytes(), WINDOW).of

    def session(self, name: str | bytes) -> Any:
        """Give an onnxruntime session with its threads inside one text."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        model = str(self.folder / name) if isinstance(name, str) else name
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def classifier(folder: Path) -> Any:
    """Give transformers' own DistilBERT with a head."""
    import transformers  # noqa: PLC0415 - heavy: only what is measured is loaded

    return transformers.DistilBertForSequenceClassification.from_pretrained(folder).eval()


def one_pipeline(place: Place) -> Run:
    """Give what most people would run."""
    import transformers  # noqa: PLC0415 - heavy: only what is measured is loaded

    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(place.folder / "tokenizer.json"),
        model_max_length=WINDOW.tokens,
        pad_token="[PAD]",
    )
    model = classifier(place.folder)
    made = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    return lambda texts: [
        model.config.label2id[made(text, truncation=True)[0]["label"]] for text in texts
    ]


def many_pipelines(place: Place) -> Run:
    """Give one pipeline for each output, each with weights of its own, one after the other."""
    made = [one_pipeline(place) for _ in range(OUTPUTS)]
    return lambda texts: [one([text])[0] for text in texts for one in made]


def plain_torch(place: Place) -> Run:
    """Give the model without the pipeline around it."""
    import torch  # noqa: PLC0415 - heavy: only what is measured is loaded

    model, tokens = classifier(place.folder), place.tokens()

    def run(texts: Sequence[str]) -> list[int]:
        with torch.inference_mode():
            return [int(model(torch.tensor([tokens(one)])).logits.argmax()) for one in texts]

    return run


def plain_onnx(place: Place, name: str) -> Run:
    """Give onnxruntime, one text at a time."""
    session, tokens = place.session(name), place.tokens()
    return lambda texts: [
        int(session.run(["answer"], {"input_ids": np.array([tokens(one)])})[0].argmax())
        for one in texts
    ]


def padded(place: Place, *, by_length: bool) -> Run:
    """Give padded batches. What is padded is not masked: only the time is right."""
    session, tokens = place.session(INT8), place.tokens()

    def run(texts: Sequence[str]) -> list[int]:
        read = [tokens(one) for one in texts]
        if by_length:
            read.sort(key=len)
        for start in range(0, len(read), BATCH):
            some = read[start : start + BATCH]
            fed = np.zeros((len(some), max(map(len, some))), np.int64)
            for row, ids in zip(fed, some, strict=True):
                row[: len(ids)] = ids
            session.run(["answer"], {"input_ids": fed})
        return []

    return run


def served(place: Place) -> Run:
    """Give the encoder that the daemon uses, with as many texts at a time as threads."""
    encoder = Encoder(
        model=(place.folder / INT8).read_bytes(),
        tokenizer=(place.folder / "tokenizer.json").read_bytes(),
        window=WINDOW,
        threads=place.threads,
    )
    return lambda texts: [
        int(one.outputs["answer"].argmax()) for one in encoder.read(texts) if one is not None
    ]


def everything(place: Place, bundle: str | None) -> Run:
    """Give all aspects, vector and language, as the daemon asks for them."""
    predict = load(bundle, place.threads).classifier({}).predict

    def run(texts: Sequence[str]) -> list[int]:
        predict(texts)
        return []

    return run


def openvino(place: Place, *, precision: str, quantised: bool) -> Run:
    """Give OpenVINO on the same weights, converted from torch by its own tool."""
    import openvino as ov  # noqa: PLC0415 - heavy: only what is measured is loaded

    core, tokens = ov.Core(), place.tokens()
    folder = place.folder
    model = core.read_model(folder / OPENVINO) if quantised else openvino_model(folder)
    settings = {
        "INFERENCE_NUM_THREADS": place.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda texts: [
        int(request.infer({0: np.array([tokens(one)])})[0].argmax()) for one in texts
    ]


def openvino_model(folder: Path) -> Any:
    """Convert the torch model."""
    import openvino as ov  # noqa: PLC0415 - heavy: only what is measured is loaded
    import torch  # noqa: PLC0415 - heavy: only what is measured is loaded

    model = classifier(folder)
    return ov.convert_model(model, example_input=torch.ones(1, 16, dtype=torch.int64))


def ctranslate2(place: Place) -> Run:
    """Give CTranslate2's int8 encoder; the head is computed here."""
    import ctranslate2 as ct2  # noqa: PLC0415 - heavy: only what is measured is loaded

    encoder = ct2.Encoder(
        str(place.folder / CTRANSLATE),
        compute_type="int8",
        intra_threads=place.threads,
        inter_threads=1,
    )
    tokens = place.tokens()
    head = np.load(place.folder / "head.npz")

    def one(text: str) -> int:
        states = np.array(encoder.forward_batch([tokens(text)]).last_hidden_state)
        wide = head["pre_classifier.weight"] @ states[0, 0] + head["pre_classifier.bias"]
        rows = head["classifier.weight"] @ np.maximum(wide, 0) + head["classifier.bias"]
        return int(rows.argmax())

    return lambda texts: [one(text) for text in texts]


def limit(place: Place, kind: str) -> Run:
    """Give a large product in onnxruntime itself: `TIMES` of it, whatever the texts."""
    session = place.session(product(kind))
    fed = {"x": operand(kind, np.random.default_rng(1))}

    def run(_: Sequence[str]) -> list[int]:
        for _time in range(TIMES):
            session.run(None, fed)
        return []

    return run


def operand(kind: str, dice: np.random.Generator) -> NDArray[Any]:
    """Give what is multiplied: bytes where the operator takes bytes, else floats."""
    if kind == "MatMulInteger":
        return dice.integers(0, 256, (WIDTH, WIDTH)).astype(np.uint8)
    return dice.normal(size=(WIDTH, WIDTH)).astype(np.float32)


def product(kind: str) -> bytes:
    """Give the graph of one product with a constant matrix."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - heavy: only what is measured is loaded

    floats, plain = np.random.default_rng(2).normal(size=(WIDTH, WIDTH)), kind == "MatMul"
    whole = np.clip(np.rint(floats * 30), -127, 127).astype(np.int8)
    constants = [numpy_helper.from_array(floats.astype(np.float32) if plain else whole, "w")]
    inputs, domain = ["x", "w"], ""
    given, taken = TensorProto.FLOAT, TensorProto.FLOAT
    if kind == "MatMulInteger":
        given, taken = TensorProto.UINT8, TensorProto.INT32
    if kind == "DynamicQuantizeMatMul":
        constants.append(numpy_helper.from_array(np.full(WIDTH, 0.01, np.float32), "scale"))
        inputs, domain = [*inputs, "scale"], "com.microsoft"
    node = helper.make_node(kind, inputs, ["y"], domain=domain)
    ends = [
        helper.make_tensor_value_info(name, form, ["rows", WIDTH])
        for name, form in (("x", given), ("y", taken))
    ]
    graph = helper.make_graph([node], "product", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


RUNTIMES: dict[str, Callable[[Place], Run]] = {
    "transformers pipeline": one_pipeline,
    "torch fp32": plain_torch,
    "onnxruntime fp32": lambda place: plain_onnx(place, FP32),
    "onnxruntime int8": lambda place: plain_onnx(place, INT8),
    "triaged int8, one output": served,
    "OpenVINO fp32": lambda place: openvino(place, precision="f32", quantised=False),
    "OpenVINO bf16": lambda place: openvino(place, precision="bf16", quantised=False),
    "OpenVINO int8": lambda place: openvino(place, precision="bf16", quantised=True),
    "CTranslate2 int8": ctranslate2,
    "padded batches of 8, as they come": lambda place: padded(place, by_length=False),
    "padded batches of 8, by length": lambda place: padded(place, by_length=True),
    "four pipelines, one per output": many_pipelines,
    "triaged int8, all outputs": lambda place: everything(place, None),
    "triaged int8, all outputs, --bundle": lambda place: everything(place, place.bundle),
    "limit MatMul": lambda place: limit(place, "MatMul"),
    "limit MatMulInteger": lambda place: limit(place, "MatMulInteger"),
    "limit DynamicQuantizeMatMul": lambda place: limit(place, "DynamicQuantizeMatMul"),
}


def prepare(folder: Path) -> None:
    """Write one model with a head of chance in every format that can be written here."""
    import torch  # noqa: PLC0415 - heavy: only what is measured is loaded
    import transformers  # noqa: PLC0415 - heavy: only what is measured is loaded

    from classifiers.build import exact  # noqa: PLC0415 - heavy: only what is measured is loaded

    checkpoint = read_checkpoint(cache_folder())
    torch.manual_seed(1)
    body = exact.distilbert(checkpoint)
    body.config.num_labels = LABELS
    model = transformers.DistilBertForSequenceClassification(body.config).eval()
    model.distilbert = body
    model.save_pretrained(folder)
    shutil.copy(SHIPPED / "tokenizer.json", folder)
    told = {name: value.numpy() for name, value in model.state_dict().items()}
    head = {name: value for name, value in told.items() if "classifier" in name}
    np.savez(folder / "head.npz", allow_pickle=False, **head)
    write_graphs(folder, checkpoint, Head(output="answer", weights=head))
    for write in (write_openvino, write_ctranslate2):
        try:
            write(folder)
        except ImportError as error:
            print(f"{write.__name__}: {error.name} is not installed", file=sys.stderr)


def write_graphs(folder: Path, checkpoint: Checkpoint, head: Head) -> None:
    """Write our own export in both precisions."""
    for name, small in ((FP32, False), (INT8, True)):
        (folder / name).write_bytes(export(checkpoint, int8=small, head=head).SerializeToString())


def write_openvino(folder: Path) -> None:
    """Quantise as OpenVINO does for transformers: activations too, on some tickets."""
    import nncf  # noqa: PLC0415 - heavy: only what is measured is loaded
    import openvino as ov  # noqa: PLC0415 - heavy: only what is measured is loaded

    tokens = Tokens((folder / "tokenizer.json").read_bytes(), WINDOW)
    shown = [np.array([tokens.of(one.text)]) for one in own_tickets()[:CALIBRATED_ON]]
    kind = nncf.ModelType.TRANSFORMER
    made = nncf.quantize(openvino_model(folder), nncf.Dataset(shown), model_type=kind)
    ov.save_model(made, folder / OPENVINO)


def write_ctranslate2(folder: Path) -> None:
    """Quantise as CTranslate2 does; its converter knows the bare encoder."""
    import ctranslate2 as ct2  # noqa: PLC0415 - heavy: only what is measured is loaded

    bare = folder / "bare"
    classifier(folder).distilbert.save_pretrained(bare)
    shutil.copy(folder / "tokenizer.json", bare)
    naming = {"tokenizer_class": "DistilBertTokenizerFast", "unk_token": "[UNK]"}
    (bare / "tokenizer_config.json").write_text(json.dumps(naming), "utf-8")
    converter = ct2.converters.TransformersConverter(str(bare))
    converter.convert(str(folder / CTRANSLATE), quantization="int8")


def loaded(place: Place) -> tuple[dict[str, Run], list[str]]:
    """Load every runtime that is installed, and name those that are not."""
    runs, missing = {}, []
    for name, make in RUNTIMES.items():
        if name.endswith("--bundle") and not place.bundle:
            continue
        try:
            runs[name] = make(place)
        except ImportError:
            missing.append(name)
        except RuntimeError as error:  # OpenVINO's and CTranslate2's own way to refuse
            print(f"{name}: {error}", file=sys.stderr)
            missing.append(name)
    return runs, missing


def asked() -> Iterator[tuple[str, list[str]]]:
    """Yield the orders that come in, one a line."""
    for line in sys.stdin:
        order = json.loads(line)
        yield order["runtime"], order["texts"]


def main() -> None:
    """Prepare, or serve orders until there are no more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--cores", type=int, nargs="+", default=[0])
    parser.add_argument("--bundle")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.folder)
        return
    # Before anything makes a thread: threads inherit it.
    os.sched_setaffinity(0, options.cores)
    threads = len(options.cores)
    runs, missing = loaded(Place(folder=options.folder, threads=threads, bundle=options.bundle))
    print(json.dumps({"runtimes": list(runs), "missing": missing}), flush=True)
    for name, texts in asked():
        answers, count = [], 0
        begun, busy = time.perf_counter(), time.process_time()
        while count == 0 or time.perf_counter() - begun < LEAST_SECONDS:
            answers, count = runs[name](texts), count + 1
        took = {
            "wall": (time.perf_counter() - begun) / count,
            "cpu": (time.process_time() - busy) / count,
        }
        print(json.dumps({"took": took, "answers": answers}), flush=True)


if __name__ == "__main__":
    main()
