"""Tickets a second: what serves them here beside other runtimes of the same model, in one run.

    python tests/bench/bench_serving.py [--rounds 5] [--tickets 32] [--bundle FOLDER]

Needs the extra `train` and the weights that `triaged models build` downloads. OpenVINO (with nncf)
and CTranslate2 take part where they are installed. Every round asks every runtime about the same
tickets, in turn; a ratio is the median of the rounds' ratios. On one core time is the process's own
(CPU-seconds), so that other work on the machine hardly counts; on both it is that of the clock.
"""

import argparse
import importlib.util
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist, median
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from classifiers.build.tickets import own_tickets
from classifiers.bundle import SHIPPED
from classifiers.commands import WANTED, cache_folder
from classifiers.encoder import Encoder, Tokens, Window

BESIDE = Path(__file__).with_name("runtimes_beside.py")
WINDOW = Window(tokens=256, tail=64)
TYPICAL, SPREAD, LONGEST = 57, 0.89, 600
"""Tokens of a ticket are spread log-normally: a median of 57 and a 95th percentile of about 246."""
LAYERS, SIZE, HIDDEN = 6, 384, 1536
WIDTH, TIMES = 1024, 8
PIPELINE, ALL, FOUR = (
    "transformers pipeline",
    "triaged int8, all outputs",
    "four pipelines, one per output",
)
OURS = "triaged int8, one output"
OTHER = f"{ALL}, --bundle"
SAME = "onnxruntime int8"
"""What we serve with, for its threads inside; no rival."""
SERVED = (OURS, ALL, OTHER)
"""Read on as many threads as there are cores; others run in one process for each core."""
EXACT = "torch fp32"
ONE, WORKERS, INSIDE = "one core", "two workers", "two threads inside"
CLOCK = "one core by the clock"
USES = ((ONE, ONE), (WORKERS, CLOCK), (WORKERS, WORKERS), (WORKERS, INSIDE))
LIMITS = ("limit MatMul", "limit MatMulInteger", "limit DynamicQuantizeMatMul")
FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "amx_bf16")
SAMPLE = 200


