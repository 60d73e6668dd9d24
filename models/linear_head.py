"""One linear classification head per field: a multinomial logistic regression, fitted and run by NumPy and SciPy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.protocols import FloatArray

FloatMatrix = NDArray[np.float64]
Floats = TypeVar("Floats", FloatArray, FloatMatrix)

#: A label that was never seen gets this bias: it is never the best guess, and nothing is divided by zero.
NEVER = -30.0
#: Up to this many rows their Gram matrix is kept, which makes a step several times faster.
MAX_GRAM = 2_000
#: A fit ends when two steps in a row lower its loss by less than this share: chances are then right to about 0.001.
TOLERANCE = 1e-7
MAX_STEPS = 1_000
#: How freely the bias moves, beside weights on rows of mean squared length 1; sets the speed, not the result.
BIAS_FREEDOM = 0.1
#: A line search ends when the slope has fallen to this share.
FLAT = 0.1
MAX_TRIALS = 30


@dataclass(frozen=True)
class LinearHead:
    """Logits = features @ weights.T + bias; the chances are softmax(logits / temperature).

    weights: float32 of shape (labels, features); bias: float32 of shape (labels,); temperature > 0.
    """

    labels: tuple[str, ...]
    weights: FloatArray
    bias: FloatArray
    temperature: float = 1.0

    def __post_init__(self) -> None:
        # Feature by feature: SciPy would otherwise copy all weights for each product, 9 ms a ticket with 77 labels.
        object.__setattr__(self, "weights", np.asfortranarray(self.weights))

    def logits(self, features: sparse.csr_matrix) -> FloatMatrix:
        """Return raw scores, float64 of shape (rows, labels)."""
        return np.asarray(features @ self.weights.T + self.bias, dtype=np.float64)

    def logits_of_one(self, vector: FloatArray, ngrams: sparse.csr_matrix) -> FloatMatrix:
        """Return raw scores of one text, float64 of shape (1, labels): what `logits` says of both joined, in a tenth of
        the time.

        vector: shape (dimension,); ngrams: shape (1, features).
        """
        dimension = len(vector)
        told = self.weights[:, dimension + ngrams.indices] @ ngrams.data
        return np.asarray(self.weights[:, :dimension] @ vector + told + self.bias, dtype=np.float64)[np.newaxis, :]

    def probabilities(self, features: sparse.csr_matrix) -> FloatMatrix:
        """Return calibrated chances, float64 of shape (rows, labels), rows summing to 1."""
        return softmax(self.logits(features) / self.temperature)


def softmax(logits: Floats) -> Floats:
    """Return row-wise softmax, without overflow, in the precision of the logits."""
    shifted: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted


@contextmanager
def calm_fits() -> Iterator[None]:
    """Fit on one thread of linear algebra. For the thread that starts others: it belongs to the whole process.

    The matrices are small, and several threads that wait for each other on a busy machine take ten times as long.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


