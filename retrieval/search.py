"""Dense and lexical candidates, fused into one ranking that says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """Search over the passages of one generation. Immutable but for what it remembers; safe from many threads."""

    documents: Mapping[str, Document]
    passages: Sequence[Passage]
    dense: DenseIndex
    lexical: LexicalIndex
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

        `allowed` is asked before ranking, so that a passage that may not be seen never takes a place.
        """
        asked = tokenize(query)
        if not self.passages or not asked:
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
        return [self._hit(asked, *entry) for entry in scored[:limit]]

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

    def _hit(self, asked: Sequence[str], score: float, row: int, dense: float, lexical: float) -> Hit:
        passage, document = self.passages[row], self._document(row)
        words = self._words_of(row)
        terms = tuple(term for term in dict.fromkeys(asked) if term in words)
        return Hit(passage, document, score, dense, lexical, terms)

    def _words_of(self, row: int) -> frozenset[str]:
        words = self._words.get(row)
        if words is None:
            passage = self.passages[row]
            text = f"{self._document(row).title} {' '.join(passage.headings)} {passage.text}"
            words = self._words[row] = frozenset(tokenize(text))
        return words
