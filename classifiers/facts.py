"""What a bundle's folder says about itself, in the core's words; nothing is loaded for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classifiers import manifest
from classifiers.bundle import SHIPPED, Bundle, open_bundle
from connector.errors import BadBundle
from connector.model import Aspect
from connector.ports import BundleFacts, GoldenAnswer, GoldenTicket, Measured


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answer(_Part):
    label: str | None
    confidence: float = Field(ge=0, le=1)


class _Ticket(_Part):
    text: str
    answers: dict[Aspect, _Answer]


class _Golden(_Part):
    """The file that the manifest calls `golden`."""

    tickets: tuple[_Ticket, ...]


def describe(folder: str | None) -> BundleFacts:
    """Verify a bundle byte for byte (`None`: the shipped one); raises `BadBundle`."""
    bundle = open_bundle(Path(folder) if folder else SHIPPED)
    described = bundle.manifest
    return BundleFacts(
        name=described.name,
        version=described.version,
        created=described.created,
        seal=described.seal,
        files=(*described.files, manifest.NAME),
        labels={aspect: part.labels for aspect, part in described.aspects.items()},
        measured={aspect: _measured(described.metrics, aspect) for aspect in described.aspects},
        golden=golden(bundle),
    )


def golden(bundle: Bundle) -> tuple[GoldenTicket, ...]:
    """Give the bundle's golden tickets; none where it has none. Raises `BadBundle`."""
    name = bundle.manifest.golden
    if name is None:
        return ()
    try:
        told = _Golden.model_validate_json(bundle.files[name])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadBundle(f"{name} holds no golden tickets: {place}: {first['msg']}") from error
    return tuple(
        GoldenTicket(
            text=ticket.text,
            answers={
                aspect: GoldenAnswer(label=answer.label, confidence=answer.confidence)
                for aspect, answer in ticket.answers.items()
            },
        )
        for ticket in told.tickets
    )


def _measured(metrics: Mapping[str, Any], aspect: Aspect) -> Measured:
    """Read what is there: figures are for people, and a bundle need not have all of them."""
    told = metrics.get(aspect)
    test = told.get("test", {}) if isinstance(told, dict) else {}
    answered = test.get("answered", {})
    return Measured(
        **{name: test.get(name) for name in ("macro_f1", "linear", "majority")},
        tickets=test.get("n", 0),
        coverage=answered.get("coverage", 0.0),
        precision=answered.get("precision", 0.0),
    )
