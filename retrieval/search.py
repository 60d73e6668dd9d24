"""Dense and lexical candidates, fused into one ranking that says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.protocols import FloatArray
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document, Hit, Passage
from retrieval.lexical_index import LexicalIndex, tokenize

CANDIDATES = 50
#: score = cosine + LEXICAL_WEIGHT * bm25 / (bm25 + LEXICAL_HALF): words can lift a passage, and never sink one.
LEXICAL_WEIGHT = 0.25
LEXICAL_HALF = 10.0


@dataclass(frozen=True)
class PassageSearch:
    """Search over the passages of one generation. Immutable; safe from many threads."""

    documents: Mapping[str, Document]
    passages: Sequence[Passage]
    dense: DenseIndex
    lexical: LexicalIndex

    def find(
        self,
        query: str,
        vector: FloatArray,
        limit: int = 10,
        allowed: Callable[[Document], bool] = lambda document: True,
    ) -> list[Hit]:
        """Return the best passages for a query text and its unit vector, best first.

        `allowed` is asked before ranking, so that a passage that may not be seen never takes a place.
        """
        if not self.passages or not tokenize(query):
            return []
        lexical = self.lexical.scores(query)
        rows = self._candidates(vector, lexical, allowed)
        if not rows:
            return []
        dense = self.dense.scores_of(vector, np.array(rows))
        scored = [
            (float(cosine) + LEXICAL_WEIGHT * words / (words + LEXICAL_HALF), row, float(cosine), words)
            for row, cosine, words in zip(rows, dense, map(float, lexical[rows]), strict=True)
        ]
        # Cosines of equal passages differ in the last bits: scores are rounded before the id breaks a tie.
        scored.sort(key=lambda entry: (-round(entry[0], 5), self.passages[entry[1]].id))
        return [self._hit(query, *entry) for entry in scored[:limit]]

    def _candidates(self, vector: FloatArray, lexical: FloatArray, allowed: Callable[[Document], bool]) -> list[int]:
        """Return the allowed rows among the best of each kind, looking further until there are enough."""
        count = CANDIDATES
        while True:
            _, nearest = self.dense.search(vector[np.newaxis, :], count)
            by_meaning = [int(row) for row in nearest[0] if allowed(self._document(int(row)))]
            if len(by_meaning) >= CANDIDATES or count >= len(self.passages):
                break
            count = min(2 * count, len(self.passages))
        worded = (int(row) for row in np.argsort(-lexical, kind="stable") if lexical[row] > 0)
        by_words = islice((row for row in worded if allowed(self._document(row))), CANDIDATES)
        return list(dict.fromkeys([*by_meaning, *by_words]))

    def _document(self, row: int) -> Document:
        return self.documents[self.passages[row].document_id]

    def _hit(self, query: str, score: float, row: int, dense: float, lexical: float) -> Hit:
        passage, document = self.passages[row], self._document(row)
        words = set(tokenize(f"{document.title} {' '.join(passage.headings)} {passage.text}"))
        terms = tuple(term for term in dict.fromkeys(tokenize(query)) if term in words)
        return Hit(passage, document, score, dense, lexical, terms)
