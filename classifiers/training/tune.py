"""All of a DistilBERT's weights fitted to a history's labels, by transformers' own model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from classifiers.build.convert import Checkpoint, Weights
from classifiers.training.kept import Numbers

Tokens = Sequence[Sequence[int]]
Gold = NDArray[np.intp]

BUCKET = 32
"""Batches whose texts are sorted by length together: little padding, and still another order each
time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How it is learnt; rates are per step, of the head and of the topmost layer."""

    epochs: int = 8
    batch: int = 32
    head_rate: float = 1e-3
    top_rate: float = 3e-4
    layer_decay: float = 0.85
    """How much a layer moves, as a share of the one above it (Howard and Ruder, 2018)."""
    weight_decay: float = 0.01
    warm_up: float = 0.1
    patience: int = 2
    """Epochs without a better validation after which it ends."""
    dropout: float = 0.1
    seed: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Texts as token ids, and the numbers of their labels."""

    tokens: Tokens
    gold: Gold


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The best weights that were seen, encoder and head, and after how many epochs."""

    checkpoint: Checkpoint
    head: Weights
    epochs: int
    loss: float
    """Mean log-loss on the validation rows; 0 without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What tells when to end, and whom to tell of progress.

    `late` hears how many seconds an epoch took and how many are done.
    """

    validation: Rows | None
    late: Callable[[float, int], bool]
    say: Callable[[str], None]


def device() -> torch.device:
    """Take a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(base: Checkpoint, rows: Rows, labels: int, recipe: Recipe, watch: Watch) -> Tuned:
    """Fit, and give the weights of the best epoch by validation, or of the last without one.

    Ends early when the validation stops improving, or when the next epoch would be `late`; the
    first epoch always ends.
    """
    torch.manual_seed(recipe.seed)
    model = _model(base, labels, recipe.dropout)
    steps = recipe.epochs * -(-len(rows.gold) // recipe.batch)
    optimizer = torch.optim.AdamW(_groups(model, recipe), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _slope(steps, recipe.warm_up))
    weights = torch.tensor(class_weights(rows.gold, labels), device=model.device)
    loss_of = torch.nn.CrossEntropyLoss(weight=weights)
    draw = np.random.default_rng(recipe.seed)
    best: Tuned | None = None
    for epoch in range(1, recipe.epochs + 1):
        began = monotonic()
        model.train()
        for places in batches(rows.tokens, recipe.batch, draw):
            _step(model, rows, places, loss_of)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        loss = _loss(model, watch.validation) if watch.validation is not None else 0.0
        watch.say(f"epoch {epoch} of at most {recipe.epochs}: log-loss {loss:.4f}")
        if best is None or watch.validation is None or loss < best.loss:
            best = _taken(model, base, epoch, loss)
        if epoch - best.epochs >= recipe.patience or watch.late(monotonic() - began, epoch):
            break
    assert best is not None  # noqa: S101 - the first epoch is always the best so far
    return best


def class_weights(gold: Gold, labels: int) -> Numbers:
    """Weigh each class by the square root of how rare it is, 1 in the mean over rows.

    The full inverse would let a class of ten tickets shout down one of a thousand.
    """
    counts = np.bincount(gold, minlength=labels).astype(np.float64)
    raw = np.where(counts > 0, 1 / np.sqrt(np.maximum(counts, 1)), 0.0)
    told: Numbers = (raw * counts.sum() / (raw * counts).sum()).astype(np.float32)
    return told


def batches(tokens: Tokens, size: int, draw: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Give the rows in batches of about the same length, in another order each time."""
    order = draw.permutation(len(tokens))
    lengths = np.array([len(one) for one in tokens])
    cut: list[NDArray[np.intp]] = []
    for begin in range(0, len(order), size * BUCKET):
        some = order[begin : begin + size * BUCKET]
        some = some[np.argsort(lengths[some], kind="stable")]
        cut += [some[at : at + size] for at in range(0, len(some), size)]
    for place in draw.permutation(len(cut)):
        yield cut[place]


def _model(base: Checkpoint, labels: int, dropout: float) -> DistilBertForSequenceClassification:
    drops: dict[str, Any] = dict.fromkeys(
        ("dropout", "attention_dropout", "seq_classif_dropout"), dropout
    )
    config = DistilBertConfig(**base.config, **drops)
    config.num_labels = labels
    model: Any = DistilBertForSequenceClassification(config)
    known = {f"distilbert.{name}": torch.from_numpy(one) for name, one in base.weights.items()}
    model.load_state_dict(known, strict=False)
    placed: DistilBertForSequenceClassification = model.to(device())
    return placed


def _groups(model: DistilBertForSequenceClassification, recipe: Recipe) -> list[dict[str, object]]:
    """Let every layer move less than the one above it, and the head most."""
    layers = model.config.n_layers
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, one in model.named_parameters():
        if name.startswith("distilbert.embeddings"):
            rate = recipe.top_rate * recipe.layer_decay**layers
        elif name.startswith("distilbert.transformer.layer."):
            above = layers - 1 - int(name.split(".")[3])
            rate = recipe.top_rate * recipe.layer_decay**above
        else:
            rate = recipe.head_rate
        groups.setdefault(rate, []).append(one)
    return [{"params": ones, "lr": rate} for rate, ones in groups.items()]


def _slope(steps: int, warm_up: float) -> Callable[[int], float]:
    rise = max(1, round(steps * warm_up))

    def share(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return max(0.0, (steps - step) / max(1, steps - rise))

    return share


def _step(
    model: DistilBertForSequenceClassification,
    rows: Rows,
    places: NDArray[np.intp],
    loss_of: torch.nn.CrossEntropyLoss,
) -> None:
    gold = torch.from_numpy(rows.gold[places].astype(np.int64)).to(model.device)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
        logits = _logits(model, [rows.tokens[place] for place in places])
    loss_of(logits.float(), gold).backward()


def _logits(model: DistilBertForSequenceClassification, tokens: Tokens) -> torch.Tensor:
    longest = max(len(one) for one in tokens)
    ids = torch.zeros(len(tokens), longest, dtype=torch.long)
    mask = torch.zeros(len(tokens), longest, dtype=torch.long)
    for line, one in enumerate(tokens):
        ids[line, : len(one)] = torch.tensor(one)
        mask[line, : len(one)] = 1
    told: torch.Tensor = model(
        input_ids=ids.to(model.device), attention_mask=mask.to(model.device)
    ).logits
    return told


@torch.no_grad()
def _loss(model: DistilBertForSequenceClassification, rows: Rows) -> float:
    """Give the mean log-loss, every row alike."""
    model.train(mode=False)
    total = 0.0
    order = np.argsort([len(one) for one in rows.tokens], kind="stable")
    for begin in range(0, len(order), 64):
        places = order[begin : begin + 64]
        logits = _logits(model, [rows.tokens[place] for place in places]).float()
        gold = torch.from_numpy(rows.gold[places].astype(np.int64)).to(model.device)
        total += float(torch.nn.functional.cross_entropy(logits, gold, reduction="sum"))
    return total / len(order)


def _taken(
    model: DistilBertForSequenceClassification, base: Checkpoint, epochs: int, loss: float
) -> Tuned:
    state = {name: one.detach().cpu().numpy().copy() for name, one in model.state_dict().items()}
    encoder = {
        name.removeprefix("distilbert."): one
        for name, one in state.items()
        if name.startswith("distilbert.")
    }
    head = {name: one for name, one in state.items() if not name.startswith("distilbert.")}
    return Tuned(
        checkpoint=replace(base, weights={name: encoder[name] for name in base.weights}),
        head=head,
        epochs=epochs,
        loss=loss,
    )
