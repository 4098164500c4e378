"""The straight line of an assessment: history, data doctor, training, figures, verdict."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from classifiers.assessment.confused import confused
from classifiers.assessment.doctor import Chart, examine
from classifiers.assessment.findings import Finding, Shown
from classifiers.assessment.named import named, verdict
from classifiers.assessment.people import backtested
from classifiers.bundle import Bundle, open_bundle
from classifiers.engine import BundleEngine
from classifiers.evaluation.answers import read
from classifiers.evaluation.evaluate import measure
from classifiers.manifest import NAME as MANIFEST
from classifiers.training.history import records, time_of
from classifiers.training.recipe import FEWEST_TEST, Material, read_material, train
from classifiers.training.split import dropped
from connector.errors import BadHistory
from connector.model import Aspect
from connector.ports import AssessmentOrder, EvaluationOrder, TrainingOrder

Say = Callable[[str], None]
Clean = Callable[[str, str], str]
Mask = Callable[[str], str]

FEWEST_CLASSES = 2
"""One leaves no choice."""


def assess(
    order: AssessmentOrder, clean: Clean, mask: Mask, say: Say, threads: int
) -> Mapping[str, Any]:
    """Learn from a history and give what a bundle from it is worth; raises `BadHistory`.

    The bundle lies in the order's `output` afterwards. One that lies there already and was learnt
    from the same history is measured again instead of being made anew.
    """
    started = monotonic()
    material = read_material(order.training, clean, say)
    skipped = _skipped(order.training, material)
    for aspect, reason in skipped.items():
        say(f"{aspect} is left out: {reason}")
    learnable = {
        aspect: column for aspect, column in order.training.labels.items() if aspect not in skipped
    }
    # Where nothing can be learnt, training says so.
    training = replace(order.training, labels=learnable or order.training.labels)
    order = replace(order, training=training)
    if not is_made(training.output, material.digest):
        train(training, clean, say, material)
    bundle = open_bundle(training.output)
    engine = BundleEngine(bundle, threads)
    aspects = _aspects(order, bundle, engine, material, say)
    for aspect, told in named(order, engine, material, say).items():
        aspects[aspect]["as_named"] = told
    assignee = backtested(order, engine, clean, say)
    say("looking for trouble in the labels")
    return {
        "bundle": engine.bundle,
        "file": training.history.name,
        "rows": len(material.every),
        "learnt": len(material.learn),
        "tested": len(material.test),
        "left_out": skipped,
        "by_time": training.time is not None,
        "aspects": aspects,
        "assignee": assignee,
        "findings": [one.as_json() for one in _findings(order, material, engine, mask)],
        "seconds": round(monotonic() - started, 1),
    }


def _aspects(
    order: AssessmentOrder, bundle: Bundle, engine: BundleEngine, material: Material, say: Say
) -> dict[Aspect, dict[str, Any]]:
    """Give each aspect's figures and verdict, from the answers to the newest tickets."""
    training = order.training
    say("measuring on the newest tickets")
    rows = [material.rows[place] for place in material.test]
    readings = read(engine, [row.text for row in rows], say)
    asked = (rows, readings, material.groups[material.test])
    measuring = EvaluationOrder(
        bundle=str(training.output),
        history=training.history,
        text=training.text,
        labels=training.labels,
        baseline=False,
        seed=training.seed,
    )
    aspects: dict[Aspect, dict[str, Any]] = {}
    for aspect in training.labels:
        say(f"{aspect}: figures")
        found = measure(measuring, aspect, engine, asked, say)
        test = bundle.manifest.metrics[aspect]["test"]
        found["baselines"]["alone"] = {
            "macro_f1": test["linear"],
            "accuracy": test["linear_accuracy"],
        }
        aspects[aspect] = found | verdict(
            order, aspect, engine.evidence(aspect), material, readings
        )
    return aspects


def _skipped(training: TrainingOrder, material: Material) -> dict[Aspect, str]:
    """Name the aspects that this history cannot teach, with the reason."""
    found = {}
    for aspect in training.labels:
        rows = [material.rows[place] for place in material.learn]
        lost = dropped(rows, aspect, training.floor)
        labels = {row.labels[aspect] for row in rows if aspect in row.labels} - set(lost)
        tested = len(material.labelled(material.test, aspect, sorted(labels)))
        if len(labels) < FEWEST_CLASSES:
            found[aspect] = f"{len(labels)} classes have {training.floor} tickets; two are needed"
        elif tested < FEWEST_TEST:
            found[aspect] = f"{tested} tickets are left to test on; {FEWEST_TEST} are needed"
    return found


def is_made(output: Path, digest: str) -> bool:
    """Tell whether a killed assessment left this history's bundle; another one's is taken away."""
    if not output.exists():
        return False
    if not (output / MANIFEST).is_file():
        raise BadHistory(f"{output} exists and is no bundle; name another --output")
    if any(source.sha256 == digest for source in open_bundle(output).manifest.data):
        return True
    shutil.rmtree(output)
    return False


def _findings(
    order: AssessmentOrder, material: Material, engine: BundleEngine, mask: Mask
) -> Sequence[Finding]:
    """Ask the doctor about every aspect; what concerns the most tickets comes first."""
    clusters = {
        row.text: int(group) for row, group in zip(material.rows, material.groups, strict=True)
    }
    found: list[Finding] = []
    training = order.training
    for aspect, column in training.labels.items():
        asked = order.precision.get(aspect, order.otherwise)
        raw = Counter(str(record.get(column) or "") for _, record in records(training.history))
        raw = Counter({value: count for value, count in raw.items() if value.strip()})
        chart = Chart(
            aspect=aspect,
            rows=[row for row in material.every if aspect in row.labels],
            clusters=clusters,
            raw=raw,
            options=order.options.get(aspect, ()),
            floor=training.floor,
            asked=asked,
            shown=Shown(mask),
        )
        held = engine.evidence(aspect).held
        found += [
            *examine(chart),
            *confused(aspect, engine.labels(aspect), held, asked),
            *late_ones(order, aspect),
        ]
    return sorted(found, key=lambda one: -one.tickets)


def late_ones(order: AssessmentOrder, aspect: Aspect) -> Iterator[Finding]:
    """Yield whether a field was filled only when the ticket was resolved, where times tell."""
    column, ended = order.set_at.get(aspect), order.resolved_at
    if column is None or ended is None:
        return
    moments = []
    for number, record in records(order.training.history):
        if not (record.get(column) and record.get(ended)):
            continue
        try:
            moments.append((time_of(record, column), time_of(record, ended)))
        except ValueError as error:
            raise BadHistory(f"{order.training.history}: row {number}: {error}") from error
    late = sum(chosen >= end for chosen, end in moments)
    if late:
        yield Finding(
            kind="late",
            aspect=str(aspect),
            tickets=late,
            told=f"in {late} of {len(moments)} tickets it was set when they were resolved or later",
            remedy=(
                "it may say what was done, which nobody could know at the beginning: learn from a"
                " value that is chosen while a ticket is worked on"
            ),
        )
