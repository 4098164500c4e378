"""Texts into pooled states: one pass of an int8 DistilBERT gives what every head needs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoModel,
    NotImplemented,  # noqa: A004 - onnxruntime's own name for an operator that it lacks
    RuntimeException,
)
from tokenizers import Tokenizer

from classifiers.heads import Pass
from connector.errors import BadBundle

T = TypeVar("T")

States = NDArray[np.float32]
"""A text's pooled states: states by size, each the mean over the text's tokens."""

MARKS = 2
"""Tokens that the tokenizer adds to every text: one at the start, one at the end."""
UNKNOWN = "[UNK]"
"""What the tokenizer makes of what it has no piece for."""
LONGEST_TOKEN = 32
"""Characters kept for each token of the window; words are about five, paths and hashes longer."""

_REFUSALS = (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoModel,
    NotImplemented,
    RuntimeException,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How much of a text is read: `tokens` in all, `tail` of them from its end.

    A ticket states its matter first and its wish and mood last; what is long lies between them
    (logs, quoted mail), so the middle is what can be left out.
    """

    tokens: int
    tail: int

    @property
    def head(self) -> int:
        """Count the tokens taken from the start."""
        return self.tokens - MARKS - self.tail

    def trim(self, text: str) -> str:
        """Cut the middle out of a text that cannot fit whatever its words are.

        It keeps the work on a text of a megabyte at that of a text of a few pages.
        """
        first, last = self.head * LONGEST_TOKEN, self.tail * LONGEST_TOKEN
        if len(text) <= first + last:
            return text
        return f"{text[:first]} {text[len(text) - last :]}"

    def cut(self, ids: Sequence[int]) -> list[int]:
        """Keep the marks, the head and the tail of a tokenized text."""
        if len(ids) <= self.tokens:
            return list(ids)
        return [*ids[: self.head + 1], *ids[len(ids) - self.tail - 1 :]]


class Tokens:
    """Texts into the token ids that a model is shown; raises `BadBundle` for no tokenizer."""

    def __init__(self, tokenizer: bytes, window: Window) -> None:
        self._tokenizer = _tokenizer(tokenizer)
        self._window = window
        self._unknown = {self._tokenizer.token_to_id(UNKNOWN)}

    def of(self, text: str) -> list[int]:
        """Give the ids of a text, marks included, cut to the window."""
        # Lone surrogates are no Unicode text and cannot be handed over: they become "?".
        whole = self._window.trim(text).encode("utf-8", "replace").decode("utf-8")
        return self._window.cut(self._tokenizer.encode(whole).ids)

    def say_nothing(self, ids: Sequence[int]) -> bool:
        """Tell whether the tokenizer knows no piece of what was read."""
        return set(ids[1:-1]) <= self._unknown


class Encoder:
    """Reads texts, each unpadded and on one thread, as many at a time as there are threads.

    Padding a batch to its longest text halves the throughput on processors, and threads inside
    one text scale worse than texts side by side. May be called from several threads at once; the
    number of texts under way stays at `threads`. Raises `BadBundle` for a model or a tokenizer
    that cannot be used.
    """

    def __init__(self, *, model: bytes, tokenizer: bytes, window: Window, threads: int) -> None:
        self._tokens = Tokens(tokenizer, window)
        self._session = _session(model)
        self._outputs = tuple(str(output.name) for output in self._session.get_outputs())
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="encoder")

    def encode(self, texts: Sequence[str]) -> list[States | None]:
        """Give each text's states in order; `None` where there is nothing to read.

        That is: no letter at all, or nothing that the tokenizer knows a piece of.
        """
        return [None if one is None else one.states for one in self.read(texts)]

    def read(self, texts: Sequence[str]) -> list[Pass | None]:
        """Give each text's states and further outputs; `None` where there is nothing to read."""
        return self.each(self.one, texts)

    def each(self, work: Callable[[str], T], texts: Sequence[str]) -> list[T]:
        """Do `work` for each text, on as many threads as there are; results are in order.

        The longest text goes first: begun last, it would keep one thread busy while others idle.
        """
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        done = self._workers.map(work, [texts[place] for place in order])
        given = dict(zip(order, done, strict=True))
        return [given[place] for place in range(len(texts))]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Name the graph's outputs; the first are the states."""
        return self._outputs

    def tokens(self, text: str) -> list[int]:
        """Give the token ids that the model is shown."""
        return self._tokens.of(text)

    def one(self, text: str) -> Pass | None:
        """Read a text on the calling thread; `None` where there is nothing to read."""
        ids = self.tokens(text)
        if not any(map(str.isalpha, text)) or self._tokens.say_nothing(ids):
            return None
        fed = {"input_ids": np.array([ids], dtype=np.int64)}
        states, *others = (given[0] for given in self._session.run(None, fed))
        return Pass(states=states, outputs=dict(zip(self._outputs[1:], others, strict=True)))


def _tokenizer(content: bytes) -> Any:
    try:
        made = Tokenizer.from_buffer(content)
    except ValueError as error:
        raise BadBundle(f"the tokenizer cannot be read: {error}") from error
    made.no_padding()
    made.no_truncation()
    return made


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # Set explicitly: asking the system for the processors is refused under a seccomp filter.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The graph is written as it is to run (ADR 0013); fusing more has made it slower.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Every text has another length: a plan of the memory for each would only keep more of it.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _REFUSALS as error:
        raise BadBundle(f"onnxruntime refuses the model: {error}") from error