def main() -> None:
    """Say what the processor can do, run the rounds and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tickets", type=int, default=32, help="in a round")
    parser.add_argument("--bundle", help="a bundle to measure beside the shipped one")
    options = parser.parse_args()
    if missing := absent():
        print(f"not measured: {missing}")
        return
    texts = tickets(options.rounds, options.tickets)
    processor()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, BESIDE, folder, "--prepare"], check=True, env=env(2))
        saturation(Path(folder))
        run = rounds(Path(folder), texts, options)
    run.print_speed()
    run.print_limits([costs(length) for length in lengths(texts)])


def absent() -> str:
    """Say what is missing to measure anything beside."""
    for name in ("torch", "transformers", "onnx"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed (the extra `train`)"
    if not all((cache_folder() / name).is_file() for name in WANTED):
        return "no weights in the cache (`triaged models build`)"
    return ""


def tickets(rounds: int, count: int) -> list[str]:
    """Join tickets of ours, of one language each, and cut them to lengths as they are met.

    Every round has other texts of the same lengths: OpenVINO compiles for each length anew, and
    the first round, which is not counted, leaves it none to compile.
    """
    dice = random.Random(7)
    by_language: dict[str, list[str]] = {}
    for ticket in own_tickets():
        by_language.setdefault(ticket.language, []).append(ticket.text)
    whole = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    spread = NormalDist(np.log(TYPICAL), SPREAD)
    made = []
    for _ in range(rounds):
        some = []
        for place, language in zip(range(count), itertools.cycle(by_language), strict=False):
            tokens = min(LONGEST, round(np.exp(spread.inv_cdf((place + 0.5) / count))))
            joined = "\n\n".join(dice.sample(by_language[language], 20))
            some.append(joined[: whole.encode(joined).offsets[tokens - 2][1]])
        dice.shuffle(some)
        made += some
    read = lengths(made)
    low, mid, high = np.percentile(read, [5, 50, 95])
    print(
        f"{len(made)} tickets; tokens shown to the model: median {mid:.0f}, 5 % under {low:.0f},"
        f" 95 % under {high:.0f}, mean {np.mean(read):.0f}"
    )
    return made


def lengths(texts: Sequence[str]) -> list[int]:
    """Count the tokens that the model is shown."""
    tokens = Tokens((SHIPPED / "tokenizer.json").read_bytes(), WINDOW)
    return [len(tokens.of(text)) for text in texts]


def costs(tokens: int) -> float:
    """Count the operations of one ticket: two for each product and its sum, in the matrices.

    A token passes four matrices of size by size and two of size by hidden in each layer, and in
    the attention meets every other token twice.
    """
    matrices = 2 * tokens * (4 * SIZE * SIZE + 2 * SIZE * HIDDEN)
    attention = 2 * 2 * tokens * tokens * SIZE
    return float(LAYERS * (matrices + attention))


def processor() -> None:
    """Print what the processor is and can do."""
    told = Path("/proc/cpuinfo").read_text("utf-8")
    name = re.search(r"model name\s*: (.+)", told)
    flags = set(told[told.find("flags") :].split("\n", 1)[0].split())
    able = ", ".join(f"{flag} {'yes' if flag in flags else 'no'}" for flag in FLAGS)
    print(f"{name[1] if name else 'processor unknown'}, {os.cpu_count()} cores: {able}")
    print(f"onnxruntime {onnxruntime.__version__}")


def saturation(folder: Path) -> None:
    """Tell whether sums of products are clipped, and what full and reduced range cost."""
    from classifiers.build import export  # noqa: PLC0415 - heavy: only what is measured is loaded
    from classifiers.build.convert import read_checkpoint  # noqa: PLC0415 - heavy: only what is measured is loaded

    print(f"the largest U8S8 products are added up {'exactly' if adds_up() else 'CLIPPED'}")
    checkpoint, quantise = read_checkpoint(cache_folder()), export.quantise

    def reduced(matrix: Any, *, axis: int, limit: int) -> Any:
        return quantise(matrix, axis=axis, limit=min(limit, export.HALF_RANGE))

    graphs = {name: export.export(checkpoint, int8=name == "served") for name in ("fp32", "served")}
    with patch.object(export, "quantise", reduced):
        graphs["reduced range"] = export.export(checkpoint, int8=True)
    tokenizer = (folder / "tokenizer.json").read_bytes()
    texts = [ticket.text for ticket in own_tickets()[:SAMPLE]]
    ends = {}
    for name, graph in graphs.items():
        model = graph.SerializeToString()
        encoder = Encoder(model=model, tokenizer=tokenizer, window=WINDOW, threads=2)
        states = np.stack([one[-1] for one in encoder.encode(texts) if one is not None])
        ends[name] = states / np.linalg.norm(states, axis=1, keepdims=True)
    for name in ("served", "reduced range"):
        cosines = (ends[name] * ends["fp32"]).sum(axis=1)
        print(f"{name}: cosine to fp32 {cosines.mean():.4f}, least {cosines.min():.4f}")


def adds_up() -> bool:
    """Multiply the largest numbers; a processor without VNNI clips the sum of two neighbours."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - heavy: only what is measured is loaded

    depth = 64
    ends = [
        helper.make_tensor_value_info("x", TensorProto.UINT8, [16, depth]),
        helper.make_tensor_value_info("y", TensorProto.INT32, [16, 16]),
    ]
    weight = numpy_helper.from_array(np.full((depth, 16), 127, np.int8), "w")
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "largest", ends[:1], ends[1:], [weight])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"x": np.full((16, depth), 255, np.uint8)})
    return bool((given == 255 * 127 * depth).all())


def env(threads: int) -> dict[str, str]:
    """Give an environment in which nothing takes more threads than it is told to."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}


class Process:
    """A process with every runtime loaded, on cores of its own."""

    def __init__(self, stack: ExitStack, arguments: Sequence[str], cores: Sequence[int]) -> None:
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, BESIDE, *arguments, "--cores", *map(str, cores)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=env(len(cores)),
            )
        )
        told = self.answer()
        self.runtimes: list[str] = told["runtimes"]
        self.missing: list[str] = told["missing"]
        # Leaving the stack closes its input first, which ends it.

    def ask(self, runtime: str, texts: Sequence[str]) -> None:
        """Begin."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"runtime": runtime, "texts": texts}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the end."""
        assert self._process.stdout
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """One process on each of two cores, and one on both."""

    first: Process
    second: Process
    both: Process

    def times(self, runtime: str, texts: Sequence[str]) -> tuple[dict[str, float], list[int]]:
        """Give seconds by kind of use, and the answers."""
        self.first.ask(runtime, texts)
        alone = self.first.answer()
        self.both.ask(runtime, texts)
        together = self.both.answer()["took"]["wall"]
        took = {ONE: alone["took"]["cpu"], CLOCK: alone["took"]["wall"]}
        if runtime in SERVED:
            return took | {WORKERS: together}, alone["answers"]
        took[INSIDE] = together
        if runtime not in LIMITS:
            order = sorted(texts, key=len)
            self.first.ask(runtime, order[::2])
            self.second.ask(runtime, order[1::2])
            ended = [one.answer()["took"]["wall"] for one in (self.first, self.second)]
            took[WORKERS] = max(ended)
        return took, alone["answers"]


