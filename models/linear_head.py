"""One linear classification head: fitted by scikit-learn, run by NumPy and SciPy."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.protocols import FloatArray

FloatMatrix = NDArray[np.float64]

#: A label that was never seen gets this bias: it is never the best guess, and nothing is divided by zero.
NEVER = -30.0
#: Up to this many rows the fit runs on the rows' own coordinates, which is exact and far faster than on all features.
MAX_ROTATED = 2_000
#: A linear SVM wants about a hundredth of the regression's inverse penalty.
SVM_STRENGTH = 0.01
#: Ten times faster than with its own tolerance, at the same held-out accuracy and log loss.
SVM_TOLERANCE = 0.01
SVM_ROUNDS = 300
#: scikit-learn's own tolerance stops early at weak penalties, with chances off by up to 0.03.
TOLERANCE = 1e-7


@dataclass(frozen=True)
class LinearHead:
    """Logits = features @ weights.T + bias; the chances are softmax(logits / temperature).

    weights: float32 of shape (labels, features); bias: float32 of shape (labels,); temperature > 0.
    """

    labels: tuple[str, ...]
    weights: FloatArray
    bias: FloatArray
    temperature: float = 1.0

    def logits(self, features: sparse.csr_matrix) -> FloatMatrix:
        """Return raw scores, float64 of shape (rows, labels)."""
        return np.asarray(features @ self.weights.T + self.bias, dtype=np.float64)

    def probabilities(self, features: sparse.csr_matrix) -> FloatMatrix:
        """Return calibrated chances, float64 of shape (rows, labels), rows summing to 1."""
        return softmax(self.logits(features) / self.temperature)


def softmax(logits: FloatMatrix) -> FloatMatrix:
    """Return row-wise softmax, without overflow."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def fit_head(
    features: sparse.csr_matrix,
    targets: Sequence[str],
    labels: Sequence[str],
    strength: float,
    many: bool | None = None,
) -> LinearHead:
    """Fit a multinomial logistic regression; `strength` is the inverse L2 penalty.

    many: fit a one-against-rest linear SVM instead, which takes seconds where the regression takes minutes; the
    temperature alone turns its margins into chances. By default past `MAX_ROTATED` rows; who fits folds of many rows
    says so, since head and folds must be of one kind. A label without a row is kept, with a bias so low that it is
    never the best guess.
    """
    positions = {label: row for row, label in enumerate(labels)}
    rows = sorted({positions[target] for target in targets})
    weights = np.zeros((len(labels), features.shape[1]), dtype=np.float32)
    bias = np.full(len(labels), NEVER, dtype=np.float32)
    if len(rows) == 1:
        bias[rows] = 0.0
        return LinearHead(tuple(labels), weights, bias)
    codes = np.searchsorted(rows, [positions[target] for target in targets])
    many = features.shape[0] > MAX_ROTATED if many is None else many
    weights[rows], bias[rows] = _fit(features, codes, strength, many)
    return LinearHead(tuple(labels), weights, bias)


@contextmanager
def calm_fits() -> Iterator[None]:
    """Fit without haste and without noise. For the thread that starts others: both belong to the whole process.

    One thread for linear algebra: the matrices are small, and several threads that wait for each other on a busy
    machine take ten times as long. No warning about fits that stop at `SVM_ROUNDS`: copies of one ticket converge
    slowly, and are told apart long before.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _fit(
    features: sparse.csr_matrix, codes: NDArray[np.int64], strength: float, many: bool
) -> tuple[FloatMatrix, FloatMatrix]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if many:
        svm = LinearSVC(C=strength * SVM_STRENGTH, tol=SVM_TOLERANCE, max_iter=SVM_ROUNDS).fit(features, codes)
        coefficients, intercepts = svm.coef_, np.asarray(svm.intercept_)
    else:
        model = LogisticRegression(C=strength, tol=TOLERANCE, max_iter=10_000)
        # An L2 penalty does not change under rotation, and the best weights lie in the span of the rows: fit on the
        # principal coordinates of the Gram matrix, and carry the weights back.
        values, axes = np.linalg.eigh(np.asarray((features @ features.T).todense(), dtype=np.float64))
        kept = values > values.max() * 1e-10
        scales = np.sqrt(values[kept])
        model.fit(axes[:, kept] * scales, codes)
        coefficients = np.asarray((features.T @ (axes[:, kept] / scales @ model.coef_.T)).T)
        intercepts = np.asarray(model.intercept_)
    if len(intercepts) == 1:  # two classes share one row of weights; half of it each way gives the same chances
        return np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    return coefficients, intercepts
