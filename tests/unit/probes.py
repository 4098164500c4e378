"""The probes of tests/fixtures/probes: read, wrapped, asked about, and counted."""

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from connector.clean import clean
from connector.model import Aspect, Reading, Status, Ticket, TicketId
from connector.ports import Classifier

FOLDER = Path(__file__).parents[1] / "fixtures" / "probes"
CLAIMED = ("en", "fr", "de", "es")
OTHERS = ("it", "nl", "pl")
ASPECTS = (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT)
KINDS = ("greeting", "signature", "quoted thread", "HTML", "log dump")
WHEN = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A ticket as a probe file has it."""

    subject: str
    body: str
    language: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a model said about one aspect: its likeliest label, and what would be written."""

    likeliest: str
    written: str | None


Answers = Sequence[Mapping[Aspect, Told]]
Ask = Callable[[Sequence[str]], Answers]
Treat = Callable[[Probe], str]


def read(kind: str, languages: Sequence[str] = CLAIMED) -> list[Probe]:
    """Give the tickets of one kind, language by language."""
    return [
        Probe(subject=subject, body=body, language=language)
        for language in languages
        for subject, _, body in (
            block.strip().partition("\n")
            for block in (FOLDER / f"{kind}-{language}.txt").read_text("utf-8").split("\n\n")
        )
    ]


def cleaned(probe: Probe) -> str:
    """Give the text that the daemon's model sees."""
    ticket = Ticket(
        id=TicketId("1"),
        subject=probe.subject,
        description=probe.body,
        status=Status.OPEN,
        revision="1",
        created_at=WHEN,
        updated_at=WHEN,
    )
    return clean(ticket)


def raw(probe: Probe) -> str:
    """Give subject and body as they came."""
    return f"{probe.subject}\n{probe.body}"


def asking(classifier: Classifier) -> Ask:
    """Ask a bundle, each text once."""

    known: dict[str, Reading] = {}

    def ask(texts: Sequence[str]) -> Answers:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, classifier.predict(new), strict=True))
        return [
            {
                one.aspect: Told(one.ranking[0][0] if one.ranking else "", one.label)
                for one in known[text].predictions
            }
            for text in texts
        ]

    return ask


@cache
def _wrappings(name: str) -> Any:
    return YAML(typ="safe").load(FOLDER / f"{name}.yaml")


def wrapped(probe: Probe, kind: str, number: int) -> Probe:
    """Put the wrapping of that number around a ticket; there are always more, in turn."""
    known = _wrappings(f"wrappings-{probe.language}")

    def pick(name: str) -> str:
        return str(known[name][number % len(known[name])])

    if kind == "greeting":
        gap = "\n\n" if number % 2 else "\n"
        return replace(probe, body=f"{pick('greetings')}{gap}{probe.body}")
    if kind == "signature":
        return replace(probe, body=f"{probe.body}\n\n{pick('signatures')}")
    if kind == "quoted thread":
        return replace(
            probe, subject=f"RE: {probe.subject}", body=f"{probe.body}\n\n{pick('quoted')}"
        )
    if kind == "HTML":
        text = html.escape(probe.body).replace("\n", "<br>")
        return replace(probe, body=pick("html").replace("{text}", text))
    logs = _wrappings("logs")
    log = logs[number % len(logs)]
    above, below = [("", f"\n\n{log}"), (f"{log}\n\n", ""), (f"{log}\n\n", f"\n\n{log}")][
        number % 3
    ]
    return replace(probe, body=f"{above}{probe.body}{below}")


def rounds(probes: Sequence[Probe], kind: str, count: int) -> Iterator[list[Probe]]:
    """Give the tickets `count` times, each time in other wrappings of one kind."""
    for turn in range(count):
        yield [wrapped(probe, kind, place + turn) for place, probe in enumerate(probes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Shares of answers that a wrapping changed."""

    likeliest: float
    """Another label is likeliest, whether or not it would be written."""
    written: float
    """Another label would be written than before."""
    silent: float
    """Something would be written where nothing was, or the other way round."""


def moved(
    ask: Ask, treat: Treat, probes: Sequence[Probe], kind: str, count: int
) -> dict[Aspect, Moved]:
    """Tell by aspect what wrappings of one kind change."""
    pairs = []
    before = ask([treat(probe) for probe in probes])
    for turn in rounds(probes, kind, count):
        pairs += list(zip(before, ask([treat(probe) for probe in turn]), strict=True))
    return {
        aspect: _moved([(one[aspect], other[aspect]) for one, other in pairs]) for aspect in ASPECTS
    }


def _moved(pairs: Sequence[tuple[Told, Told]]) -> Moved:
    def share(changed: Callable[[Told, Told], bool]) -> float:
        return sum(changed(one, other) for one, other in pairs) / len(pairs)

    return Moved(
        likeliest=share(lambda one, other: one.likeliest != other.likeliest),
        written=share(
            lambda one, other: bool(one.written and other.written and one.written != other.written)
        ),
        silent=share(lambda one, other: (one.written is None) != (other.written is None)),
    )


def shares(ask: Ask, probes: Sequence[Probe], aspect: Aspect) -> dict[str | None, float]:
    """Give the share of each label that would be written; `None` for abstention."""
    given = [one[aspect].written for one in ask([cleaned(probe) for probe in probes])]
    return {label: given.count(label) / len(given) for label in {*given}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """How far two or more languages of the same tickets agree."""

    same: float
    """Of the tickets that are answered in all of them, the share with one and the same label."""
    abstained: float
    """The share of tickets not answered in at least one of them."""
    likeliest: float
    """The share of all tickets with the same likeliest label, written or not."""


def alike(ask: Ask, languages: Sequence[str], aspect: Aspect) -> Alike:
    """Compare the tickets that are given in every language."""
    told = [
        [one[aspect] for one in ask([cleaned(probe) for probe in read("same", [language])])]
        for language in languages
    ]
    rows = list(zip(*told, strict=True))
    whole = [row for row in rows if all(one.written for one in row)]
    same = sum(len({one.written for one in row}) == 1 for row in whole)
    likeliest = sum(len({one.likeliest for one in row}) == 1 for row in rows)
    return Alike(
        same=same / max(1, len(whole)),
        abstained=1 - len(whole) / len(rows),
        likeliest=likeliest / len(rows),
    )
