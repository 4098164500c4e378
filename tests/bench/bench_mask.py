"""Prints how much of the personal data that `mask` claims it finds, and how often it is right."""

import gzip
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from connector.clean import mask

DATA = Path(__file__).parents[3] / "shared/data/pii_en_presidio/data.jsonl.gz"
CLAIMED = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "IBAN_CODE": "IBAN",
    "CREDIT_CARD": "CARD",
    "US_SSN": "ID",
    "IP_ADDRESS": "IP",
}
_PLACEHOLDER = re.compile(r"<(EMAIL|PHONE|IBAN|CARD|ID|IP|URL|SECRET)>")


def spans_of(text: str, masked: str) -> list[tuple[int, int, str]]:
    """Give (start, end, kind) in `text` of each placeholder, by walking the text kept between."""
    spans = []
    position = 0
    pieces = _PLACEHOLDER.split(masked)
    for kept, kind, following in zip(pieces[::2], pieces[1::2], pieces[2::2], strict=False):
        start = position + len(kept)
        position = text.index(following, start + 1) if following else len(text)
        spans.append((start, position, kind))
    return spans


def main() -> None:
    if not DATA.exists():
        sys.exit(f"{DATA} is not there: this benchmark needs the shared data")
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    truth: Counter[str] = Counter()
    found: Counter[str] = Counter()
    right: Counter[str] = Counter()
    any_kind: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    misses: list[str] = []
    spent = 0.0
    for row in rows:
        begin = time.perf_counter()
        masked = mask(row["text"])
        spent += time.perf_counter() - begin
        guessed = spans_of(row["text"], masked)
        wanted = [(s, e, CLAIMED[k]) for s, e, k in row["spans"] if k in CLAIMED]
        truth.update(kind for _, _, kind in wanted)
        found.update(kind for _, _, kind in guessed)
        for start, end, kind in wanted:
            hits = [g for g in guessed if g[0] < end and start < g[1]]
            any_kind[kind] += bool(hits)
            right[kind] += any(g[2] == kind for g in hits)
            exact[kind] += (start, end, kind) in guessed
            if not hits:
                misses.append(f"missed {kind}: {row['text'][max(0, start - 40) : end + 10]!r}")
        misses += [
            f"wrong {kind}: {row['text'][max(0, s - 40) : e + 10]!r}"
            for s, e, kind in guessed
            if not any(w[0] < e and s < w[1] for w in wanted)
        ]
    print(f"{'kind':6} {'n':>4} {'recall':>7} {'any':>6} {'exact':>6} {'precision':>9}")
    for kind in sorted(truth | found):
        n, guesses = truth[kind], found[kind]
        recall, loose, tight = (c[kind] / n if n else 0.0 for c in (right, any_kind, exact))
        precision = right[kind] / guesses if guesses else 0.0
        print(f"{kind:6} {n:4} {recall:7.3f} {loose:6.3f} {tight:6.3f} {precision:9.3f}")
    print(f"{1e6 * spent / len(rows):.0f} µs per text of {len(rows)}")
    if "-v" in sys.argv:
        print("\n".join(misses))


if __name__ == "__main__":
    main()
