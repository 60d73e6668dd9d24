"""FAISS behind the contract of `ExactIndex`; immutable once built."""

from pathlib import Path
from typing import Any

import numpy as np

from models.protocols import FloatArray, IntArray
from retrieval.errors import DamagedIndexError
from retrieval.exact_index import check_queries


class DenseIndex:
    """Cosine search over unit vectors with `IndexFlatIP`: exact."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors: FloatArray) -> "DenseIndex":
        """Index float32 unit vectors of shape (rows, dimension); row numbers are the ids."""
        import faiss

        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    @classmethod
    def load(cls, path: Path, rows: int, dimension: int) -> "DenseIndex":
        """Read an index file whose SHA-256 has been checked (FAISS itself loads most damaged files in silence)."""
        import faiss

        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise DamagedIndexError(f"{path}: FAISS cannot read the index; build the desk again") from error
        if index.ntotal != rows or index.d != dimension:
            raise DamagedIndexError(
                f"{path}: {index.ntotal} vectors of {index.d} dimensions, expected {rows} of {dimension}; "
                "build the desk again"
            )
        return cls(index)

    def save(self, path: Path) -> None:
        """Write the index file."""
        import faiss

        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return scores and row numbers, both of shape (len(queries), min(k, rows)), best first."""
        check_queries(queries, self._index.d)
        k = min(k, len(self))
        if k == 0:
            empty = np.zeros((len(queries), 0), dtype=np.float32)
            return empty, empty.astype(np.int64)
        scores, rows = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), k)
        return scores, rows

    def scores_of(self, query: FloatArray, rows: IntArray) -> FloatArray:
        """Return the cosines of one query, shape (dimension,), with the given rows."""
        if len(rows) == 0:
            return np.zeros(0, dtype=np.float32)
        vectors = np.stack([self._index.reconstruct(int(row)) for row in rows])
        return np.asarray(vectors @ query, dtype=np.float32)
