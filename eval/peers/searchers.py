"""Searchers: word overlap by TF-IDF, BM25, and the packaged encoder over whole documents."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from eval.peers.measuring import RANKING_LENGTH, Answers, Peer, Setting
from eval.peers.packaged_encoder import load_packaged_encoder
from eval.peers.tasks import TaskDocument


class TfidfCosine:
    """Cosine of TF-IDF rows. A document that shares no word with a query is not in its ranking."""

    packages = ("scikit-learn",)
    settings: Mapping[str, Setting] = {"ngrams": "1-2 words", "sublinear_tf": True}

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)

    def fit(self, documents: Sequence[TaskDocument]) -> None:
        """Index; raise `ValueError` where there is no word at all."""
        self.ids_ = [document.id for document in documents]
        self.columns_ = self._vectorizer.fit_transform(document.whole for document in documents).T.tocsr()

    def answer(self, queries: Sequence[str]) -> Answers:
        """Rank by cosine, equal ones in the order of the documents."""
        # TF-IDF rows have unit length, so their product is the cosine.
        scores = (self._vectorizer.transform(queries) @ self.columns_).toarray()
        best = np.argsort(-scores, axis=1, kind="stable")[:, :RANKING_LENGTH]
        return Answers([[self.ids_[at] for at in row if own[at] > 0] for row, own in zip(best, scores, strict=True)])


class Bm25:
    """The bm25s package as it comes, with English stop words and no stemmer.

    A document that shares no word with a query is not in its ranking.
    """

    packages = ("bm25s",)
    settings: Mapping[str, Setting] = {"tokenizer": "the package's", "stopwords": "en", "k1": 1.5, "b": 0.75}

    def __init__(self) -> None:
        import bm25s

        self._tokenize = bm25s.tokenize
        self._index = bm25s.BM25()

    def fit(self, documents: Sequence[TaskDocument]) -> None:
        """Index."""
        self.ids_ = [document.id for document in documents]
        tokens = self._tokenize([document.whole for document in documents], stopwords="en", show_progress=False)
        self._index.index(tokens, show_progress=False)

    def answer(self, queries: Sequence[str]) -> Answers:
        """Rank by BM25 (the package's default variant, Lucene's)."""
        tokens = self._tokenize(list(queries), stopwords="en", show_progress=False)
        k = min(RANKING_LENGTH, len(self.ids_))
        best, scores = self._index.retrieve(tokens, k=k, show_progress=False)
        return Answers(
            [
                [self.ids_[at] for at, score in zip(*row, strict=True) if score > 0]
                for row in zip(best, scores, strict=True)
            ]
        )


class SemanticSearch:
    """`sentence_transformers.util.semantic_search` over whole documents, one vector each, cut at 256 tokens."""

    packages = ("sentence-transformers", "torch")
    settings: Mapping[str, Setting] = {"score": "cosine", "max_tokens": 256}

    def __init__(self) -> None:
        from sentence_transformers import util

        self._encoder = load_packaged_encoder()
        self._search = util.semantic_search

    def fit(self, documents: Sequence[TaskDocument]) -> None:
        """Embed the documents."""
        self.ids_ = [document.id for document in documents]
        self.vectors_ = self._encoder.encode(
            [document.whole for document in documents], convert_to_tensor=True, show_progress_bar=False
        )

    def answer(self, queries: Sequence[str]) -> Answers:
        """Rank by cosine."""
        vectors = self._encoder.encode(list(queries), convert_to_tensor=True, show_progress_bar=False)
        rankings = self._search(vectors, self.vectors_, top_k=RANKING_LENGTH)
        return Answers([[self.ids_[int(hit["corpus_id"])] for hit in hits] for hits in rankings])


#: Each by the name under which a bench asks for it.
OWN_SEARCHERS: dict[str, Callable[[], Peer[TaskDocument]]] = {
    "tfidf": TfidfCosine,
    "bm25": Bm25,
    "semantic_search": SemanticSearch,
}
