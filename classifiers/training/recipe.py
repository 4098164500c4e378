"""The recipe: a history in, a sealed and measured bundle out, finished pieces kept on the way."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.assembly import encoders
from classifiers.build.scores import majority
from classifiers.bundle import SHIPPED, Bundle, open_bundle
from classifiers.encoder import Window
from classifiers.engine import BundleEngine
from classifiers.training.baseline import Baseline
from classifiers.training.budget import NEARLY_ALL, Budget
from classifiers.training.choose import Question, Say, Tried, choose, fittest
from classifiers.training.dedupe import clusters, last_of_each
from classifiers.training.history import Columns, Row, read_history
from classifiers.training.kept import Kept, Numbers
from classifiers.training.measure import fingerprint, measured, spoken
from classifiers.training.rungs import Learnt, Lesson, LinearRung, Rung
from classifiers.training.split import Places, dropped, folds, split
from classifiers.training.states import read_states
from classifiers.training.write import Draft, write
from connector.errors import BadHistory
from connector.model import Aspect
from connector.ports import TrainingOrder

FEWEST_TEST = 20
"""Rows kept aside without which nothing could be said about the quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The rows after cleaning and without copies, and how they are split."""

    every: Sequence[Row]
    """The history's rows as read, copies too."""
    rows: Sequence[Row]
    groups: Places
    learn: Places
    test: Places
    digest: str
    left_out: int
    """Copies, and test rows whose cluster is learnt from."""

    def labelled(self, places: Places, aspect: Aspect, labels: Sequence[str]) -> Places:
        """Keep the rows that have one of these labels."""
        wanted = set(labels)
        kept = [place for place in places if self.rows[place].labels.get(aspect) in wanted]
        return np.array(kept, np.intp)


def train(
    order: TrainingOrder,
    clean: Callable[[str, str], str],
    say: Say,
    material: Material | None = None,
) -> Mapping[str, Any]:
    """Make a bundle from a history, and give what was measured on the rows kept aside.

    What was finished lies beside the output until the bundle is whole: after a kill the same
    order goes on from there. An output that exists is never touched.
    """
    if order.output.exists():
        raise BadHistory(f"{order.output} exists and is never overwritten; name another --output")
    budget = Budget.of(order.minutes)
    material = material or read_material(order, clean, say)
    work = work_folder(order.output)
    kept = Kept(work / "kept")
    base = open_bundle(SHIPPED)
    states = _states(base, material, kept, budget, say)
    draft = Draft(base=base)
    baselines = {
        aspect: _learn(order, aspect, material, states, (draft, kept, budget, say))
        for aspect in order.labels
    }
    say("measuring on the rows kept aside")
    engine = BundleEngine(write(work / "candidate", draft, order.output.name), 1)
    for aspect, found in draft.found.items():
        _measure(order, aspect, material, engine, found, baselines[aspect])
    draft.data = {
        "name": "own history",
        "rows": len(material.rows),
        "licence": "the desk's own",
        "sha256": material.digest,
    }
    say("sealing the bundle")
    shutil.rmtree(work / "candidate")
    write(work / "whole", draft, order.output.name, engine)
    (work / "whole").rename(order.output)
    shutil.rmtree(work)
    return {
        "output": str(order.output),
        "rows": len(material.rows),
        "left_out": material.left_out,
        "found_finished": kept.found,
        "seconds": round(budget.spent, 1),
        "aspects": draft.found,
    }


def read_material(order: TrainingOrder, clean: Callable[[str, str], str], say: Say) -> Material:
    """Read, clean, take copies out, cluster and split a history."""
    say("reading and cleaning the history")
    columns = Columns(text=order.text, labels=order.labels, time=order.time)
    every = read_history(order.history, columns, clean)
    asked = [] if order.test is None else read_history(order.test, columns, clean)
    # A copy in both files is only measured on: what was learnt by heart would flatter.
    places = last_of_each([row.text for row in (*every, *asked)])
    rows = [(*every, *asked)[place] for place in places]
    say(f"looking for near-duplicates among {len(rows)} tickets")
    groups = clusters([row.text for row in rows], order.seed)
    if order.test is None:
        learn, test = split(rows, groups, order.seed)
    else:
        own = np.array(places) < len(every)
        learn, test = np.flatnonzero(own), np.flatnonzero(~own)
    return Material(
        every=every,
        rows=rows,
        groups=groups,
        learn=learn,
        test=test,
        digest=fingerprint(rows),
        left_out=len(every) + len(asked) - len(learn) - len(test),
    )


