"""The fine-tuned rung, on a checkpoint of a few thousand weights that is made here."""

import csv
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytestmark = [pytest.mark.train, pytest.mark.timeout(400)]  # minutes on a busy machine
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("sklearn")
pytest.importorskip("datasketch")

from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordPiece  # noqa: E402
from tokenizers.normalizers import BertNormalizer  # noqa: E402
from tokenizers.pre_tokenizers import BertPreTokenizer  # noqa: E402
from tokenizers.processors import TemplateProcessing  # noqa: E402

from classifiers.build.splice import splice  # noqa: E402
from classifiers.bundle import SHIPPED, open_bundle  # noqa: E402
from classifiers.encoder import Tokens, Window  # noqa: E402
from classifiers.engine import load  # noqa: E402
from classifiers.manifest import DistilbertMember  # noqa: E402
from classifiers.training import tune, tuned  # noqa: E402
from classifiers.training.choose import Tried, scored  # noqa: E402
from classifiers.training.kept import Kept  # noqa: E402
from classifiers.training.recipe import train  # noqa: E402
from classifiers.training.rungs import Lesson, LinearRung  # noqa: E402
from classifiers.training.tune import (  # noqa: E402
    Recipe,
    Rows,
    Tuned,
    Watch,
    fit,
)
from classifiers.training.write import Draft  # noqa: E402
from connector.errors import BadBundle  # noqa: E402
from connector.model import Aspect  # noqa: E402
from connector.ports import TrainingOrder  # noqa: E402

