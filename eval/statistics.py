"""Statistics over weighted cases: a weight is how often a resample drew a case, so one call gives all resamples.

Each takes rows, float64 of shape (cases, columns), and weights, of shape (resamples, cases), whole numbers >= 0, and
returns float64 of shape (resamples,): exactly what the plain statistic gives on cases repeated by their weight. Where
the cases drawn do not determine it (none, or one class only), it is NaN. The order of cases never matters.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.calibration import expected_calibration_error

Array = NDArray[np.float64]
Weights = NDArray[np.uint8] | NDArray[np.float64]
Statistic = Callable[[Array, Weights], Array]

#: Weights that are held as float64 at a time.
BLOCK = 1 << 22
#: The truth or guess of a case that has none: an exception was raised.
NO_CLASS = -1.0


def in_blocks(statistic: Statistic) -> Statistic:
    """Take a statistic over some resamples at a time, their weights as float64: all at once they would be large."""

    @wraps(statistic)
    def blocked(rows: Array, weights: Weights) -> Array:
        step = max(1, BLOCK // max(1, len(rows)))
        parts = (weights[start : start + step] for start in range(0, len(weights), step))
        return np.concatenate([statistic(rows, part.astype(np.float64)) for part in parts])

    return blocked


@in_blocks
def mean(rows: Array, weights: Weights) -> Array:
    """Mean of the first column."""
    return _divide(weights @ rows[:, 0], weights.sum(axis=1))


@in_blocks
def macro_f1(rows: Array, weights: Weights) -> Array:
    """Mean F1 over the classes that occur as truth or guess; columns: class number of truth, of guess."""
    classes = int(rows.max(initial=0)) + 1
    truth, guess = rows[:, 0], rows[:, 1]
    true = _totals(truth, classes, weights)
    guessed = _totals(guess, classes, weights)
    right = _totals(np.where(truth == guess, truth, NO_CLASS), classes, weights)
    seen = (true + guessed) > 0
    f1 = np.divide(2 * right, true + guessed, out=np.zeros_like(right), where=seen)
    return _divide(f1.sum(axis=1), seen.sum(axis=1))


@in_blocks
def auroc(rows: Array, weights: Weights) -> Array:
    """Chance that a positive scores above a negative, ties counting half; columns: score, positive (0 or 1)."""
    scores, rank = np.unique(rows[:, 0], return_inverse=True)
    positive = rows[:, 1] > 0
    above = _totals(np.where(positive, rank, NO_CLASS), len(scores), weights)
    below = _totals(np.where(positive, NO_CLASS, rank), len(scores), weights)
    won = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
    return _divide(won, above.sum(axis=1) * below.sum(axis=1))


def ece(rows: Array, weights: Weights) -> Array:
    """Top-label expected calibration error, 15 bins of equal mass; columns: confidence, right (0 or 1).

    It is biased upwards where bins hold few cases, and so is its interval: above zero does not mean miscalibrated.
    """
    return _repeated(_ece, rows, weights)


def aurc(rows: Array, weights: Weights) -> Array:
    """Area under the risk-coverage curve (Geifman et al. 2019): the mean, over every coverage, of the error among the
    cases decided when the least confident are left out first; columns: confidence, right (0 or 1)."""
    return _repeated(lambda part: float(risk_at_coverage(part).mean()), rows, weights)


def quantile(share: float) -> Statistic:
    """Return the statistic that gives a quantile of the first column."""
    return lambda rows, weights: _repeated(lambda part: float(np.quantile(part[:, 0], share)), rows, weights)


def rate(rows: Array, weights: Weights) -> Array:
    """One over the mean of the first column: cases per second where it holds seconds."""
    return _divide(np.ones(len(weights)), mean(rows, weights))


def risk_at_coverage(rows: Array) -> Array:
    """Return the error among the k most confident, k = 1 to n, shape (n,); columns: confidence, right."""
    order = np.argsort(-rows[:, 0], kind="stable")
    wrong = 1 - _mean_of_ties(rows[order])
    return np.asarray(wrong.cumsum() / np.arange(1, len(rows) + 1))


def _ece(rows: Array) -> float:
    ordered = rows[np.argsort(rows[:, 0], kind="stable")]
    return expected_calibration_error(ordered[:, 0], _mean_of_ties(ordered))


def _mean_of_ties(ordered: Array) -> Array:
    """Give every case the mean result of those with its confidence, so that their order cannot matter."""
    _, which, counts = np.unique(ordered[:, 0], return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(which, weights=ordered[:, 1]) / counts)[which])


def _repeated(plain: Callable[[Array], float], rows: Array, weights: Weights) -> Array:
    drawn = (rows[np.repeat(np.arange(len(rows)), weight.astype(np.int64))] for weight in weights)
    return np.array([plain(part) if len(part) else np.nan for part in drawn])


def _totals(classes: Array, count: int, weights: Weights) -> Array:
    """Return the weight of each class, shape (resamples, count); a negative class counts nowhere."""
    known = np.flatnonzero(classes >= 0)
    ones = np.ones(len(known), dtype=np.float64)
    member = sparse.csr_matrix((ones, (classes[known].astype(np.int64), known)), shape=(count, len(classes)))
    return np.asarray((member @ weights.T).T)


def _divide(above: Array, below: Array) -> Array:
    return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=np.asarray(below) > 0))
