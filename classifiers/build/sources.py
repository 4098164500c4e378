"""Whose work a bundle holds: data with fingerprints, licences with attribution."""

from typing import Any

from classifiers.build.measure import Read
from classifiers.build.tickets import fingerprint

AUTHORS = "The triaged authors."
LICENCES = (
    {
        "what": "encoder weights and vocabulary",
        "licence": "Apache-2.0",
        "attribution": "all-MiniLM-L6-v2 by the sentence-transformers project, fine-tuned from "
        "nreimers/MiniLM-L6-H384-uncased. Changed by the triaged authors: converted to "
        "DistilBERT's form, written as a fused ONNX graph, quantised to int8.",
    },
    {
        "what": "heads, label descriptions and the tickets that they were learnt from",
        "licence": "Apache-2.0",
        "attribution": AUTHORS,
    },
)


def data(own: Read, helpers: Read | None) -> list[dict[str, Any]]:
    """List the data that heads were learnt from or measured on."""
    listed = [_source(own, "tickets written for triaged", "Apache-2.0", AUTHORS)]
    if helpers:
        attribution = (
            "Senti4SD by the Collaborative Development Group, University of Bari "
            "(Calefato, Lanubile, Maiorano, Novielli); posts by Stack Overflow's contributors. "
            "No text of it is in the bundle."
        )
        licence = "MIT; texts CC BY-SA"
        listed.append(_source(helpers, "Senti4SD, train split (sentiment)", licence, attribution))
    return listed


def _source(read: Read, name: str, licence: str, attribution: str) -> dict[str, Any]:
    return {
        "name": name,
        "rows": len(read.examples),
        "licence": licence,
        "attribution": attribution,
        "sha256": fingerprint(read.examples),
    }
