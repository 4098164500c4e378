"""The fine-tuned rung: a checkpoint of the DistilBERT family, fitted and served in int8."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from classifiers.build.convert import Checkpoint, read_checkpoint
from classifiers.build.export import Head, export
from classifiers.build.splice import splice
from classifiers.commands import cache_folder, fetch_weights
from classifiers.encoder import Encoder, Tokens, Window
from classifiers.training.choose import Question, Tried, challenge, simplest
from classifiers.training.kept import Kept, Numbers
from classifiers.training.rungs import Learnt, Lesson, Rung, TunedEncoder
from classifiers.training.split import FOLDS
from classifiers.training.tune import Recipe, Rows, Watch, fit
from connector.errors import BadBundle

SHIPPED = "shipped"
"""The name of the checkpoint that the shipped encoder was made from."""

VALIDATION = 0.1
"""The share of the rows to learn from that tells when to end."""

ALL_AGAIN = 1.4
"""How much longer an epoch on all rows takes than one on those outside fold and validation."""

RECIPE = Recipe()

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A checkpoint to begin from, with its tokenizer and how texts are cut for it."""

    name: str
    checkpoint: Checkpoint
    tokenizer: bytes
    window: Window
    trunk: bytes = b""
    """The shipped encoder's graph, where it has the same layers: what is fitted is put on it."""


