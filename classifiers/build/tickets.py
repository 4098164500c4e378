"""Labelled texts: ours and public ones, read, fingerprinted and split by near-duplicate cluster."""

import csv
import gzip
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connector.errors import BadBundle
from connector.model import Aspect

DATA = Path(__file__).parents[1] / "data"
LANGUAGES = ("en", "fr", "de", "es")

Split = Literal["train", "valid", "test"]
TRAIN_SHARE, VALID_SHARE = 60, 20
"""Percent; the rest is the test split."""
SHINGLE = 3
"""Words in a row that two texts may share."""
LIKE_ENOUGH = 0.3
"""Jaccard of shingles at which two texts count as one plot; unrelated tickets stay under 0.05."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A text as the model sees it, its labels, its language and its part of the split."""

    id: str
    text: str
    language: str
    labels: Mapping[Aspect, str]
    split: Split
    cluster: str
    """The id of the first text of its near-duplicate cluster: never split over folds."""


def own_tickets(folder: Path = DATA) -> list[Example]:
    """Read our own tickets of every language, split 60/20/20 by near-duplicate cluster.

    A translation is in the cluster of what it translates.
    """
    rows: list[dict[str, Any]] = []
    for language in LANGUAGES:
        path = folder / f"tickets-{language}.yaml"
        if path.exists():
            rows += [row | {"language": language} for row in read_yaml(path)]
    texts = [ticket_text(row["subject"], row["body"]) for row in rows]
    firsts = [
        row.get("translates", rows[first]["id"])
        for row, first in zip(rows, clusters(texts), strict=True)
    ]
    aspects = (Aspect.CATEGORY, Aspect.PRIORITY, Aspect.SENTIMENT)
    return [
        Example(
            id=row["id"],
            text=text,
            language=row["language"],
            labels={aspect: row[aspect] for aspect in aspects},
            split=split_of(first),
            cluster=first,
        )
        for row, text, first in zip(rows, texts, firsts, strict=True)
    ]


def ticket_text(subject: str, body: str) -> str:
    """Join a ticket's subject and body as the daemon does."""
    return f"{subject.strip()}\n\n{body.strip()}"


def read_yaml(path: Path) -> Any:
    """Read a YAML file of ours; raises `BadBundle` that names the place."""
    try:
        return YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        raise BadBundle(f"{path} cannot be read: {error}") from error


def seed_labels(folder: Path = DATA) -> dict[str, tuple[str, ...]]:
    """Give the seed categories, each with its descriptions of all languages."""
    raw = read_yaml(folder / "labels.yaml")
    return {
        label: tuple(text for texts in by_language.values() for text in texts)
        for label, by_language in raw.items()
    }


def senti4sd(path: Path) -> list[Example]:
    """Read Senti4SD (CSV, gzip: id, split, body, sentiment) with its published train and test."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, ValueError) as error:
        raise BadBundle(f"{path} cannot be read: {error}") from error
    return [
        Example(
            id=row["id"],
            text=row["body"],
            language="en",
            labels={Aspect.SENTIMENT: row["sentiment"]},
            split="train" if row["split"] == "train" else "test",
            cluster=row["id"],
        )
        for row in rows
    ]


def fingerprint(examples: Iterable[Example]) -> str:
    """Hash ids, texts and labels in order: tells data apart without holding any."""
    digest = hashlib.sha256()
    for example in examples:
        told = (example.id, example.text, *sorted(f"{k}={v}" for k, v in example.labels.items()))
        digest.update("\x1f".join(told).encode() + b"\x1e")
    return digest.hexdigest()


def split_of(key: str) -> Split:
    """Assign a cluster by the hash of its first id, so that new tickets move no old ones."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100
    if place < TRAIN_SHARE:
        return "train"
    return "valid" if place < TRAIN_SHARE + VALID_SHARE else "test"


def clusters(texts: Sequence[str]) -> list[int]:
    """Give for each text the place of the first text of its near-duplicate cluster."""
    shingles = [_shingles(text) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    parent = list(range(len(texts)))
    for place, mine in enumerate(shingles):
        candidates = {other for shingle in mine for other in holders[shingle]}
        for other in sorted(candidates):
            if _jaccard(mine, shingles[other]) >= LIKE_ENOUGH:
                roots = sorted((_root(parent, place), _root(parent, other)))
                parent[roots[1]] = roots[0]
        for shingle in mine:
            holders[shingle].append(place)
    return [_root(parent, place) for place in range(len(texts))]


def _shingles(text: str) -> frozenset[str]:
    words = _WORD.findall(text.lower())
    last = max(1, len(words) - SHINGLE + 1)
    return frozenset(" ".join(words[start : start + SHINGLE]) for start in range(last))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def _root(parent: list[int], place: int) -> int:
    while parent[place] != place:
        place = parent[place]
    return place
