"""How far an encoder's vectors may be trusted: beside torch in fp32, alone and in batches, for labels and for search.

Everything is measured on training rows and on articles that no test uses: figures that choose a default.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.benches.encoder_systems import Encode
from eval.benches.systems import lead_of
from eval.statistics import mean
from models.protocols import FloatArray

FOLDS, SEED, STRENGTH = 5, 20, 30.0
HITS = 5


@dataclass(frozen=True)
class Material:
    """Labelled training texts, and articles as (question, text) pairs: the article's own description, and its body."""

    texts: Sequence[str]
    labels: Sequence[str]
    articles: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Quality:
    """correct: per labelled text, whether held-out folds found its label; found: per article, whether its description
    leads to it among the first five; vectors: of the labelled texts."""

    vectors: FloatArray
    correct: NDArray[np.bool_]
    found: NDArray[np.bool_]


def judge(encode: Encode, material: Material) -> Quality:
    """Measure one encoder."""
    vectors = encode(material.texts)
    questions, bodies = (encode([pair[place] for pair in material.articles]) for place in (0, 1))
    return Quality(vectors, held_out_correct(vectors, material.labels), own_article_found(questions, bodies))


def held_out_correct(vectors: FloatArray, labels: Sequence[str]) -> NDArray[np.bool_]:
    """Return which labels a logistic regression on the vectors alone finds, trained on the other four folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    head = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3)
    found: NDArray[Any] = cross_val_predict(head, vectors, np.array(labels), cv=folds)
    return np.asarray(found == np.array(labels))


def own_article_found(questions: FloatArray, bodies: FloatArray) -> NDArray[np.bool_]:
    """Return which questions have their own article among the five nearest."""
    scores = questions @ bodies.T
    own = np.diag(scores)[:, np.newaxis]
    return np.asarray((scores > own).sum(axis=1) < HITS)


def loss_in_points(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return by how many points a share fell, with the 95 % interval of the paired difference."""
    lead = lead_of(mean, before.astype(float)[:, np.newaxis], after.astype(float)[:, np.newaxis])
    return 100 * lead["value"], 100 * lead["low"], 100 * lead["high"]


def cosines(vectors: FloatArray, reference: FloatArray) -> tuple[float, float]:
    """Return the mean and the first percentile of the cosines of two sets of unit vectors."""
    found = np.einsum("ij,ij->i", vectors, reference)
    return float(found.mean()), float(np.percentile(found, 1))


def batch_difference(encode: Encode, texts: Sequence[str], size: int = 32) -> float:
    """Return the largest difference of a number in a text's vector between alone and in a batch of others."""
    alone = np.vstack([encode([text]) for text in texts])
    together = np.vstack([encode(texts[start : start + size]) for start in range(0, len(texts), size)])
    return float(np.abs(alone - together).max())


def article_pairs(rows: Sequence[dict[str, Any]], least: int = 200, most: int = 600) -> list[tuple[str, str]]:
    """Return (description, body) of articles that have both, the body's first heading and title taken away."""
    pairs = []
    for row in rows:
        question = str(row.get("description") or "").strip()
        lines = [line for line in str(row.get("markdown") or "").splitlines() if not line.startswith("#")]
        body = re.sub(r"\s+", " ", " ".join(lines)).replace(question, "").strip()[:most]
        if len(question) >= 20 and len(body) >= least:
            pairs.append((question, body))
    return pairs
