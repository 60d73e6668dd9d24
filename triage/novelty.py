"""Is a ticket one of ours? A chance from its nearest past tickets and the head's own doubt."""

from dataclasses import dataclass
from dataclasses import field as data_field

import numpy as np

from models.linear_head import FloatMatrix
from models.protocols import FloatArray, IntArray
from retrieval.dense_index import DenseIndex

#: A ticket is as near as its so many nearest past tickets are on average.
NEAREST = 5
#: How alike a flagged ticket is to the history is said to this many digits.
DIGITS = 3


@dataclass(frozen=True)
class Novelty:
    """Tells tickets that are like none of the desk's past ones.

    field: whose head is asked; known: vectors of past tickets; weights: (constant, similarity, energy) of a logistic
    regression; threshold: the chance from which on a ticket counts as out of scope; labels, codes: the labels of the
    known, as numbers of shape (known,).
    """

    field: str
    known: DenseIndex
    weights: tuple[float, float, float]
    threshold: float
    labels: tuple[str, ...] = ()
    codes: IntArray = data_field(default_factory=lambda: np.zeros(0, dtype=np.int64), compare=False)

    def judge(self, vector: FloatArray, logits: FloatMatrix) -> "Judgement":
        """Judge one ticket by its unit vector, shape (dimension,), and the head's logits, shape (1, labels)."""
        scores, rows = self.known.search(vector[np.newaxis, :], NEAREST)
        found = _signals_of(scores, logits)
        chance = float(chances_of(found, self.weights)[0])
        alike = tuple(self.labels[self.codes[row]] for row in rows[0]) if self.labels else ()
        return Judgement(round(chance, 4), chance >= self.threshold, round(float(found[0, 0]), DIGITS), alike)


@dataclass(frozen=True)
class Judgement:
    """chance: in [0, 1], of being none of ours if that were as likely as not; similarity: to the nearest past ones,
    whose labels are `alike`, the nearest first."""

    chance: float
    out_of_scope: bool
    similarity: float
    alike: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """Say it in words."""
        return f"unlike past tickets (the nearest {NEAREST}: {self.similarity:.2f}), {self.chance:.0%} new"


def signals(known: DenseIndex, vectors: FloatArray, logits: FloatMatrix) -> FloatMatrix:
    """Return (mean cosine with the nearest known tickets, energy) per row: shape (rows, 2).

    Energy is the log of the sum of exponentiated logits (Liu et al. 2020, arXiv 2010.03759).
    """
    return _signals_of(known.search(vectors, NEAREST)[0], logits)


def _signals_of(scores: FloatArray, logits: FloatMatrix) -> FloatMatrix:
    similarity = scores.mean(axis=1, dtype=np.float64)
    top = logits.max(axis=1)
    return np.column_stack([similarity, top + np.log(np.exp(logits - top[:, np.newaxis]).sum(axis=1))])


def chances_of(found: FloatMatrix, weights: tuple[float, float, float]) -> FloatMatrix:
    """Return the chance of being new per row of `signals`."""
    from scipy.special import expit

    return np.asarray(expit(weights[0] + found @ np.array(weights[1:])), dtype=np.float64)
