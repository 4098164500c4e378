"""A trained bundle's folder: what was learnt over what the shipped bundle already knows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.build.golden import GOLDEN, golden
from classifiers.build.splice import splice
from classifiers.build.train import LEAST
from classifiers.build.write import packed, write_bundle
from classifiers.bundle import Bundle, open_bundle
from classifiers.dial import promises
from classifiers.engine import BundleEngine
from classifiers.manifest import EncoderPart, LinearMember
from classifiers.training.calibrate import calibrated, least_energy
from classifiers.training.choose import Question, Tried
from classifiers.training.kept import Numbers
from classifiers.training.rungs import LOOSER, HeadsRung, Learnt, Rung, TunedEncoder
from connector.model import Aspect

CARD = "README.md"


@dataclass(slots=True, kw_only=True)
class Draft:
    """A bundle in the making; aspects that were not learnt stay as the shipped bundle has them."""

    base: Bundle
    aspects: dict[Aspect, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, Numbers] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    encoders: dict[str, dict[str, Any]] = field(default_factory=dict)
    licences: list[dict[str, str]] = field(default_factory=list)
    found: dict[Aspect, dict[str, Any]] = field(default_factory=dict)
    data: dict[str, Any] | None = None

    @property
    def encoder(self) -> EncoderPart:
        """Give the shipped encoder's description."""
        return self.base.manifest.encoders[self.base.manifest.main]

    def states(self, aspect: Aspect) -> tuple[int, ...]:
        """Tell which pooled states heads may look at: mood is in all, topic in the upper ones."""
        whole = range(self.encoder.states)
        return tuple(whole[len(whole) // 2 :] if aspect is Aspect.CATEGORY else whole)

    def heads(self, aspect: Aspect) -> Sequence[HeadsRung]:
        """Give the kinds of head that are tried."""
        if aspect is not Aspect.CATEGORY:
            return [HeadsRung()]
        topic = (self.states(aspect).index(self.encoder.vector),)
        one = HeadsRung(states=topic, size=self.encoder.size)
        return [one, replace(one, strength=LOOSER), HeadsRung()]

    def add(
        self,
        aspect: Aspect,
        question: Question,
        choice: Tried,
        learnt: Sequence[Learnt],
        languages: tuple[str, ...],
    ) -> None:
        """Take an aspect's members in, calibrated on their held-out answers."""
        shares = choice.probabilities
        told, honest = calibrated(shares, question.gold, question.folds)
        held = honest.apply(shares)
        members = []
        for place, (rung, model) in enumerate(zip(choice.rungs, learnt, strict=True)):
            name = f"{aspect}.{place}"
            self.arrays |= {f"{name}.{part}": array for part, array in model.arrays.items()}
            described = self._member(aspect, rung, model.encoder, len(question.labels))
            described["temperature"] = choice.temperatures[place]
            if model.vocabulary is not None:
                described["vocabulary"] = f"{aspect}-{place}-vocabulary.json"
                self.files[described["vocabulary"]] = model.vocabulary
            members.append(described)
        self.aspects[aspect] = {
            "labels": question.labels,
            "members": members,
            "shares": choice.shares,
            "calibration": told,
            "abstain_below": LEAST,
            "scope": {
                "kind": "energy",
                "member": len(members) - 1,
                "threshold": least_energy(choice.logits[-1]),
            },
            "languages": languages,
            "promises": promises(held, question.gold, question.labels),
        }
        # By them promises are worked out anew when a tenant merges labels.
        self.arrays |= {f"{aspect}.held": held, f"{aspect}.gold": question.gold.astype(np.float32)}
        self.found[aspect] = {}

    def _member(
        self, aspect: Aspect, rung: Rung, own: TunedEncoder | None, labels: int
    ) -> dict[str, Any]:
        if own is not None:
            return self._tuned(str(aspect), own, labels)
        if not rung.needs_states:
            return {"kind": rung.name}
        states = self.states(aspect)
        if isinstance(rung, HeadsRung) and rung.states:
            states = tuple(states[place] for place in rung.states)
        return {"kind": rung.name, "encoder": self.base.manifest.main, "states": states}

    def _tuned(self, aspect: str, own: TunedEncoder, labels: int) -> dict[str, Any]:
        """Take a fitted encoder in: onto the shipped one where it is built upon it."""
        if own.shared:
            return self._spliced(own, labels)
        name = f"{aspect}-tuned"
        # A tokenizer that is the shipped one's is not stored twice.
        tokenizer = self.encoder.tokenizer
        if own.tokenizer != self.base.files[tokenizer]:
            tokenizer = f"{name}-tokenizer.json"
            self.files[tokenizer] = own.tokenizer
        self.files[f"{name}.onnx"] = own.model
        self.encoders[name] = {
            "model": f"{name}.onnx",
            "tokenizer": tokenizer,
            "tokens": own.tokens,
            "tail": own.tail,
            "size": own.size,
            "states": own.states,
            "vector": own.states - 1,
            "outputs": {own.output: labels},
        }
        return {"kind": "distilbert", "encoder": name, "output": own.output}

    def _spliced(self, own: TunedEncoder, labels: int) -> dict[str, Any]:
        main = self.base.manifest.main
        part = self.base.manifest.encoders[main]
        trunk = self.files.get(part.model, self.base.files[part.model])
        self.files[part.model] = splice(trunk, own.model, shared=own.shared, output=own.output)
        described = self.encoders.setdefault(main, part.model_dump(mode="json"))
        described["outputs"] = {**described["outputs"], own.output: labels}
        return {"kind": "distilbert", "encoder": main, "output": own.output}


def write(folder: Path, draft: Draft, name: str, engine: BundleEngine | None = None) -> Bundle:
    """Write, seal and verify; with an engine also the golden tickets that it answers."""
    base = draft.base.manifest
    described = base.model_dump(mode="json", exclude={"format", "seal", "files", "golden"})
    kept = {aspect: part for aspect, part in base.aspects.items() if aspect not in draft.aspects}
    arrays = {
        key: array
        for key, array in draft.base.arrays().items()
        if key.split(".")[0] not in draft.aspects
    }
    now = datetime.now(UTC)
    described |= {
        "name": re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:64] or "trained",
        "version": f"{now:%Y.%m.%d.%H%M%S}",
        "created": now.date().isoformat(),
        "aspects": {aspect: part.model_dump(mode="json") for aspect, part in kept.items()}
        | draft.aspects,
        "metrics": {**described["metrics"], **draft.found},
        "data": [*described["data"], *filter(None, [draft.data])],
        "encoders": described["encoders"] | draft.encoders,
        "licences": [*described["licences"], *draft.licences],
    }
    files = _shared(draft.base) | draft.files
    files[base.arrays] = packed(
        {key: np.asarray(one) for key, one in (arrays | draft.arrays).items()}
    )
    if engine is not None:
        files[GOLDEN] = golden(engine)
        files[CARD] = card(described).encode()
        described["golden"] = GOLDEN
    write_bundle(folder, files=files, described=described)
    return open_bundle(folder)


def _shared(base: Bundle) -> dict[str, bytes]:
    """Give the files of the shipped bundle that every bundle made from it needs."""
    parts = base.manifest.encoders.values()
    names = {name for part in parts for name in (part.model, part.tokenizer)}
    members = (member for part in base.manifest.aspects.values() for member in part.members)
    names |= {member.vocabulary for member in members if isinstance(member, LinearMember)}
    return {name: base.files[name] for name in sorted(names)}


def card(described: dict[str, Any]) -> str:
    """Render what was measured for people."""
    lines = [
        f"# {described['name']} {described['version']}",
        "",
        "Learnt from a desk's own history by `triaged train`, measured on tickets kept aside.",
        "",
        "| aspect | macro-F1 | linear | majority | tickets | ECE |",
        "|---|---|---|---|---|---|",
    ]
    for aspect, found in described["metrics"].items():
        test = found.get("test", {}) if isinstance(found, dict) else {}
        if "ece" in test:
            figures = (test.get(key, "") for key in ("macro_f1", "linear", "majority", "n", "ece"))
            lines.append(f"| {aspect} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"