class CentredRows:
    """Rows of [vectors, ngrams] less their mean, and products with their Gram matrix at any scale of the n-grams.

    vectors: float32 of shape (rows, dimension); ngrams: float32 of shape (rows, features). The unpenalised bias makes
    the mean irrelevant to the result; without it a fit takes half as many steps.
    """

    def __init__(self, vectors: FloatArray, ngrams: sparse.csr_matrix, max_gram: int = MAX_GRAM) -> None:
        self.count = len(vectors)
        self.mean_vector = vectors.mean(axis=0)
        self.mean_ngrams = np.asarray(ngrams.mean(axis=0), dtype=np.float32).ravel()
        self._vectors = vectors - self.mean_vector
        self._ngrams, self._turned = ngrams, ngrams.T.tocsr()
        self._lengths = float((vectors**2).sum()) / self.count, float((ngrams.data**2).sum()) / self.count
        self._grams: tuple[FloatArray, FloatArray] | None = None
        if self.count <= max_gram:
            between = (ngrams @ self._turned).toarray()
            between -= between.mean(axis=0)
            between -= between.mean(axis=1, keepdims=True)
            self._grams = self._vectors @ self._vectors.T, between

    def squared_length(self, scale: float) -> float:
        """Return the mean squared length of a row that is not centred."""
        return self._lengths[0] + scale**2 * self._lengths[1]

    def gram(self, scale: float) -> FloatArray | None:
        """Return the Gram matrix, shape (rows, rows), or None where there are too many rows to keep it."""
        return None if self._grams is None else self._grams[0] + np.float32(scale**2) * self._grams[1]

    def times(self, shares: FloatArray, scale: float) -> FloatArray:
        """Return the Gram matrix times shares of shape (rows, labels), without forming it."""
        weights = self.weights(shares, scale)
        dimension = self._vectors.shape[1]
        found = self._vectors @ weights[:dimension] + self._ngrams @ weights[dimension:]
        return np.asarray(found - found.mean(axis=0))

    def weights(self, shares: FloatArray, scale: float) -> FloatArray:
        """Return the sum of centred rows by their shares, for features with n-grams as they are (not scaled).

        Shape (dimension + features, labels). The scale counts twice: once in the sum, once in what it is used on.
        """
        even = shares - shares.mean(axis=0)
        return np.vstack([self._vectors.T @ even, np.float32(scale**2) * (self._turned @ even)])


@dataclass(frozen=True)
class Point:
    """Weights as shares of the rows, with what they give on the rows, and the bias in units of its freedom.

    shares, image: float32 of shape (rows, labels), image = Gram matrix @ shares; bias: float32 of shape (labels,).
    """

    shares: FloatArray
    image: FloatArray
    bias: FloatArray

    def plus(self, other: "Point", factor: float) -> "Point":
        """Return this point after a step of `factor` times another."""
        by = np.float32(factor)
        return Point(self.shares + by * other.shares, self.image + by * other.image, self.bias + by * other.bias)

    def dot(self, other: "Point") -> float:
        """Return the inner product of weights and bias: nobody has to write the weights out."""
        return _dot(self.shares, other.image) + _dot(self.bias, other.bias)


