"""Dense and lexical candidates, fused into one ranking that says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from models.protocols import FloatArray, IntArray
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document, Hit, Passage
from retrieval.fusion import DEFAULT, TOP, Candidates, Floats, Fusion, identifiers, lifted
from retrieval.lexical_index import LexicalIndex, tokenize

CANDIDATES = 50
#: So many rows are put in order first; sorting all of a large index takes longer than searching it.
ENOUGH_SORTED = 400
#: Scores no farther apart are of equal passages.
SAME_SCORE = 1e-6
#: A word that stands in a passage, and not in most of them, adds more than this to its BM25.
LEAST_WEIGHT = 1e-4

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class PassageSearch:
    """Search over the passages of one generation. Immutable but for what it remembers; safe from many threads.

    fusion: how far shared words count beside nearness in meaning.
    """

    documents: Mapping[str, Document]
    passages: Sequence[Passage]
    dense: DenseIndex
    lexical: LexicalIndex
    fusion: Fusion = DEFAULT
    #: The words of passages that were found before, by row: reading them anew took a fifth of a ticket's time.
    _words: dict[int, frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def find(
        self,
        query: str,
        vector: FloatArray,
        limit: int = 10,
        allowed: Callable[[Document], bool] = lambda document: True,
    ) -> list[Hit]:
        """Return the best passages for a query text and its unit vector, best first.

        `allowed` is asked before ranking, so that a passage that may not be seen never takes a place. A passage that
        holds an identifier of the query is among the first three; where it had to be moved up, its score is that of the
        place it takes. A query without a word of weight finds nothing. Raises `DamagedIndexError` for a vector that is
        no unit vector of the index's dimension.
        """
        asked = list(dict.fromkeys(tokenize(query)))
        if not self.passages or not asked:
            return []
        lexical, holders = self.lexical.scores(query), self._holders(query)
        found = self._candidates(vector, lexical, holders, allowed, len(asked))
        if not len(found.rows):
            return []
        rows, scores = found.rows.tolist(), self.fusion.scores(found)
        order = lifted(self._best_first(rows, scores), [holds[found.rows] for holds in holders])
        # A passage that was moved up takes the score of its place, and no score is below the next one.
        shown = np.maximum.accumulate(scores[order][::-1])[::-1].tolist()
        dense, shared = found.dense.tolist(), found.lexical.tolist()
        return [
            self._hit(asked, rows[place], score, dense[place], shared[place])
            for place, score in zip(order[:limit], shown, strict=False)
        ]

    def candidates(
        self, query: str, vector: FloatArray, allowed: Callable[[Document], bool] = lambda document: True
    ) -> Candidates:
        """Return the passages that `find` ranks, in no order: what the fusion learns from."""
        words = len(set(tokenize(query)))
        return self._candidates(vector, self.lexical.scores(query), self._holders(query), allowed, words)

    def _candidates(
        self,
        vector: FloatArray,
        lexical: FloatArray,
        holders: Sequence[Flags],
        allowed: Callable[[Document], bool],
        words: int,
    ) -> Candidates:
        """Return the allowed rows among the best of each kind, and of those that hold an identifier."""
        kinds = [self._by_meaning(vector, allowed), self._by_words(lexical, allowed)]
        kinds += [self._by_words(np.where(holds, lexical, 0), allowed, TOP) for holds in holders]
        rows = np.array(list(dict.fromkeys(row for kind in kinds for row in kind)), dtype=np.int64)
        return Candidates(rows, self.dense.scores_of(vector, rows), lexical[rows], words)

    def _best_first(self, rows: Sequence[int], scores: Floats) -> list[int]:
        """Return the places of candidates by score, those of one score by their passages' ids."""
        order = np.argsort(-scores, kind="stable")
        # Cosines of equal passages differ in their last bits.
        levels = np.concatenate([[0], np.cumsum(-np.diff(scores[order]) > SAME_SCORE)]).tolist()
        ranked = zip(levels, order.tolist(), strict=True)
        return [place for _, place in sorted(ranked, key=lambda entry: (entry[0], self.passages[rows[entry[1]]].id))]

    def _by_meaning(self, vector: FloatArray, allowed: Callable[[Document], bool]) -> list[int]:
        """Return the rows nearest in meaning, looking further until enough of them are allowed."""
        count = CANDIDATES
        while True:
            _, nearest = self.dense.search(vector[np.newaxis, :], count)
            rows = [row for row in nearest[0].tolist() if allowed(self._document(row))]
            if len(rows) >= CANDIDATES or count >= len(self.passages):
                return rows
            count = min(2 * count, len(self.passages))

    def _by_words(self, lexical: FloatArray, allowed: Callable[[Document], bool], limit: int = CANDIDATES) -> list[int]:
        """Return the first rows by BM25 that are allowed and share a word; rows of the same score in their order."""
        found: list[int] = []
        for count in (ENOUGH_SORTED, len(lexical)):
            rows = _best_rows(lexical, count)
            found = list(islice((row for row in rows.tolist() if allowed(self._document(row))), limit))
            if len(found) == limit or len(rows) < count:
                break
        return found

    def _holders(self, query: str) -> list[Flags]:
        """Return for each identifier of the query that stands in any passage which rows hold it, bool of shape (rows,).

        An identifier weighs as one word and by its parts; what it adds to its parts is its own.
        """
        found = []
        for named in identifiers(query):
            parts = " ".join(token for token in tokenize(named) if token != named)
            holds = self.lexical.scores(named) - self.lexical.scores(parts) > LEAST_WEIGHT
            if holds.any():
                found.append(holds)
        return found

    def _document(self, row: int) -> Document:
        return self.documents[self.passages[row].document_id]

    def _hit(self, asked: Sequence[str], row: int, score: float, dense: float, lexical: float) -> Hit:
        passage, document = self.passages[row], self._document(row)
        words = self.words_of(row)
        return Hit(passage, document, score, dense, lexical, tuple(term for term in asked if term in words))

    def words_of(self, row: int) -> frozenset[str]:
        """Return the words of a passage, its title and headings."""
        words = self._words.get(row)
        if words is None:
            passage = self.passages[row]
            text = f"{self._document(row).title} {' '.join(passage.headings)} {passage.text}"
            words = self._words[row] = frozenset(tokenize(text))
        return words


def _best_rows(scores: FloatArray, count: int) -> IntArray:
    """Return the rows of the `count` highest scores above zero, and of any equal to the last, best first."""
    least = 0.0
    if count < len(scores):
        least = float(np.partition(scores, len(scores) - count)[len(scores) - count])
    rows = np.flatnonzero((scores >= least) & (scores > 0))
    return np.asarray(rows[np.argsort(-scores[rows], kind="stable")])
