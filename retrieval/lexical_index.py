"""BM25 over passages, by bm25s."""

import logging
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import read_json, write_json
from models.errors import ArtifactError
from models.protocols import FloatArray, IntArray
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
K1, B = 1.5, 0.75
#: What bm25s does not keep: the mean number of words in a text.
LENGTHS = "lengths.json"
#: Stands for a text without words.
NO_WORD = "∅"


def tokenize(text: str, memo: dict[str, list[str]] | None = None) -> list[str]:
    """Return lower-case tokens without stop words, in order; a compound also gives its parts.

    memo: what each run of letters gives, kept from text to text: it saves most of the work over many texts.
    """
    memo = {} if memo is None else memo
    tokens: list[str] = []
    for token in TOKEN.findall(text.lower().replace("’", "'")):
        words = memo.get(token)
        if words is None:
            words = memo[token] = _words_of(token)
        tokens += words
    return tokens


def _words_of(token: str) -> list[str]:
    if token in STOP_WORDS:
        return []
    parts = SEPARATOR.split(token) if len(token) > 3 and not token.isalnum() else []
    return [word for word in dict.fromkeys([token, *parts]) if _counts(word)]


def _counts(word: str) -> bool:
    return word not in STOP_WORDS and (len(word) > 1 or word.isdigit())


def load_bm25s() -> Any:
    """Import bm25s, whose messages to developers would stand among ours."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s


def count_words(text: str) -> Counter[str]:
    """Return how often each token stands in a text, in the form that `LexicalIndex.with_changes` takes."""
    return Counter(tokenize(text) or [NO_WORD])


class LexicalIndex:
    """BM25 (Lucene's variant, k1 = 1.5, b = 0.75); immutable once built."""

    def __init__(self, index: Any, rows: int, mean_length: float | None) -> None:
        self._index = index
        self._rows = rows
        self._mean_length = mean_length
        self._hidden: IntArray = np.zeros(0, dtype=np.int64)
        self._added: _AddedTexts | None = None

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index texts; row numbers are the ids. No texts at all is an index that finds nothing."""
        bm25s = load_bm25s()
        index = None
        memo: dict[str, list[str]] = {}
        corpus = [tokenize(text, memo) or [NO_WORD] for text in texts]
        if corpus:
            index = bm25s.BM25(k1=K1, b=B)
            index.index(corpus, show_progress=False)
        return cls(index, len(texts), _mean([len(tokens) for tokens in corpus]))

    @classmethod
    def load(cls, folder: Path, rows: int) -> "LexicalIndex":
        """Read what `save` wrote (never unpickles). Raises `DamagedIndexError`."""
        if rows == 0:
            return cls(None, 0, 0.0)
        bm25s = load_bm25s()
        try:
            index = bm25s.BM25.load(folder, allow_pickle=False, show_progress=False)
            mean_length = read_json(folder / LENGTHS)["mean"] if (folder / LENGTHS).exists() else None
        except (OSError, ValueError, KeyError, TypeError, EOFError, ArtifactError) as error:
            raise DamagedIndexError(f"{folder}: the BM25 index cannot be read; build the desk again") from error
        if index.scores["num_docs"] != rows:
            raise DamagedIndexError(
                f"{folder}: the BM25 index holds {index.scores['num_docs']} passages, expected {rows}; "
                "build the desk again"
            )
        return cls(index, rows, mean_length)

    def save(self, folder: Path) -> None:
        """Write arrays and vocabulary into a new folder; changes are not written."""
        folder.mkdir()
        if self._index is not None:
            self._index.save(folder, show_progress=False)
            write_json(folder / LENGTHS, {"mean": self._mean_length})

    def with_changes(self, hidden: Sequence[int], added: Sequence[Mapping[str, int]]) -> "LexicalIndex":
        """Return an index that shares this one's rows, gives some of them zero, and scores more rows after them.

        added: of `count_words`. A word that this index knows weighs there what it weighs here, and texts are held
        against the mean length here, so that all scores are of one scale; they differ from those of an index of all
        rows by what the changes would move those two. A word that only added texts hold weighs what it would there.
        Changes made before are not kept. Raises `DamagedIndexError` for an index whose mean length was not kept.
        """
        if self._mean_length is None:
            raise DamagedIndexError("the BM25 index does not tell the mean length of its texts; build the desk again")
        changed = LexicalIndex(self._index, self._rows, self._mean_length)
        changed._hidden = np.unique(np.asarray(hidden, dtype=np.int64))
        if added:
            mean_length = self._mean_length or _mean([sum(counts.values()) for counts in added])
            changed._added = _AddedTexts(added, mean_length)
        return changed

    def __len__(self) -> int:
        """Return how many row numbers there are, hidden ones included."""
        return self._rows + (self._added.rows if self._added else 0)

    def scores(self, query: str) -> FloatArray:
        """Return the BM25 of every row for a query, float32 of shape (rows,), zero where no word is shared."""
        tokens = list(dict.fromkeys(tokenize(query)))
        known = [token for token in tokens if self._index and token in self._index.vocab_dict]
        scores = np.zeros(len(self), dtype=np.float32)
        if known:
            scores[: self._rows] = self._index.get_scores(known)
            scores[self._hidden] = 0
        if self._added:
            self._added.add_scores(scores[self._rows :], {token: self.weight_of(token) for token in tokens})
        return scores

    def weight_of(self, token: str) -> float:
        """Return how telling a word is, above 0: Lucene's idf. A word of no text is the most telling."""
        number = self._index.vocab_dict.get(token) if self._index else None
        if number is None:
            return _lucene_idf(self._added.texts_with(token) if self._added else 0, len(self))
        # A word's column holds an entry for each text that has it.
        starts = self._index.scores["indptr"]
        return _lucene_idf(int(starts[number + 1] - starts[number]), self._rows)


class _AddedTexts:
    """The weight of every word in a few texts, by word."""

    def __init__(self, texts: Sequence[Mapping[str, int]], mean_length: float) -> None:
        self.rows = len(texts)
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for row, counts in enumerate(texts):
            norm = K1 * (1 - B + B * sum(counts.values()) / mean_length)
            for token, count in counts.items():
                self._postings.setdefault(token, []).append((row, count / (norm + count)))

    def texts_with(self, token: str) -> int:
        return len(self._postings.get(token, ()))

    def add_scores(self, scores: FloatArray, idf: Mapping[str, float]) -> None:
        """Add the BM25 of a query's words, which weigh so much, to the scores of these texts."""
        for token, weight in idf.items():
            for row, share in self._postings.get(token, ()):
                scores[row] += weight * share


def _lucene_idf(texts_with: int, texts: int) -> float:
    return math.log(1 + (texts - texts_with + 0.5) / (texts_with + 0.5))


def _mean(lengths: Sequence[int]) -> float:
    return float(np.mean(lengths)) if lengths else 0.0
