"""Hashed word and character n-grams, weighted by TF-IDF: what an embedding forgets (names, codes, slips)."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import sparse

from models.protocols import FloatArray, IntArray

WORD = re.compile(r"\w+")
#: Words (one and two) hash into the first half of the buckets, character n-grams (two to five) into the second.
HALF = 1 << 17
SHORTEST, LONGEST = 2, 5


def count_ngrams(texts: Sequence[str]) -> sparse.csr_matrix:
    """Return counts, float32 of shape (len(texts), 2 * HALF)."""
    indices: list[int] = []
    values: list[int] = []
    ends = [0]
    for text in texts:
        counts = Counter(_buckets(text))
        indices += counts.keys()
        values += counts.values()
        ends.append(len(indices))
    data = np.array(values, dtype=np.float32)
    return sparse.csr_matrix((data, np.array(indices, dtype=np.int64), ends), shape=(len(texts), 2 * HALF))


def _buckets(text: str) -> Iterator[int]:
    words = WORD.findall(text.lower())
    for gram in (*words, *(f"{first} {second}" for first, second in pairwise(words))):
        yield zlib.crc32(gram.encode()) % HALF
    for word in words:
        yield from _buckets_of_word(word)


@lru_cache(maxsize=4096)
def _buckets_of_word(word: str) -> tuple[int, ...]:
    """Return the buckets of a word's character n-grams. Most words of a ticket stood in the last ones, too."""
    padded = f" {word} "
    return tuple(
        HALF + zlib.crc32(padded[start : start + size].encode()) % HALF
        for size in range(SHORTEST, LONGEST + 1)
        for start in range(len(padded) - size + 1)
    )


@dataclass(frozen=True)
class NgramWeights:
    """The buckets that training texts filled, and their inverse document frequencies.

    columns: int64 of shape (features,), ascending; idf: float32 of the same shape.
    """

    columns: IntArray
    idf: FloatArray

    @classmethod
    def fit(cls, counts: sparse.csr_matrix) -> "NgramWeights":
        """Learn from the counts of training texts."""
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        columns = np.flatnonzero(documents)
        idf = np.log((1 + counts.shape[0]) / (1 + documents[columns])) + 1
        return cls(columns.astype(np.int64), idf.astype(np.float32))

    def transform(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return features of shape (rows, features): (1 + log count) x idf, each half of norm 1 or 0."""
        if not len(self.columns):
            return sparse.csr_matrix((counts.shape[0], 0), dtype=np.float32)
        places = np.searchsorted(self.columns, counts.indices)
        known = np.flatnonzero(self.columns[np.minimum(places, len(self.columns) - 1)] == counts.indices)
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))[known]
        columns = places[known]
        data = (1 + np.log(counts.data[known])) * self.idf[columns]
        # Each half of each row is scaled to the same norm: group 2 x row for words, 2 x row + 1 for characters.
        groups = 2 * rows + (self.columns[columns] >= HALF)
        norms = np.sqrt(np.bincount(groups, weights=data * data, minlength=2 * counts.shape[0]))
        scaled = (data / norms[groups]).astype(np.float32)
        # Row by row already: by way of coordinates SciPy would take ten times as long for one text.
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=counts.shape[0]))])
        return sparse.csr_matrix((scaled, columns, ends), shape=(counts.shape[0], len(self.columns)))


def join_features(vectors: FloatArray, ngrams: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return embeddings and n-grams side by side, float32 of shape (rows, dimension + features)."""
    return sparse.hstack([sparse.csr_matrix(vectors), ngrams], format="csr", dtype=np.float32)
