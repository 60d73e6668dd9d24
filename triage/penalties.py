"""Chooses how a field's head is held back, by cross-validation: what a build tries, and what it takes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.calibration import fit_temperature
from models.linear_head import TOLERANCE, CentredRows, FloatMatrix, HeadFit, LinearHead, softmax
from models.protocols import FloatArray
from models.text_features import NgramWeights, join_features
from triage.folds import ENOUGH_LABELS

#: Weights of each half of the n-grams beside an embedding of norm 1: cross-validation chooses, beginning in the middle.
SCALES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
FIRST_SCALE = SCALES.index(0.75)
#: Inverse L2 penalties that it chooses from. A penalty stronger than the first would gain nothing even on the noisiest
#: labels measured, and would never let a label be guessed that has only its description.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
#: How far rare labels are weighed up.
BALANCES = (0.0, 0.5, 1.0)
#: With less history than this the choice would be chance: the penalty is then that without history.
FEW_ROWS = 30
#: Held-out losses and temperatures are the same to three digits with fits that take half as many steps as the kept one.
ROUGH = 1e-4
#: Weights of one head, at four bytes each: with a thousand labels only the n-grams of most tickets are kept.
MAX_WEIGHTS = 64_000_000


@dataclass(frozen=True)
class LabelledTexts:
    """Rows to learn from: vectors of shape (rows, dimension), n-gram counts of as many rows, and a label for each."""

    vectors: FloatArray
    counts: sparse.csr_matrix
    labels: tuple[str, ...]

    def take(self, rows: NDArray[np.int64]) -> "LabelledTexts":
        """Return some of the rows."""
        return LabelledTexts(self.vectors[rows], self.counts[rows], tuple(self.labels[row] for row in rows))

    def features(self, weights: NgramWeights) -> sparse.csr_matrix:
        """Return what a head sees of the rows."""
        return join_features(self.vectors, weights.transform(self.counts))

    def __add__(self, other: "LabelledTexts") -> "LabelledTexts":
        counts = sparse.vstack([self.counts, other.counts], format="csr")
        return LabelledTexts(np.vstack([self.vectors, other.vectors]), counts, self.labels + other.labels)


@dataclass(frozen=True)
class Penalty:
    """How a head is held back: the weight of the n-grams beside the embedding, the inverse L2 penalty of both, and how
    far rare labels are weighed up (0: not at all, 1: every label alike)."""

    scale: float
    strength: float
    balance: float = 0.0

    def sentence(self) -> str:
        """Say it in words."""
        weighed = {0.0: "all rows alike", 1.0: "all labels alike"}.get(self.balance, "rare labels up in part")
        return f"n-grams at {self.scale:g}, penalty 1/{self.strength:g}, weighs {weighed} (by cross-validation)"


#: Where there is too little to choose by: few short texts want light n-grams.
WITHOUT_HISTORY = Penalty(scale=0.25, strength=10.0)


class Fold:
    """Rows that a head is fitted on, and rows of the history that it must not see."""

    def __init__(self, labels: Sequence[str], seen: LabelledTexts, unseen: LabelledTexts) -> None:
        weights = NgramWeights.fit(seen.counts, most_ngrams(labels))
        self._labels, self._targets = labels, seen.labels
        self._rows = CentredRows(seen.vectors, weights.transform(seen.counts))
        self._unseen = unseen.features(weights)

    def begin(self, scale: float, balance: float = 0.0) -> HeadFit:
        """Return fits at one scale of the n-grams and one balance of the labels."""
        return HeadFit(self._rows, self._targets, self._labels, scale, balance)

    def logits(self, head: LinearHead) -> FloatMatrix:
        """Return the logits of the unseen rows, shape (rows, labels)."""
        return head.logits(self._unseen)

    def logits_at(self, penalty: Penalty) -> FloatMatrix:
        """Return the logits of the unseen rows by a head of this penalty."""
        return self.logits(self.begin(penalty.scale, penalty.balance).at(penalty.strength, ROUGH))


def most_ngrams(labels: Sequence[str]) -> int:
    """Return how many n-grams a head of these labels may know."""
    return MAX_WEIGHTS // len(labels)


def fit_head(labels: Sequence[str], rows: LabelledTexts, penalty: Penalty) -> tuple[LinearHead, NgramWeights]:
    """Return a head of one penalty on all rows, and the n-grams that it knows."""
    weights = NgramWeights.fit(rows.counts, most_ngrams(labels))
    centred = CentredRows(rows.vectors, weights.transform(rows.counts))
    fit = HeadFit(centred, rows.labels, labels, penalty.scale, penalty.balance)
    # Of very many labels a fit to the last digit takes a quarter of an hour, and says the same.
    return fit.at(penalty.strength, ROUGH if len(labels) > ENOUGH_LABELS else TOLERANCE), weights


def choose_penalty(folds: Sequence[Fold], targets: NDArray[np.int64], threads: ThreadPoolExecutor) -> Penalty:
    """Return the penalty whose heads have the lowest log loss on the folds' unseen rows, once calibrated.

    targets: label positions of the unseen rows, fold after fold. Neighbours of the best scale are tried until none
    is better; at each scale strengths from strong to weak, until one is no better than the last.
    """

    def best_at(place: int) -> tuple[float, float]:
        fits = [fold.begin(SCALES[place]) for fold in folds]
        best = np.inf, STRENGTHS[0]
        for strength in STRENGTHS:
            parts = [fold.logits(fit.at(strength, ROUGH)) for fold, fit in zip(folds, fits, strict=True)]
            loss = calibrated_loss(np.vstack(parts), targets)
            if loss >= best[0]:
                break
            best = loss, strength
        return best

    tried: dict[int, tuple[float, float]] = {}
    best = FIRST_SCALE
    while True:
        near = [place for place in (best, best - 1, best + 1) if 0 <= place < len(SCALES) and place not in tried]
        tried |= zip(near, threads.map(best_at, near), strict=True)
        ahead = min(tried, key=lambda place: tried[place][0])
        if ahead == best:
            return Penalty(SCALES[best], tried[best][1])
        best = ahead


def choose_balance(
    folds: Sequence[Fold], targets: NDArray[np.int64], penalty: Penalty, threads: ThreadPoolExecutor
) -> Penalty:
    """Return the penalty with the balance whose heads have the lowest held-out log loss, as `choose_penalty` does."""

    def loss(tried: Penalty) -> float:
        return calibrated_loss(np.vstack([fold.logits_at(tried) for fold in folds]), targets)

    tried = [replace(penalty, balance=balance) for balance in BALANCES]
    losses = list(threads.map(loss, tried))
    return tried[losses.index(min(losses))]


def calibrated_loss(logits: FloatMatrix, targets: NDArray[np.int64]) -> float:
    """Return the mean log loss, once the logits have the temperature that suits them best."""
    chances = softmax(logits / fit_temperature(logits, targets))
    return float(-np.log(np.maximum(chances[np.arange(len(targets)), targets], 1e-12)).mean())
