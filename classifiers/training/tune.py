"""A DistilBERT's upper layers fitted to a history's labels, over lower ones that never change."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DistilBertConfig, DistilBertModel

from classifiers.build.convert import Checkpoint, Weights
from classifiers.build.train import temperature_for
from classifiers.heads import softmax
from classifiers.training.calibrate import log_loss
from classifiers.training.kept import Numbers
from classifiers.training.rungs import HeadsRung, Lesson

Tokens = Sequence[Sequence[int]]
Gold = NDArray[np.intp]

BUCKET = 32
"""Batches whose texts are sorted by length together: little padding, and still another order each
time."""
ASKED = 64
"""Texts to a batch where nothing is learnt."""
KEPT = 1_500_000_000
"""Bytes that the outputs of the layers below may take; beyond, they are computed each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How it is learnt; rates are per step, of the head and of the topmost layer."""

    epochs: int = 6
    layers: int = 2
    """How many layers are fitted, from the top; as many as there are: the embeddings too."""
    batch: int = 32
    head_rate: float = 3e-4
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
    """`classifier.weight` (labels by size) and `classifier.bias`, over the last layer's mean."""
    epochs: int
    loss: float
    """Mean log-loss on the validation rows at their best temperature; 0 without any."""


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


class Classifier(torch.nn.Module):
    """A DistilBERT whose lower layers never change, and a linear head over its tokens' mean."""

    def __init__(self, base: Checkpoint, labels: int, recipe: Recipe) -> None:
        super().__init__()
        drops: dict[str, Any] = dict.fromkeys(("dropout", "attention_dropout"), recipe.dropout)
        model: Any = DistilBertModel(DistilBertConfig(**base.config, **drops))
        model.load_state_dict({name: torch.from_numpy(one) for name, one in base.weights.items()})
        self.encoder = model
        self.fitted = min(recipe.layers, base.layers)
        self.dropout = torch.nn.Dropout(recipe.dropout)
        self.classifier = torch.nn.Linear(base.size, labels)
        for name, one in model.named_parameters():
            one.requires_grad_(self._is_fitted(name))

    def _is_fitted(self, name: str) -> bool:
        layers: int = self.encoder.config.n_layers
        if name.startswith("transformer.layer."):
            return int(name.split(".")[2]) >= layers - self.fitted
        return self.fitted == layers

    @property
    def device(self) -> torch.device:
        """Tell where the weights are."""
        return self.classifier.weight.device

    def lower(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Give the output of the layers that stay as they are: texts by tokens by size."""
        state: torch.Tensor = self.encoder.embeddings(ids)
        for layer in self.encoder.transformer.layer[: -self.fitted]:
            state = layer(state, _additive(mask, state.dtype))
        return state

    def pooled(self, state: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Give the mean over a text's tokens of the last layer: texts by size."""
        for layer in self.encoder.transformer.layer[-self.fitted :]:
            state = layer(state, _additive(mask, state.dtype))
        weights = mask[:, :, None].to(state.dtype)
        mean: torch.Tensor = (state * weights).sum(dim=1) / weights.sum(dim=1)
        return mean

    def forward(self, state: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Give logits: texts by labels."""
        logits: torch.Tensor = self.classifier(self.dropout(self.pooled(state, mask)))
        return logits


def _additive(mask: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """Give what attention adds to its scores, so that nothing looks at padding."""
    return (1 - mask[:, None, None, :].to(kind)) * torch.finfo(kind).min


class Lower:
    """Rows after the layers that stay as they are: computed once where memory allows."""

    def __init__(self, model: Classifier, tokens: Tokens) -> None:
        self._model = model
        self._tokens = tokens
        size = model.classifier.in_features
        self._once = model.fitted < model.encoder.config.n_layers and (
            2 * size * sum(map(len, tokens)) <= KEPT
        )
        self._known: list[torch.Tensor] = [torch.empty(0)] * (len(tokens) if self._once else 0)
        if self._once:
            for places in in_order(tokens):
                state, mask = self._computed(places)
                for place, row, count in zip(places, state, mask.sum(dim=1), strict=True):
                    self._known[place] = row[:count].to("cpu", torch.float16)

    def batch(self, places: NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the rows' states, padded to the longest, and what is text in them."""
        if not self._once:
            return self._computed(places, is_learning=self._model.training)
        rows = [self._known[place] for place in places]
        state = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = _mask([len(row) for row in rows])
        return state.to(self._model.device, torch.float32), mask.to(self._model.device)

    def _computed(
        self, places: NDArray[np.intp], *, is_learning: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        some = [self._tokens[place] for place in places]
        mask = _mask([len(one) for one in some])
        ids = torch.zeros(mask.shape, dtype=torch.long)
        for line, one in enumerate(some):
            ids[line, : len(one)] = torch.tensor(one)
        is_all = self._model.fitted == self._model.encoder.config.n_layers
        was = self._model.training
        # Below what is fitted nothing is dropped: it has to give what it gives when it serves.
        self._model.train(was and is_all)
        with torch.set_grad_enabled(is_learning and is_all):
            state = self._model.lower(ids.to(self._model.device), mask.to(self._model.device))
        self._model.train(was)
        return state, mask.to(self._model.device)


def _mask(lengths: Sequence[int]) -> torch.Tensor:
    return (torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]).long()


def in_order(tokens: Tokens) -> Iterator[NDArray[np.intp]]:
    """Give all rows in batches by length: least padding, where the order does not matter."""
    order = np.argsort([len(one) for one in tokens], kind="stable")
    for begin in range(0, len(order), ASKED):
        yield order[begin : begin + ASKED]


def fit(base: Checkpoint, rows: Rows, labels: int, recipe: Recipe, watch: Watch) -> Tuned:
    """Fit, and give the weights of the best epoch by validation, or of the last without one.

    The head begins as a logistic regression on the encoder as it was: a head that begins at chance
    would first spoil what the layers below know (Kumar et al., 2022). Ends early when the
    validation stops improving, or when the next epoch would be `late`; the first one always ends.
    """
    torch.manual_seed(recipe.seed)
    model = Classifier(base, labels, recipe).to(device())
    watch.say("reading texts with the layers that stay as they are")
    lower = Lower(model, rows.tokens)
    held = None
    if watch.validation is not None:
        held = (Lower(model, watch.validation.tokens), watch.validation)
    _begin(model, lower, rows, recipe.seed)
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
            _step(model, lower, places, rows.gold, loss_of)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        loss = _loss(model, *held) if held is not None else 0.0
        watch.say(f"epoch {epoch} of at most {recipe.epochs}: log-loss {loss:.4f}")
        if best is None or held is None or loss < best.loss:
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


@torch.no_grad()
def _begin(model: Classifier, lower: Lower, rows: Rows, seed: int) -> None:
    model.train(mode=False)
    states = np.zeros((len(rows.gold), model.classifier.in_features), np.float32)
    for places in in_order(rows.tokens):
        states[places] = model.pooled(*lower.batch(places)).cpu().numpy()
    labels = model.classifier.out_features
    probe = HeadsRung().learn(Lesson(texts=(), states=states), rows.gold, labels, seed)
    model.classifier.weight.copy_(torch.from_numpy(probe.weights))
    model.classifier.bias.copy_(torch.from_numpy(probe.bias))


def _groups(model: Classifier, recipe: Recipe) -> list[dict[str, object]]:
    """Let every layer move less than the one above it, and the head most."""
    layers = model.encoder.config.n_layers
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, one in model.named_parameters():
        if name.startswith("encoder.transformer.layer."):
            above = layers - 1 - int(name.split(".")[3])
            rate = recipe.top_rate * recipe.layer_decay**above
        elif name.startswith("encoder."):
            rate = recipe.top_rate * recipe.layer_decay**layers
        else:
            rate = recipe.head_rate
        if one.requires_grad:
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
    model: Classifier,
    lower: Lower,
    places: NDArray[np.intp],
    gold: Gold,
    loss_of: torch.nn.CrossEntropyLoss,
) -> None:
    right = torch.from_numpy(gold[places].astype(np.int64)).to(model.device)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
        logits = model(*lower.batch(places))
    loss_of(logits.float(), right).backward()


@torch.no_grad()
def _loss(model: Classifier, lower: Lower, rows: Rows) -> float:
    """Give the mean log-loss, every row alike, at the temperature that suits the answers best.

    Calibration will find that temperature too: how boastful the answers are is no reason to end.
    """
    model.train(mode=False)
    logits = np.zeros((len(rows.gold), model.classifier.out_features), np.float32)
    for places in in_order(rows.tokens):
        logits[places] = model(*lower.batch(places)).float().cpu().numpy()
    shares = softmax(logits / temperature_for(logits, rows.gold.tolist()))
    return log_loss(shares, rows.gold)


def _taken(model: Classifier, base: Checkpoint, epochs: int, loss: float) -> Tuned:
    state = {name: one.detach().cpu().numpy().copy() for name, one in model.state_dict().items()}
    return Tuned(
        checkpoint=replace(base, weights={name: state[f"encoder.{name}"] for name in base.weights}),
        head={name: one for name, one in state.items() if not name.startswith("encoder.")},
        epochs=epochs,
        loss=loss,
    )
