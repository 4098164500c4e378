"""Which texts are the same ticket, or nearly: exact copies, and clusters by MinHash."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

NEAR = 0.7
"""Estimated share of word triples in common from which two texts belong together."""
PERMUTATIONS = 64
WORDS = 3
MOST_WORDS = 200
"""Words looked at; templates and forwarded alarms show within them."""


def last_of_each(texts: Sequence[str]) -> list[int]:
    """Give the places of the last of each text; what a copy was labelled last is what counts."""
    last = {" ".join(text.casefold().split()): place for place, text in enumerate(texts)}
    return sorted(last.values())


def clusters(texts: Sequence[str], seed: int) -> NDArray[np.intp]:
    """Number texts so that near-duplicates, directly or by a chain, share a number."""
    index = MinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS)
    parents = list(range(len(texts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    sets = [_shingles(text) for text in texts]
    hashes = MinHash.generator(sets, num_perm=PERMUTATIONS, seed=seed + 1)
    for place, one in enumerate(hashes):
        for other in index.query(one):
            parents[root(place)] = root(other)
        index.insert(place, one)
    return np.array([root(place) for place in range(len(texts))], np.intp)


def _shingles(text: str) -> list[bytes]:
    words = text.casefold().split()[:MOST_WORDS]
    last = max(1, len(words) - WORDS + 1)
    grams = {" ".join(words[place : place + WORDS]) for place in range(last)}
    return [blake2b(gram.encode("utf-8", "replace"), digest_size=8).digest() for gram in grams]