def read_base(name: str, window: Window, trunk: bytes = b"") -> Base:
    """Read a base by name: `shipped`, a local folder, or a model on the Hugging Face hub.

    `trunk` is the shipped encoder's graph; it is of use to `shipped` alone. Raises `BadBundle` for
    one that cannot be fetched, read, or is of another family.
    """
    folder = fetch_weights(cache_folder()) if name == SHIPPED else Path(name)
    if not folder.is_dir():
        folder = _from_hub(name)
    try:
        tokenizer = (folder / "tokenizer.json").read_bytes()
    except OSError as error:
        raise BadBundle(f"{folder}/tokenizer.json cannot be read: {error.strerror}") from error
    checkpoint = read_checkpoint(folder)
    tokens = min(window.tokens, checkpoint.positions)
    fitting = Window(tokens=tokens, tail=min(window.tail, tokens // 2))
    return Base(
        name=name,
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        window=fitting,
        trunk=trunk if name == SHIPPED else b"",
    )


def _from_hub(name: str) -> Path:
    # Here and not above: it is needed for no base that lies on this machine.
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - see above
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415 - see above

    wanted = ["config.json", "model.safetensors", "tokenizer.json"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (OSError, HFValidationError, HfHubHTTPError) as error:
        raise BadBundle(
            f"{name} is no folder, and could not be fetched from the hub"
            f" ({type(error).__name__}); download it elsewhere and name its folder"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedLearnt:
    """A fitted encoder, answered by the very code that serves it, in int8."""

    encoder: TunedEncoder
    window: Window
    epochs: int
    trunk: bytes = b""

    @property
    def served(self) -> bytes:
        """Give the graph that answers when it serves."""
        if not self.encoder.shared:
            return self.encoder.model
        own = self.encoder
        return splice(self.trunk, own.model, shared=own.shared, output=own.output)

    def logits(self, lesson: Lesson) -> Numbers:
        """Score each text; one that holds nothing to read has no opinion."""
        served = Encoder(
            model=self.served,
            tokenizer=self.encoder.tokenizer,
            window=self.window,
            threads=len(os.sched_getaffinity(0)),
        )
        read = served.read(lesson.texts)
        shape = next(one.outputs[self.encoder.output].shape for one in read if one is not None)
        nothing = np.zeros(shape, np.float32)
        return np.stack(
            [nothing if one is None else one.outputs[self.encoder.output] for one in read]
        )

    @property
    def arrays(self) -> Mapping[str, Numbers]:
        """Give none: all is in the graph."""
        return {}

    @property
    def vocabulary(self) -> None:
        """Give none: the tokenizer comes with the encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedRung:
    """The upper layers fitted, and served on the shipped encoder's lower ones if it is theirs."""

    base: Base
    output: str
    """The name of the graph's output with the logits."""
    late: Callable[[float, int], bool]
    say: Say
    recipe: Recipe
    epochs: int | None = None
    """How many epochs were best on a part of the rows; then all rows are learnt from."""
    name: str = "distilbert"
    needs_states: bool = False

    def learn(self, lesson: Lesson, gold: NDArray[np.intp], labels: int, seed: int) -> TunedLearnt:
        """Fit, and write the graph in int8."""
        tokens = Tokens(self.base.tokenizer, self.base.window)
        rows = Rows(tokens=[tokens.of(text) for text in lesson.texts], gold=gold)
        learnt, kept_back = (rows, None) if self.epochs else _parted(rows, seed)
        recipe = replace(self.recipe, seed=seed, epochs=self.epochs or self.recipe.epochs)
        watch = Watch(validation=kept_back, late=self.late, say=self.say)
        tuned = fit(self.base.checkpoint, learnt, labels, recipe, watch)
        graph = export(
            tuned.checkpoint, int8=True, head=Head(output=self.output, weights=tuned.head)
        ).SerializeToString()
        return self.made(graph, tuned.epochs)

    def made(self, graph: bytes, epochs: int) -> TunedLearnt:
        """Give what was learnt earlier, from its graph."""
        size = self.base.checkpoint.size
        encoder = TunedEncoder(
            model=graph,
            tokenizer=self.base.tokenizer,
            output=self.output,
            tokens=self.base.window.tokens,
            tail=self.base.window.tail,
            size=size,
            states=self.base.checkpoint.layers + 1,
            shared=max(0, self.base.checkpoint.layers - self.recipe.layers) * bool(self.base.trunk),
        )
        return TunedLearnt(
            encoder=encoder, window=self.base.window, epochs=epochs, trunk=self.base.trunk
        )


def _parted(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    count = len(rows.gold)
    order = np.random.default_rng(seed).permutation(count)
    cut = max(1, round(count * VALIDATION))

    def some(places: NDArray[np.intp]) -> Rows:
        return Rows(tokens=[rows.tokens[place] for place in places], gold=rows.gold[places])

    return some(np.sort(order[cut:])), some(np.sort(order[:cut]))


def epochs_left(done: int) -> float:
    """Give what one epoch more costs, with the learning from all rows, in epochs of now."""
    return 1 + ALL_AGAIN * (done + 1)


def try_tuned(
    question: Question,
    tried: Sequence[Tried],
    rung: TunedRung,
    kept: Kept,
    late: Callable[[float], bool],
) -> tuple[Question, Sequence[Tried], Tried, Rung]:
    """Fit outside the first fold and compare on it; where that wins, go on with the other folds.

    The first fold tells how many epochs are best. Another one is begun unless it, and the learning
    from all rows, would be `late`, which hears seconds. Gives the question about the rows that were
    answered, all candidates, the choice, and the rung that is to learn from all rows.
    """
    answers = np.zeros((len(question.gold), len(question.labels)), np.float32)

    def held_out(fold: int, rung: TunedRung) -> tuple[int, float]:
        told = kept.get(
            f"{question.name} {rung.base.name} {rung.recipe} {rung.epochs} fold {fold}",
            lambda: _held_out(question, rung, fold),
        )
        answers[question.folds == fold] = told[:-1]
        return int(told[-1, 0]), float(told[-1, 1])

    epochs, seconds = held_out(0, rung)
    final = replace(rung, epochs=epochs, late=lambda _seconds, _done: False)
    done = [0]
    asked, candidates = challenge(question, tried, final, (answers, done))
    choice = simplest(candidates)
    while final in choice.rungs and len(done) < FOLDS and not late(seconds * (1 + ALL_AGAIN)):
        rung.say(f"fold {len(done) + 1} of {FOLDS}, about {seconds:.0f} s each")
        held_out(len(done), final)
        done.append(len(done))
        asked, candidates = challenge(question, tried, final, (answers, done))
        choice = simplest(candidates)
    return asked, candidates, choice, final


def _held_out(question: Question, rung: TunedRung, fold: int) -> Numbers:
    """Answer a fold; one line more holds the epochs and seconds, which a restart asks for too."""
    held, outside = (
        np.flatnonzero((question.folds == fold) == is_held) for is_held in (True, False)
    )
    began = monotonic()
    learnt = rung.learn(
        question.lesson.pick(outside), question.gold[outside], len(question.labels), question.seed
    )
    answers = learnt.logits(question.lesson.pick(held))
    told = np.zeros((1, answers.shape[1]), np.float32)
    told[0, :2] = learnt.epochs, monotonic() - began
    return np.vstack([answers, told])


def learn_again(rung: TunedRung, question: Question, kept: Kept) -> Learnt:
    """Learn from all rows, or find what an earlier process had learnt before it was killed."""

    def work() -> NDArray[np.uint8]:
        learnt = rung.learn(question.lesson, question.gold, len(question.labels), question.seed)
        return np.frombuffer(learnt.encoder.model, np.uint8)

    graph = kept.get(f"{question.name} {rung.base.name} {rung.recipe} {rung.epochs}", work)
    return rung.made(graph.tobytes(), rung.epochs or 0)
