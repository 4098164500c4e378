"""Golden tickets: synthetic ones, with what a bundle answers to them when it is made."""

import json

from classifiers.build.tickets import own_tickets
from classifiers.engine import BundleEngine

GOLDEN = "golden.json"
TICKETS = 12


def golden(engine: BundleEngine) -> bytes:
    """Ask about synthetic tickets, spread over our own; no text of the desk leaves it."""
    own = own_tickets()
    texts = [one.text for one in own[:: max(1, len(own) // TICKETS)]][:TICKETS]
    tickets = [
        {
            "text": text,
            "answers": {
                one.aspect: {"label": one.label, "confidence": round(one.confidence, 4)}
                for one in reading.predictions
            },
        }
        for text, reading in zip(texts, engine.classifier({}).predict(texts), strict=True)
    ]
    return json.dumps({"tickets": tickets}, ensure_ascii=False, indent=1).encode()