WORDS = {
    "network": "vpn wifi router tunnel switch proxy cable signal".split(),
    "printing": "printer toner paper tray scanner ink jam copier".split(),
    "access": "password login account locked reset token badge permission".split(),
}
COMMON = "please help with the in room a and it does not work".split()
LABELS = tuple(sorted(WORDS))
WINDOW = Window(tokens=24, tail=8)
QUICK = Recipe(epochs=12, batch=16, top_rate=3e-3, head_rate=3e-3, patience=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Give a folder as a hub's snapshot has it: settings, weights and tokenizer."""
    folder = tmp_path_factory.mktemp("checkpoint")
    known = [*COMMON, *(word for words in WORDS.values() for word in words)]
    digits = [*"0123456789", *(f"##{digit}" for digit in range(10))]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: place for place, word in enumerate([*marks, *known, *digits])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(3)
    config = transformers.DistilBertConfig(
        vocab_size=len(vocabulary),
        dim=32,
        n_layers=2,
        n_heads=4,
        hidden_dim=64,
        max_position_embeddings=24,
    )
    transformers.DistilBertModel(config).save_pretrained(folder)
    return folder


def tickets(count: int, seed: int = 1) -> tuple[list[str], np.ndarray]:
    draw = random.Random(seed)
    gold = np.array([place % 3 for place in range(count)], np.intp)
    texts = [
        f"please help with the {' '.join(draw.sample(WORDS[LABELS[one]], 3))} in room {place}"
        for place, one in enumerate(gold)
    ]
    return texts, gold


def lesson(texts: list[str]) -> Lesson:
    return Lesson(texts=texts, states=np.zeros((0, 0), np.float32))


def rung(folder: Path, **changes: object) -> tuned.TunedRung:
    base = tuned.read_base(str(folder), WINDOW)
    made = tuned.TunedRung(
        base=base, output="logits", late=lambda *_: False, say=lambda _: None, recipe=QUICK
    )
    return replace(made, **changes)


def test_it_learns_and_answers_in_int8_as_it_serves(checkpoint) -> None:
    learnt = rung(checkpoint).learn(lesson(tickets(240)[0]), tickets(240)[1], 3, 7)
    texts, gold = tickets(60, seed=2)
    logits = learnt.logits(lesson([*texts, "???"]))
    assert (logits[:-1].argmax(axis=1) == gold).mean() > 0.95
    assert not logits[-1].any(), "a text that holds nothing to read has no opinion"
    assert 0 < learnt.epochs <= QUICK.epochs


def fitted(base: tuned.Base, **changes: object) -> tuple[Rows, Tuned]:
    tokens = Tokens(base.tokenizer, base.window)
    texts, gold = tickets(90)
    rows = Rows(tokens=[tokens.of(text) for text in texts], gold=gold)
    watch = Watch(validation=None, late=lambda *_: False, say=lambda _: None)
    return rows, fit(base.checkpoint, rows, 3, replace(QUICK, epochs=2, **changes), watch)


def answers(graph: bytes, rows: Rows, name: str) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return [session.run([name], {"input_ids": np.array([ids])})[0][0] for ids in rows.tokens]


def graph_of(made: Tuned, *, int8: bool, output: str = "logits") -> bytes:
    head = tuned.Head(output=output, weights=made.head)
    return tuned.export(made.checkpoint, int8=int8, head=head).SerializeToString()


@pytest.mark.parametrize("layers", [1, 2])
def test_the_graph_answers_as_transformers_does(checkpoint, layers) -> None:
    base = tuned.read_base(str(checkpoint), WINDOW)
    rows, made = fitted(base, layers=layers)
    model = transformers.DistilBertModel(transformers.DistilBertConfig(**made.checkpoint.config))
    model.load_state_dict(
        {name: torch.from_numpy(one) for name, one in made.checkpoint.weights.items()}
    )
    model.train(mode=False)
    weights = {name: torch.from_numpy(one) for name, one in made.head.items()}
    with torch.no_grad():
        means = [model(torch.tensor([ids])).last_hidden_state.mean(dim=1) for ids in rows.tokens]
        plain = [
            (mean @ weights["classifier.weight"].T + weights["classifier.bias"])[0].numpy()
            for mean in means
        ]
    for int8, most in ((False, 1e-4), (True, 0.3)):
        given = answers(graph_of(made, int8=int8), rows, "logits")
        assert (
            max(np.abs(one - other).max() for one, other in zip(given, plain, strict=True)) < most
        )


def test_what_is_not_fitted_stays_to_the_bit(checkpoint) -> None:
    base = tuned.read_base(str(checkpoint), WINDOW)
    _, made = fitted(base, layers=1)
    changed = {
        name
        for name, one in made.checkpoint.weights.items()
        if not np.array_equal(one, base.checkpoint.weights[name])
    }
    assert changed
    assert all(name.startswith("transformer.layer.1.") for name in changed)
    _, whole = fitted(base, layers=2)
    words = "embeddings.word_embeddings.weight"
    assert not np.array_equal(whole.checkpoint.weights[words], base.checkpoint.weights[words])


def test_rows_that_memory_does_not_hold_are_learnt_alike(checkpoint, monkeypatch) -> None:
    base = tuned.read_base(str(checkpoint), WINDOW)
    _, kept = fitted(base, layers=1)
    monkeypatch.setattr(tune, "KEPT", 0)
    _, computed = fitted(base, layers=1)
    for name, one in kept.head.items():
        assert np.abs(one - computed.head[name]).max() < 0.02  # kept in fp16


def test_two_fitted_tops_and_the_shipped_states_come_out_of_one_pass(checkpoint) -> None:
    base = tuned.read_base(str(checkpoint), WINDOW)
    trunk = tuned.export(base.checkpoint, int8=True).SerializeToString()
    rows, category = fitted(base, layers=1)
    _, priority = fitted(base, layers=1, seed=9)
    tops = {
        "category": graph_of(category, int8=True, output="category"),
        "priority": graph_of(priority, int8=True, output="priority"),
    }
    both = trunk
    for name, top in tops.items():
        both = splice(both, top, shared=1, output=name)
    for name, top in tops.items():
        for one, alone in zip(answers(both, rows, name), answers(top, rows, name), strict=True):
            np.testing.assert_array_equal(one, alone)
    for one, alone in zip(
        answers(both, rows, "states"), answers(trunk, rows, "states"), strict=True
    ):
        np.testing.assert_array_equal(one, alone)
    assert len(both) < len(trunk) + 0.6 * sum(map(len, tops.values()))
    with pytest.raises(BadBundle, match="an output category already"):
        splice(both, tops["category"], shared=1, output="category")
    with pytest.raises(BadBundle, match="no layer 3"):
        splice(trunk, tops["category"], shared=3, output="category")


def test_a_draft_puts_what_was_fitted_onto_the_shipped_encoder(checkpoint, monkeypatch) -> None:
    monkeypatch.setattr(tuned, "fetch_weights", lambda _: checkpoint)
    shipped = open_bundle(SHIPPED)
    trunk = tuned.export(tuned.read_base("shipped", WINDOW).checkpoint, int8=True)
    base = tuned.read_base("shipped", WINDOW, trunk.SerializeToString())
    one = rung(checkpoint, base=base, output="category", recipe=replace(QUICK, epochs=1, layers=1))
    texts, gold = tickets(60)
    learnt = one.learn(lesson(texts), gold, 3, 5)
    assert learnt.encoder.shared == 1
    part = shipped.manifest.encoders[shipped.manifest.main]
    draft = Draft(base=replace(shipped, files={**shipped.files, part.model: base.trunk}))
    held = learnt.logits(lesson(texts))
    question = tuned.Question(
        name="q", labels=LABELS, lesson=lesson(texts), gold=gold, folds=gold, seed=1
    )
    choice = Tried(rungs=(one,), temperatures=(1.0,), logits=(held,), scores=(1.0,))
    draft.add(Aspect.CATEGORY, question, choice, [learnt], ("en",))
    [member] = draft.aspects[Aspect.CATEGORY]["members"]
    assert member["encoder"] == shipped.manifest.main
    assert draft.encoders[shipped.manifest.main]["outputs"] == {"category": 3}
    assert draft.files[part.model] == learnt.served


def test_the_same_seed_learns_the_same(checkpoint) -> None:
    texts, gold = tickets(60)
    short = rung(checkpoint, recipe=replace(QUICK, epochs=2))
    once, again = (short.learn(lesson(texts), gold, 3, 5) for _ in range(2))
    assert once.encoder.model == again.encoder.model


def test_it_ends_when_it_is_late_and_never_before_an_epoch(checkpoint) -> None:
    texts, gold = tickets(60)
    hurried = rung(checkpoint, late=lambda *_: True)
    assert hurried.learn(lesson(texts), gold, 3, 5).epochs == 1


@pytest.fixture(scope="module")
def order(checkpoint, tmp_path_factory) -> TrainingOrder:
    folder = tmp_path_factory.mktemp("history")
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as opened:
        out = csv.writer(opened)
        out.writerow(["body", "group"])
        texts, gold = tickets(240)
        out.writerows((text, LABELS[one]) for text, one in zip(texts, gold, strict=True))
    return TrainingOrder(
        history=folder / "history.csv",
        output=folder / "ours",
        text=("body",),
        labels={Aspect.CATEGORY: "group"},
        base=str(checkpoint),
    )


def plain(subject: str, body: str) -> str:
    return f"{subject}\n{body}".strip()


def test_a_bundle_holds_the_fine_tuned_encoder_and_serves_it(order, monkeypatch) -> None:
    monkeypatch.setattr(tuned, "simplest", lambda tried: tried[-2])  # the rung alone
    monkeypatch.setattr(tuned, "RECIPE", QUICK)
    said: list[str] = []
    told = train(order, plain, said.append)
    found = told["aspects"][Aspect.CATEGORY]
    assert found["chosen"]["rungs"] == "distilbert"
    assert "distilbert" in found["chosen"]["folds"]["beside distilbert"]["folds"]
    assert found["test"]["macro_f1"] > 0.9
    assert any("epoch 1" in step for step in said)
    bundle = open_bundle(order.output)
    [member] = bundle.manifest.aspects[Aspect.CATEGORY].members
    assert isinstance(member, DistilbertMember)
    assert bundle.manifest.encoders[member.encoder].tokenizer.endswith("tokenizer.json")
    assert any("checkpoint" in one.what for one in bundle.manifest.licences)
    answers = (
        load(str(order.output), 2)
        .classifier({})
        .predict(
            [
                "please help with the toner jam tray in room 7",
                "please help with the vpn router tunnel in room 9",
            ]
        )
    )
    labels = [
        {one.aspect: one.label for one in reading.predictions}[Aspect.CATEGORY]
        for reading in answers
    ]
    assert labels == ["printing", "network"]


def test_where_it_loses_promises_rest_on_all_rows_of_the_winner(
    order, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(tuned, "simplest", lambda tried: tried[0])
    monkeypatch.setattr(tuned, "RECIPE", replace(QUICK, epochs=1))
    alone = train(replace(order, output=tmp_path / "alone", base=None), plain, lambda _: None)
    said: list[str] = []
    beside = train(replace(order, output=tmp_path / "beside"), plain, said.append)
    assert any("is left out, it is no better than linear" in step for step in said)
    found = beside["aspects"][Aspect.CATEGORY]
    assert found["chosen"]["folds"].pop("beside distilbert")["rows"] < found["test"]["n"] * 4
    assert found == alone["aspects"][Aspect.CATEGORY]


def test_what_was_finished_is_found_again_after_a_kill(order, checkpoint, tmp_path) -> None:
    texts, gold = tickets(60)
    question = tuned.Question(
        name="q", labels=LABELS, lesson=lesson(texts), gold=gold, folds=gold * 0, seed=1
    )
    one = rung(checkpoint, epochs=1)
    first = tuned.learn_again(one, question, Kept(tmp_path))
    kept = Kept(tmp_path)
    again = tuned.learn_again(one, question, kept)
    assert kept.found == 1
    assert first.encoder == again.encoder
    assert order.base == str(checkpoint)


@pytest.mark.parametrize(("folds_in_time", "rows"), [(1, 12), (3, 36), (5, 60)])
def test_a_winner_answers_as_many_folds_as_there_is_time_for(
    checkpoint, tmp_path, monkeypatch, folds_in_time, rows
) -> None:
    monkeypatch.setattr(tuned, "simplest", lambda tried: tried[-2])  # the rung alone
    texts, gold = tickets(60)
    question = tuned.Question(
        name="q", labels=LABELS, lesson=lesson(texts), gold=gold, folds=np.arange(60) // 12, seed=1
    )
    asked: list[float] = []

    def late(seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) >= folds_in_time

    one = rung(checkpoint, recipe=replace(QUICK, epochs=1))
    answered, _, choice, final = tuned.try_tuned(question, [], one, Kept(tmp_path), late)
    assert len(answered.gold) == rows == len(choice.logits[0])
    assert answered.lesson.texts == texts[:rows]
    assert min(asked) > 0
    assert final.epochs == 1
    # A restart finds every fold, and what it is told of their time does not change.
    kept, again = Kept(tmp_path), list(asked)
    asked.clear()
    tuned.try_tuned(question, [], one, kept, late)
    assert kept.found == folds_in_time
    assert asked == again


def test_a_loser_costs_one_fold(checkpoint, tmp_path) -> None:
    texts, gold = tickets(60)
    question = tuned.Question(
        name="q", labels=LABELS, lesson=lesson(texts), gold=gold, folds=np.arange(60) // 12, seed=1
    )
    known = scored(question, (LinearRung(),), (np.eye(3, dtype=np.float32)[gold] * 9,))
    one, kept = rung(checkpoint, recipe=replace(QUICK, epochs=1)), Kept(tmp_path)
    _, _, choice, final = tuned.try_tuned(question, [known], one, kept, lambda _: False)
    assert final not in choice.rungs
    assert len(list(tmp_path.glob("*.npy"))) == 1


def test_a_hub_id_is_fetched_and_a_wrong_name_is_told(checkpoint, monkeypatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked: list[str] = []

    def fetched(name: str, **_: object) -> str:
        asked.append(name)
        if name != "distilbert-base-multilingual-cased":
            raise OSError("no network")
        return str(checkpoint)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    base = tuned.read_base("distilbert-base-multilingual-cased", WINDOW)
    assert base.checkpoint.layers == 2
    with pytest.raises(BadBundle, match="name its folder"):
        tuned.read_base("distilbert-base-no-such", WINDOW)
    assert len(asked) == 2
