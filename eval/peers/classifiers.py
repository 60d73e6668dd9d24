"""Classifiers that run in our own environment: a floor, a word model, and two over the packaged encoder."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.peers.measuring import Answers, Peer, Setting
from eval.peers.packaged_encoder import load_packaged_encoder
from eval.peers.tasks import Example

NEIGHBOURS = 10
#: Inverse strength of the penalty: unit vectors and TF-IDF rows are short, scikit-learn's 1 holds them back.
C = 10
MAX_ITERATIONS = 1000


class Majority:
    """Always the most frequent label: what any classifier must beat. Its confidence is that label's share."""

    packages: tuple[str, ...] = ()
    settings: Mapping[str, Setting] = {}

    def fit(self, examples: Sequence[Example]) -> None:
        """Count; among equally frequent labels the first in the file wins."""
        [(self.label_, count)] = Counter(example.label for example in examples).most_common(1)
        self.share_ = count / len(examples)

    def answer(self, queries: Sequence[str]) -> Answers:
        """Return the label for each query."""
        return Answers([self.label_] * len(queries), [round(self.share_, 6)] * len(queries))


class TfidfLogisticRegression:
    """TF-IDF of words and word pairs, then logistic regression: the plain way, and hard to beat on long texts."""

    packages = ("scikit-learn",)
    settings: Mapping[str, Setting] = {"ngrams": "1-2 words", "sublinear_tf": True, "C": C}

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        self._model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=C, max_iter=MAX_ITERATIONS)
        )

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn; raise `ValueError` where there is one label only, or no word at all."""
        self._model.fit([example.text for example in examples], [example.label for example in examples])

    def answer(self, queries: Sequence[str]) -> Answers:
        """Return the likeliest label and its probability."""
        return _likeliest(self._model.classes_, self._model.predict_proba(list(queries)))


class NearestNeighbours:
    """The labels of the nearest examples by cosine, each voting with one over its distance.

    The confidence is the winning label's share of the vote.
    """

    packages = ("scikit-learn", "sentence-transformers", "torch")
    settings: Mapping[str, Setting] = {"k": NEIGHBOURS, "metric": "cosine", "weights": "1 / distance"}

    def __init__(self) -> None:
        from sklearn.neighbors import KNeighborsClassifier

        self._encoder = load_packaged_encoder()
        self._make = KNeighborsClassifier

    def fit(self, examples: Sequence[Example]) -> None:
        """Embed the examples; fewer than k of them are all neighbours."""
        k = min(NEIGHBOURS, len(examples))
        self._model = self._make(n_neighbors=k, metric="cosine", weights="distance", algorithm="brute")
        vectors = self._encoder.encode([example.text for example in examples], show_progress_bar=False)
        self._model.fit(vectors, [example.label for example in examples])

    def answer(self, queries: Sequence[str]) -> Answers:
        """Return the label with the largest vote and its share."""
        vectors = self._encoder.encode(list(queries), show_progress_bar=False)
        return _likeliest(self._model.classes_, self._model.predict_proba(vectors))


class EmbeddingLogisticRegression:
    """Logistic regression over the packaged encoder's vectors, the encoder left as it is."""

    packages = ("scikit-learn", "sentence-transformers", "torch")
    settings: Mapping[str, Setting] = {"C": C}

    def __init__(self) -> None:
        from sklearn.linear_model import LogisticRegression

        self._encoder = load_packaged_encoder()
        self._model = LogisticRegression(C=C, max_iter=MAX_ITERATIONS)

    def fit(self, examples: Sequence[Example]) -> None:
        """Embed and learn; raise `ValueError` where there is one label only."""
        vectors = self._encoder.encode([example.text for example in examples], show_progress_bar=False)
        self._model.fit(vectors, [example.label for example in examples])

    def answer(self, queries: Sequence[str]) -> Answers:
        """Return the likeliest label and its probability."""
        vectors = self._encoder.encode(list(queries), show_progress_bar=False)
        return _likeliest(self._model.classes_, self._model.predict_proba(vectors))


def _likeliest(classes: NDArray[np.str_], shares: NDArray[np.float64]) -> Answers:
    labels = [str(label) for label in classes[shares.argmax(axis=1)]]
    return Answers(labels, [round(float(share), 6) for share in shares.max(axis=1)])


#: Each by the name under which a bench asks for it.
OWN_CLASSIFIERS: dict[str, Callable[[], Peer[Example]]] = {
    "majority": Majority,
    "tfidf_lr": TfidfLogisticRegression,
    "knn": NearestNeighbours,
    "embedding_lr": EmbeddingLogisticRegression,
}
