"""Texts in, predictions out: the encoder, its heads, and the bundles that hold them."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from connector.errors import TrainingUnavailable
from connector.ports import (
    AssessmentOrder,
    BundleFacts,
    Engine,
    EvaluationOrder,
    ModelKind,
    TrainingOrder,
)

# Before anything imports onnxruntime: it would write a device id and usage events into the user's
# cache folder, and knows an address to send them to. Nothing of ours may.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def _load(folder: str | None, threads: int) -> Engine:
    # Here and not above: importing the package must not load onnxruntime.
    from classifiers.engine import load  # noqa: PLC0415 - see above

    return load(folder, threads)


def _describe(folder: str | None) -> BundleFacts:
    from classifiers.facts import describe  # noqa: PLC0415 - as above

    return describe(folder)


def _train(
    order: TrainingOrder, clean: Callable[[str, str], str], say: Callable[[str], None]
) -> Mapping[str, Any]:
    try:
        # Here and not above: only this needs the extra `train`.
        from classifiers.training.recipe import train  # noqa: PLC0415 - see above
    except ImportError as error:
        raise TrainingUnavailable(f"{error.name} is not installed") from error
    return train(order, clean, say)


def _evaluate(
    order: EvaluationOrder,
    clean: Callable[[str, str], str],
    say: Callable[[str], None],
    threads: int,
) -> Mapping[str, Any]:
    try:
        from classifiers.evaluation.evaluate import evaluate  # noqa: PLC0415 - as above
    except ImportError as error:
        raise TrainingUnavailable(f"{error.name} is not installed") from error
    return evaluate(order, clean, say, threads)


def _assess(
    order: AssessmentOrder,
    clean: Callable[[str, str], str],
    mask: Callable[[str], str],
    say: Callable[[str], None],
    threads: int,
) -> Mapping[str, Any]:
    try:
        from classifiers.assessment.assess import assess  # noqa: PLC0415 - as above
    except ImportError as error:
        raise TrainingUnavailable(f"{error.name} is not installed") from error
    return assess(order, clean, mask, say, threads)


kind = ModelKind(
    name="bundle",
    load=_load,
    describe=_describe,
    train=_train,
    evaluate=_evaluate,
    assess=_assess,
)
"""The entry in the group `triaged.classifiers`."""