class HeadFit:
    """Fits heads on the same rows at one strength after another, each from where the last one ended.

    Minimises strength x (weighted sum of log losses) + |weights|^2 / 2, with n-grams multiplied by `scale` and a free
    bias. The rows of a label weigh (mean rows per label / its rows) ** balance: 0 all the same, 1 every label the same.
    That is convex with one minimum, whose weights are sums of rows: conjugate gradients (Polak and Ribière) run on
    shares of shape (rows, labels), in the inner product of the weights. Logits are linear along a direction, so that
    an exact line search costs no product with the rows, and a step costs one.
    """

    def __init__(
        self,
        rows: CentredRows,
        targets: Sequence[str],
        labels: Sequence[str],
        scale: float = 1.0,
        balance: float = 0.0,
    ) -> None:
        positions = {label: row for row, label in enumerate(labels)}
        self._labels, self._rows, self._scale = tuple(labels), rows, scale
        self._seen, codes = np.unique([positions[target] for target in targets], return_inverse=True)
        self._cells = np.arange(rows.count), codes
        counts = np.bincount(codes)
        self._weights: FloatMatrix = ((counts.mean() / counts) ** balance)[codes]  # float64: sums of rows need it
        self._gram = rows.gram(scale)
        self._freedom = np.float32(np.sqrt(BIAS_FREEDOM * rows.squared_length(scale)))
        nothing = np.zeros((rows.count, len(self._seen)), dtype=np.float32)
        self._point = Point(nothing, nothing, nothing[0])

    def at(self, strength: float, tolerance: float = TOLERANCE) -> LinearHead:
        """Return the head of one strength (the inverse L2 penalty).

        A label without a row is kept, with a bias so low that it is never the best guess.
        """
        if len(self._seen) > 1:
            self._descend(strength, tolerance)
        seen = self._rows.weights(self._point.shares, self._scale)
        mean = np.concatenate([self._rows.mean_vector, self._rows.mean_ngrams])
        weights = np.zeros((len(seen), len(self._labels)), dtype=np.float32)
        bias = np.full(len(self._labels), NEVER, dtype=np.float32)
        weights[:, self._seen], bias[self._seen] = seen, self._freedom * self._point.bias - mean @ seen
        return LinearHead(self._labels, weights.T, bias)

    def _descend(self, strength: float, tolerance: float) -> None:
        loss, chances = self.state(self._point, strength)
        slope = self.gradient(self._point, chances, strength)
        way, small = _scaled(slope, -1.0), 0
        for _ in range(MAX_STEPS):
            before, steepness = loss, slope.dot(slope)
            length = self._length(way, way.dot(slope), strength)
            self._point = self._point.plus(way, length)
            loss, chances = self.state(self._point, strength)
            small = small + 1 if before - loss <= tolerance * loss else 0
            if small == 2:
                return
            last, slope = slope, self.gradient(self._point, chances, strength)
            kept = max(0.0, (slope.dot(slope) - slope.dot(last)) / steepness) if steepness > 0 else 0.0
            way = _scaled(slope, -1.0).plus(way, kept)
            if way.dot(slope) >= 0:  # rounding has turned it uphill
                way = _scaled(slope, -1.0)

    def _logits(self, point: Point) -> FloatArray:
        return point.image + self._freedom * point.bias

    def state(self, point: Point, strength: float) -> tuple[float, FloatArray]:
        """Return what is minimised, divided by the strength, and the chances of the seen labels."""
        logits = self._logits(point)
        logits -= logits.max(axis=1, keepdims=True)
        chances = np.exp(logits)
        sums = chances.sum(axis=1)
        loss = _dot(self._weights, np.log(sums) - logits[self._cells])
        chances /= sums[:, np.newaxis]
        return loss + _dot(point.shares, point.image) / (2 * strength), chances

    def gradient(self, point: Point, chances: FloatArray, strength: float) -> Point:
        """Return where the loss rises fastest from a point with these chances: its product with a way is the slope."""
        errors = chances.copy()
        errors[self._cells] -= 1
        errors *= self._weights[:, np.newaxis]
        bias = self._freedom * errors.sum(axis=0)
        errors += point.shares / np.float32(strength)
        image = self._rows.times(errors, self._scale) if self._gram is None else self._gram @ errors
        return Point(errors, image, bias)

    def _length(self, way: Point, slope: float, strength: float) -> float:
        """Return how far to go along a way that leads down by `slope`: Newton's method between brackets."""
        start, along = self._logits(self._point), self._logits(way)
        own = _dot(self._weights, along[self._cells])
        pull, bend = _dot(self._point.shares, way.image) / strength, _dot(way.shares, way.image) / strength
        low, high, length, here = 0.0, np.inf, 0.0, slope
        for trial in range(MAX_TRIALS):
            chances = softmax(start + np.float32(length) * along)
            weighted = chances * along
            means = weighted.sum(axis=1)
            if trial:
                here = _dot(self._weights, means) - own + pull + length * bend
                if abs(here) <= FLAT * abs(slope):
                    break
            low, high = (length, high) if here < 0 else (low, length)
            curvature = _dot(self._weights, (weighted * along).sum(axis=1) - means * means) + bend
            wanted = length - here / max(curvature, 1e-30)
            limit = high if np.isfinite(high) else np.inf if not trial else 4 * length
            length = wanted if low < wanted < limit else (low + limit) / 2
        return length


def _scaled(point: Point, factor: float) -> Point:
    by = np.float32(factor)
    return Point(by * point.shares, by * point.image, by * point.bias)


def _dot(left: FloatArray | FloatMatrix, right: FloatArray) -> float:
    return float(np.dot(left.ravel(), right.ravel()))
