"""Which language a text is in, or nothing when it is too short or too mixed to tell."""

from functools import cache
from itertools import islice
from threading import Lock
from typing import Any

import structlog

CANDIDATES = (
    *("cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ro", "sv"),
    *("ar", "el", "he", "ja", "ko", "ru", "tr", "uk", "zh"),
)
"""Languages that help desks are written to in; rarer ones only draw short texts to themselves."""

FEWEST_LETTERS = 12
"""Shorter texts ("VPN down", a product name) carry no reliable sign."""
LEAST_CONFIDENCE = 0.5
"""py3langid's normalised score: at it 99 of 100 of our tickets' subject lines are told rightly."""
LONGEST = 1000
"""Characters looked at; more changes nothing but the time."""

_loading = Lock()
_log = structlog.get_logger()


def identify(text: str) -> str:
    """Give the ISO 639-1 code, or the empty string when unsure. Never raises because of a text."""
    sample = text[:LONGEST].encode("utf-8", "ignore").decode("utf-8")
    letters = islice(filter(str.isalpha, sample), FEWEST_LETTERS)
    if sum(1 for _ in letters) < FEWEST_LETTERS:
        return ""
    identifier = _loaded()
    if identifier is None:
        return ""
    code, confidence = identifier.classify(sample)
    return str(code) if confidence >= LEAST_CONFIDENCE else ""


def warm() -> None:
    """Load what `identify` needs, once; safe from any thread."""
    _loaded()


def _loaded() -> Any:
    with _loading:
        return _identifier()


@cache
def _identifier() -> Any:
    # Here and not above: the module reads five megabytes, which a process may never need.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - see above

    try:
        # It unpacks its tables through a temporary file, which a locked-down service may lack.
        whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    except OSError as error:
        _log.warning("languages_unknown", error=str(error))
        return None
    whole.set_languages(CANDIDATES)
    # A second one of the restricted tables alone: the first would keep those of all languages.
    return LanguageIdentifier(
        whole.nb_ptc,
        whole.nb_pc,
        whole.nb_classes,
        whole.tk_nextmove,
        whole.tk_output,
        norm_probs=True,
        tk_row=whole.tk_row,
    )
