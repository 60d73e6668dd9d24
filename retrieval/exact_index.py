"""Exact nearest neighbours in NumPy: the oracle in tests, and small enough to trust by reading."""

import numpy as np

from models.protocols import FloatArray, IntArray
from retrieval.errors import DamagedIndexError


class ExactIndex:
    """Cosine search over unit vectors, float32 of shape (rows, dimension), by one matrix product."""

    def __init__(self, vectors: FloatArray) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return scores and row numbers, both of shape (len(queries), min(k, rows)), best first."""
        check_queries(queries, self._vectors.shape[1])
        scores = queries @ self._vectors.T
        rows = np.argsort(-scores, axis=1, kind="stable")[:, : min(k, len(self))]
        return np.take_along_axis(scores, rows, axis=1), rows.astype(np.int64)

    def scores_of(self, query: FloatArray, rows: IntArray) -> FloatArray:
        """Return the cosines of one query, shape (dimension,), with the given rows."""
        return np.asarray(self._vectors[rows] @ query, dtype=np.float32)


def check_queries(queries: FloatArray, dimension: int) -> None:
    """Raise `DamagedIndexError` unless queries are finite unit vectors of this dimension.

    A zero vector would return arbitrary documents, and a NaN the row -1.
    """
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise DamagedIndexError(
            f"the query has shape {queries.shape} and the index {dimension} dimensions; "
            "the encoder is not the one that built the index, build the desk again"
        )
    if not np.isfinite(queries).all() or (np.abs(np.linalg.norm(queries, axis=1) - 1) > 1e-3).any():
        raise DamagedIndexError("the query vector is not a finite unit vector; blank text must not be searched")
