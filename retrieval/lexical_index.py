"""BM25 over passages, by bm25s."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.protocols import FloatArray
from retrieval.errors import DamagedIndexError

#: Words, and identifiers such as BR-77120, TAX_PERIOD_NOT_ENDED or 503 as one token.
TOKEN = re.compile(r"[^\W_]+(?:[-_.'’][^\W_]+)*")
SEPARATOR = re.compile(r"[-_.']")
_STOP_WORDS = (
    "a about after all also am an and any are as at be been before but by can could did do does for from get got had "
    "has have he hello her hi his how i if in into is it its just like me my no not now of off on one or our out over "
    "please she so some than thank thanks that the their them then there they this to too up us was we were what when "
    "where which who why will with would you your i'm i've it's don't can't "
)
STOP_WORDS = frozenset(_STOP_WORDS.split())


def tokenize(text: str) -> list[str]:
    """Return lower-case tokens without stop words, in order; a compound also gives its parts."""
    tokens: list[str] = []
    for match in TOKEN.finditer(text.lower().replace("’", "'")):
        token = match.group()
        if token not in STOP_WORDS:
            parts = SEPARATOR.split(token) if len(token) > 3 and not token.isalnum() else []
            tokens += [word for word in dict.fromkeys([token, *parts]) if _counts(word)]
    return tokens


def _counts(word: str) -> bool:
    return word not in STOP_WORDS and (len(word) > 1 or word.isdigit())


class LexicalIndex:
    """BM25 (Lucene's variant, k1 = 1.5, b = 0.75); immutable once built."""

    def __init__(self, index: Any, rows: int) -> None:
        self._index = index
        self._rows = rows

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index texts; row numbers are the ids. No texts at all is an index that finds nothing."""
        import bm25s

        index = None
        corpus = [tokenize(text) or ["∅"] for text in texts]
        if corpus:
            index = bm25s.BM25()
            index.index(corpus, show_progress=False)
        return cls(index, len(texts))

    @classmethod
    def load(cls, folder: Path, rows: int) -> "LexicalIndex":
        """Read what `save` wrote (never unpickles). Raises `DamagedIndexError`."""
        if rows == 0:
            return cls(None, 0)
        import bm25s

        try:
            index = bm25s.BM25.load(folder, allow_pickle=False, show_progress=False)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DamagedIndexError(f"{folder}: the BM25 index cannot be read; build the desk again") from error
        if index.scores["num_docs"] != rows:
            raise DamagedIndexError(
                f"{folder}: the BM25 index holds {index.scores['num_docs']} passages, expected {rows}; "
                "build the desk again"
            )
        return cls(index, rows)

    def save(self, folder: Path) -> None:
        """Write arrays and vocabulary into a new folder."""
        folder.mkdir()
        if self._index is not None:
            self._index.save(folder, show_progress=False)

    def __len__(self) -> int:
        return self._rows

    def scores(self, query: str) -> FloatArray:
        """Return the BM25 of every row for a query, float32 of shape (rows,), zero where no word is shared."""
        known = [token for token in dict.fromkeys(tokenize(query)) if self._index and token in self._index.vocab_dict]
        if not known:
            return np.zeros(self._rows, dtype=np.float32)
        return np.asarray(self._index.get_scores(known), dtype=np.float32)