def _states(
    base: Bundle, material: Material, kept: Kept, budget: Budget, say: Say
) -> Numbers | None:
    encoder = encoders(base, _threads())[base.manifest.main]
    texts = [material.rows[place].text for place in material.learn]
    return read_states(encoder, texts, kept, budget, say)


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _learn(
    order: TrainingOrder,
    aspect: Aspect,
    material: Material,
    states: Numbers | None,
    tools: tuple[Draft, Kept, Budget, Say],
) -> Baseline:
    draft, kept, budget, say = tools
    learnable = [material.rows[place] for place in material.learn]
    lost = dropped(learnable, aspect, order.floor)
    counts = Counter(row.labels[aspect] for row in learnable if aspect in row.labels)
    labels = tuple(sorted(set(counts) - set(lost)))
    for label, count in lost.items():
        say(f"{aspect}: {label!r} is left out, it has {count} of {order.floor} tickets")
    places = material.labelled(material.learn, aspect, labels)
    test = material.labelled(material.test, aspect, labels)
    if len(labels) < 2 or len(test) < FEWEST_TEST:  # noqa: PLR2004 - one leaves no choice
        raise BadHistory(
            f"{aspect}: {len(labels)} classes have {order.floor} tickets, {len(test)} tickets are"
            f" left to test on; two and {FEWEST_TEST} are needed: give more history or a lower"
            " --floor"
        )
    chosen = draft.states(aspect)
    question = _question(order, aspect, labels, material, (places, states, chosen))

    def tell(step: str) -> None:
        say(f"{aspect}: {step}")

    rungs: list[Rung] = [LinearRung()]
    if states is not None and not budget.late():
        heads = draft.heads(aspect)
        rungs.append(fittest(question, heads, kept, tell) if len(heads) > 1 else heads[0])
    choice, tried = choose(question, rungs, kept, tell, budget.late)
    asked, told = question, {name: _score(one) for name, one in tried.items()}
    if order.base is not None:
        found = _challenged(order, aspect, question, tried, tools)
        if found is not None:
            told["beside distilbert"], winner = found
            asked, choice = winner or (asked, choice)
    say(f"{aspect}: learning {choice.name} on all rows")
    learnt = [_fitted(rung, question, kept) for rung in choice.rungs]
    languages = spoken([material.rows[place].text for place in places])
    draft.add(aspect, asked, choice, learnt, languages)
    draft.found[aspect] |= {
        "dropped": lost,
        "chosen": {
            "rungs": choice.name,
            "folds": told,
        },
        "majority_label": counts.most_common(1)[0][0],
    }
    return Baseline(question=question, held=tried[LinearRung().name])


def _score(one: Tried) -> dict[str, float]:
    return {"macro_f1": round(one.mean, 4), "standard_error": round(one.error, 4)}


def _question(
    order: TrainingOrder,
    aspect: Aspect,
    labels: tuple[str, ...],
    material: Material,
    read: tuple[Places, Numbers | None, tuple[int, ...]],
) -> Question:
    places, states, chosen = read
    lines = np.searchsorted(material.learn, places)
    features = np.zeros((0, 0), np.float32)
    if states is not None:
        features = states[lines][:, list(chosen)].reshape(len(places), -1)
    number = {label: place for place, label in enumerate(labels)}
    gold = [number[material.rows[place].labels[aspect]] for place in places]
    return Question(
        name=f"{aspect} {material.digest} {order.seed} {order.floor} {list(material.learn)}",
        labels=labels,
        lesson=Lesson(texts=[material.rows[place].text for place in places], states=features),
        gold=np.array(gold, np.intp),
        folds=folds(material.groups[places], order.seed),
        seed=order.seed,
    )


def _challenged(
    order: TrainingOrder,
    aspect: Aspect,
    question: Question,
    tried: Mapping[str, Tried],
    tools: tuple[Draft, Kept, Budget, Say],
) -> tuple[dict[str, Any], tuple[Question, Tried] | None] | None:
    """Fine-tune too, unless it is late; give the scores, and the choice where that wins.

    With the choice goes the question about the rows that it was made on. Where the others win, all
    rows were asked about them, and their promises rest on all.
    """
    # Here and not above: torch takes seconds, and only this needs it.
    from classifiers.training import tuned  # noqa: PLC0415 - see above

    draft, kept, budget, say = tools
    if budget.late():
        say(f"{aspect}: no time left for distilbert")
        return None
    part = draft.base.manifest.encoders[draft.base.manifest.main]
    window = Window(tokens=part.tokens, tail=part.tail)
    base = tuned.read_base(order.base or "", window, draft.base.files[part.model])
    rung = tuned.TunedRung(
        base=base,
        output=str(aspect),
        recipe=tuned.RECIPE,
        late=lambda seconds, done: budget.late(seconds * tuned.epochs_left(done), NEARLY_ALL),
        say=lambda step: say(f"{aspect}: distilbert: {step}"),
    )
    asked, candidates, choice, final = tuned.try_tuned(
        question,
        list(tried.values()),
        rung,
        kept,
        lambda seconds: budget.late(seconds, NEARLY_ALL),
    )
    scores = {one.name: _score(one) for one in candidates}
    told = {"rows": len(asked.gold), "folds": scores}
    if final not in choice.rungs:
        say(f"{aspect}: the fine-tuned model is left out, it is no better than {choice.name}")
        return told, None
    if base.name != tuned.SHIPPED:
        own = {"licence": "its own", "attribution": "as its own page says"}
        draft.licences.append({"what": f"the checkpoint {base.name}", **own})
    return told, (asked, choice)


def _fitted(rung: Rung, question: Question, kept: Kept) -> Learnt:
    if rung.name == "distilbert":
        from classifiers.training.tuned import TunedRung, learn_again  # noqa: PLC0415 - as above

        if isinstance(rung, TunedRung):
            return learn_again(rung, question, kept)
    return rung.learn(question.lesson, question.gold, len(question.labels), question.seed)


def _measure(
    order: TrainingOrder,
    aspect: Aspect,
    material: Material,
    engine: BundleEngine,
    found: dict[str, Any],
    baseline: Baseline,
) -> None:
    """Measure through the code that serves, beside always saying the same and the linear rung."""
    labels = tuple(engine.labels(aspect))
    test = material.labelled(material.test, aspect, labels)
    texts = [material.rows[place].text for place in test]
    gold = [material.rows[place].labels[aspect] for place in test]
    told = measured(engine, aspect, labels, (texts, gold), order.seed)
    told |= baseline.beside(texts, gold)
    told["majority"] = majority(gold, found.pop("majority_label"), labels)
    found["test"] = told


def work_folder(output: Path) -> Path:
    """Tell where an unfinished training keeps its pieces."""
    return output.with_name(f".{output.name}.work")
