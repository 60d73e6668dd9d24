"""Hashed word and character n-grams, weighted by TF-IDF: what an embedding forgets (names, codes, slips)."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.protocols import FloatArray, IntArray

FloatMatrix = NDArray[np.float64]

WORD = re.compile(r"\w+")
#: Words (one and two) hash into the first half of the buckets, character n-grams (two to five) into the second.
HALF = 1 << 17
SHORTEST, LONGEST = 2, 5


@dataclass(frozen=True)
class TextNgrams:
    """The n-grams of one text, and whose they are.

    words: in lower case, in reading order; buckets: int64, each once, in the order in which they are met (words, pairs
    of words, character n-grams); counts: float32, how often; places: where in `buckets` each occurrence is counted;
    owners: the word of each occurrence of a character n-gram.
    """

    words: tuple[str, ...]
    buckets: IntArray
    counts: FloatArray
    places: IntArray
    owners: IntArray

    @cached_property
    def firsts(self) -> IntArray:
        """Where each word stands for the first time, shape (words,)."""
        seen: dict[str, int] = {}
        return np.array([seen.setdefault(word, at) for at, word in enumerate(self.words)], dtype=np.int64)

    def by_word(self, shares: FloatMatrix) -> FloatMatrix:
        """Return each word's part, shape (words,), in what the buckets are worth: half a pair's is each word's.

        shares: float64 of shape (buckets,), spread evenly over the occurrences of each. A word that stands there
        several times has it all at its first place.
        """
        count = len(self.words)
        each = (shares / self.counts)[self.places]
        found = each[:count] + np.bincount(self.owners, weights=each[max(0, 2 * count - 1) :], minlength=count)
        pairs = each[count : 2 * count - 1] / 2
        found[:-1] += pairs
        found[1:] += pairs
        return np.bincount(self.firsts, weights=found, minlength=count).astype(np.float64)


def read_ngrams(text: str) -> TextNgrams:
    """Return a text's n-grams."""
    words = tuple(WORD.findall(text.lower()))
    if not words:
        nothing = np.zeros(0, dtype=np.int64)
        return TextNgrams(words, nothing, nothing.astype(np.float32), nothing, nothing)
    pairs = [_bucket(f"{first} {second}") for first, second in pairwise(words)]
    found = [_buckets_of_word(word) for word in words]
    lengths = np.array(list(map(len, found)))
    joined = np.concatenate(found)
    heads = np.cumsum(lengths) - lengths
    is_word = np.zeros(len(joined), dtype=bool)
    is_word[heads] = True
    every = np.concatenate([joined[heads], np.array(pairs, dtype=np.int64), joined[~is_word]])
    buckets, firsts, places, counts = np.unique(every, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(firsts)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    owners = np.repeat(np.arange(len(words)), lengths - 1)
    return TextNgrams(words, buckets[order], counts[order].astype(np.float32), rank[places], owners)


def count_ngrams(texts: Sequence[str]) -> sparse.csr_matrix:
    """Return counts, float32 of shape (len(texts), 2 * HALF)."""
    found = [read_ngrams(text) for text in texts]
    ends = np.cumsum([0, *(len(each.buckets) for each in found)])
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *(each.buckets for each in found)])
    data = np.concatenate([np.zeros(0, dtype=np.float32), *(each.counts for each in found)])
    return sparse.csr_matrix((data, indices, ends), shape=(len(texts), 2 * HALF))


def _bucket(words: str) -> int:
    return zlib.crc32(words.encode()) % HALF


@lru_cache(maxsize=4096)
def _buckets_of_word(word: str) -> IntArray:
    """Return the buckets of a word and of its character n-grams. Most words of a ticket stood in the last ones, too."""
    padded = f" {word} "
    grams = (
        HALF + zlib.crc32(padded[start : start + size].encode()) % HALF
        for size in range(SHORTEST, LONGEST + 1)
        for start in range(len(padded) - size + 1)
    )
    return np.array([_bucket(word), *grams], dtype=np.int64)


@dataclass(frozen=True)
class NgramRow:
    """Features of one text, as far as they are known: what a row of `NgramWeights.transform` holds.

    places: which of the text's buckets they are; indices: their columns, int64; data: float32.
    """

    places: IntArray
    indices: IntArray
    data: FloatArray


@dataclass(frozen=True)
class NgramWeights:
    """The buckets that training texts filled, and their inverse document frequencies.

    columns: int64 of shape (features,), ascending; idf: float32 of the same shape.
    """

    columns: IntArray
    idf: FloatArray

    @classmethod
    def fit(cls, counts: sparse.csr_matrix, most: int = 2 * HALF) -> "NgramWeights":
        """Learn from the counts of training texts; keep the `most` buckets that the most of them filled."""
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        columns = np.flatnonzero(documents)
        if len(columns) > most:
            columns = np.sort(columns[np.argsort(-documents[columns], kind="stable")[:most]])
        idf = np.log((1 + counts.shape[0]) / (1 + documents[columns])) + 1
        return cls(columns.astype(np.int64), idf.astype(np.float32))

    def row(self, ngrams: TextNgrams) -> NgramRow:
        """Return the features of one text, the numbers of `transform` to the last bit, in a tenth of the time."""
        columns = self._column_of[ngrams.buckets]
        places = np.flatnonzero(columns >= 0)
        columns = columns[places]
        data = (1 + np.log(ngrams.counts[places])) * self.idf[columns]
        halves = (self.columns[columns] >= HALF).astype(np.int64)
        norms = np.sqrt(np.bincount(halves, weights=data * data, minlength=2))
        return NgramRow(places, columns, (data / norms[halves]).astype(np.float32))

    def idf_of_words(self, ngrams: TextNgrams, words: IntArray) -> FloatArray:
        """Return the inverse document frequency of a text's words, given by place; infinite where it was never met."""
        columns = self._column_of[ngrams.buckets[ngrams.places[words]]]  # a text's first n-grams are its words
        return np.where(columns >= 0, self.idf[columns], np.float32(np.inf))

    @cached_property
    def _column_of(self) -> IntArray:
        """The column of each bucket, -1 where training texts did not fill it."""
        table = np.full(2 * HALF, -1, dtype=np.int64)
        table[self.columns] = np.arange(len(self.columns))
        return table

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
