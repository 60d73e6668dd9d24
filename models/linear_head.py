"""One linear classification head: fitted by scikit-learn, run by NumPy and SciPy."""

from collections.abc import Sequence
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


def fit_head(features: sparse.csr_matrix, targets: Sequence[str], labels: Sequence[str], strength: float) -> LinearHead:
    """Fit a multinomial logistic regression; `strength` is the inverse L2 penalty.

    Past `MAX_ROTATED` rows it is a one-against-rest linear SVM instead, which takes seconds where the regression
    takes minutes; the temperature alone turns its margins into chances. A label without a row is kept, with a bias
    so low that it is never the best guess.
    """
    positions = {label: row for row, label in enumerate(labels)}
    rows = sorted({positions[target] for target in targets})
    weights = np.zeros((len(labels), features.shape[1]), dtype=np.float32)
    bias = np.full(len(labels), NEVER, dtype=np.float32)
    if len(rows) == 1:
        bias[rows] = 0.0
        return LinearHead(tuple(labels), weights, bias)
    codes = np.searchsorted(rows, [positions[target] for target in targets])
    weights[rows], bias[rows] = _fit(features, codes, strength)
    return LinearHead(tuple(labels), weights, bias)


def _fit(features: sparse.csr_matrix, codes: NDArray[np.int64], strength: float) -> tuple[FloatMatrix, FloatMatrix]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if features.shape[0] > MAX_ROTATED:
        svm = LinearSVC(C=strength * SVM_STRENGTH, tol=SVM_TOLERANCE, max_iter=10_000).fit(features, codes)
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