@dataclass(slots=True, kw_only=True)
class Measured:
    """Seconds by runtime and use, one for each round of so many tickets."""

    tickets: int
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    agreed: dict[str, list[float]] = field(default_factory=dict)
    missing: Sequence[str] = ()

    def add(self, answers: Mapping[str, tuple[dict[str, float], list[int]]]) -> None:
        """Keep a round."""
        for runtime, (took, said) in answers.items():
            for use, seconds in took.items():
                self.seconds.setdefault((runtime, use), []).append(seconds)
            right = answers[EXACT][1]
            if len(said) == len(right):
                same = [one == other for one, other in zip(said, right, strict=True)]
                self.agreed.setdefault(runtime, []).extend(same)

    def ratio(self, runtime: str, use: str, base: str, base_use: str) -> float:
        """Give how many times as fast as the base, in the median round."""
        pairs = zip(self.seconds[base, base_use], self.seconds[runtime, use], strict=True)
        return median(slow / quick for slow, quick in pairs)

    def print_speed(self) -> None:
        """Print tickets a second, and times the one-by-one pipeline on one core."""
        print("\n| runtime | one core | two workers | two threads inside | same label |")
        print("|---|---|---|---|---|")
        for runtime in dict.fromkeys(name for name, _ in self.seconds):
            if runtime in LIMITS:
                continue
            cells = [self._cell(runtime, use) for use in (ONE, WORKERS, INSIDE)]
            same = f"{np.mean(self.agreed[runtime]):.1%}" if runtime in self.agreed else ""
            print(f"| {runtime} | {' | '.join(cells)} | {same} |")
        for runtime in self.missing:
            print(f"| {runtime} | not installed | | | |")
        self._print_goals()

    def _cell(self, runtime: str, use: str) -> str:
        if (runtime, use) not in self.seconds:
            return ""
        rate = self.tickets / median(self.seconds[runtime, use])
        base = ONE if use == ONE else CLOCK
        return f"{rate:.0f} ({self.ratio(runtime, use, PIPELINE, base):.1f})"

    def _print_goals(self) -> None:
        rivals = {name for name, _ in self.seconds} - {*SERVED, *LIMITS, FOUR, SAME}
        alone = min(self.ratio(OURS, ONE, rival, ONE) for rival in rivals)
        uses = [(rival, use) for rival in rivals for use in (WORKERS, INSIDE)]
        together = min(self.ratio(OURS, WORKERS, *rival) for rival in uses)
        print("\ntimes as many tickets, one output, as the pipeline:")
        for use, base in USES:
            print(f"  {use} against {base}: {self.ratio(OURS, use, PIPELINE, base):.1f}")
        print(
            f"one output beside the best other runtime: {alone:.0%} on one core,"
            f" {together:.0%} on both"
        )
        for name in (ALL, OTHER):
            if (name, ONE) in self.seconds:
                print(f"times as many tickets, {name}, as four pipelines:")
                for use, base in USES:
                    print(f"  {use} against {base}: {self.ratio(name, use, FOUR, base):.1f}")

    def print_limits(self, operations: Sequence[float]) -> None:
        """Print what large products reach, and how much of it serving does."""
        print(f"\n{np.mean(operations) / 1e9:.2f} GFLOP per ticket in the mean")
        large = TIMES * 2 * WIDTH**3
        reached = [
            sum(operations[place : place + self.tickets])
            for place in range(0, len(operations), self.tickets)
        ]
        for use, served in ((ONE, ONE), (INSIDE, WORKERS)):
            ours = self.seconds[OURS, served]
            rate = median(work / took for work, took in zip(reached, ours, strict=True))
            print(f"{served}: one output does {rate / 1e9:.0f} GOP/s")
            for name in LIMITS:
                limits = [large / took for took in self.seconds[name, use]]
                shares = [
                    work / took / most
                    for work, took, most in zip(reached, ours, limits, strict=True)
                ]
                print(f"  {name}: {median(limits) / 1e9:.0f} GOP/s, share {median(shares):.0%}")


def rounds(folder: Path, texts: Sequence[str], options: argparse.Namespace) -> Measured:
    """Ask everybody about the same tickets, round after round."""
    arguments = [str(folder), *(["--bundle", options.bundle] if options.bundle else [])]
    with ExitStack() as stack:
        every = [Process(stack, arguments, cores) for cores in ((0,), (1,), (0, 1))]
        machines = Machines(first=every[0], second=every[1], both=every[2])
        measured = Measured(tickets=options.tickets, missing=every[0].missing)
        for number in range(-1, options.rounds):
            start = max(0, number) * options.tickets
            some = texts[start : start + options.tickets]
            answers = {name: machines.times(name, some) for name in every[0].runtimes}
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            if number >= 0:  # the first warms up
                measured.add(answers)
    return measured


if __name__ == "__main__":
    main()
