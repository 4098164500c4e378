"""The net under every rule about secrets: what was resolved in this process stands in no log."""

import json
from threading import Lock
from urllib.parse import quote, quote_plus

from connector.model import Secret

SHORTEST = 6
"""Characters from which a secret is looked for: shorter ones would blank words of anybody."""

HIDDEN = "***"

_lock = Lock()
_spellings: tuple[str, ...] = ()


def remember(secret: Secret) -> None:
    """Have a secret hidden from now on, as it is and as JSON and addresses spell it."""
    global _spellings  # noqa: PLW0603 - a log has no owner that could carry them
    text = secret.reveal()
    if len(text) < SHORTEST:
        return
    known = {text, quote(text, safe=""), quote_plus(text), repr(text)[1:-1]}
    for is_ascii in (False, True):  # a line of the log is JSON itself
        known |= {json.dumps(each, ensure_ascii=is_ascii)[1:-1] for each in known}
    with _lock:
        # The longest first: a secret that is part of another leaves nothing of it behind.
        _spellings = tuple(sorted({*_spellings, *known}, key=lambda each: (-len(each), each)))


def redact(text: str) -> str:
    """Give a text without any secret that was resolved so far."""
    for spelling in _spellings:
        if spelling in text:
            text = text.replace(spelling, HIDDEN)
    return text
