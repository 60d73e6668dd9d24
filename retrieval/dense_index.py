"""FAISS behind the contract of `ExactIndex`; immutable once built."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from models.artifact_files import read_json, write_json
from models.errors import ArtifactError
from models.protocols import FloatArray, IntArray
from retrieval.errors import DamagedIndexError, RetrievalError
from retrieval.exact_index import ExactIndex, check_queries
from retrieval.graph_index import GRAPH, GraphSettings, IndexCard, Recall, build_graph, load_faiss

#: Where more than one row in so many is asked for, or so many in all, reading all vectors is faster than the graph.
GRAPH_SHARE, GRAPH_ROWS = 100, 5_000
#: FAISS has its limits on reading for the whole process.
_reading = Lock()
#: No sound index of ours has a list of more parts.
MAX_PARTS = 1_000


class DenseIndex:
    """Cosine search over unit vectors: exact up to 50,000, by a tuned HNSW graph above."""

    def __init__(self, index: Any, card: IndexCard) -> None:
        self._index = index
        #: What the index is, and what it was measured to find.
        self.card = card
        self._hidden: IntArray = np.zeros(0, dtype=np.int64)
        self._added: ExactIndex | None = None
        self._keep: Any = None

    @classmethod
    def build(cls, vectors: FloatArray, settings: GraphSettings = GRAPH) -> "DenseIndex":
        """Index float32 unit vectors of shape (rows, dimension); row numbers are the ids.

        Where a graph does not find what exact search finds, the index stays exact; its card says so in its note.
        Raises `DamagedIndexError` for a number that is not finite.
        """
        faiss = load_faiss()
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        rows, dimension = vectors.shape
        if not np.isfinite(vectors).all():
            raise DamagedIndexError("a vector is not finite; nothing was indexed, use another encoder")
        graph, card = None, IndexCard("flat", rows, dimension)
        if rows > max(settings.flat_up_to, settings.k):
            graph, card = build_graph(vectors, settings)
        if graph is None:
            graph = faiss.IndexFlatIP(dimension)
            graph.add(vectors)
        return cls(graph, card)

    @classmethod
    def load(cls, path: Path, rows: int, dimension: int) -> "DenseIndex":
        """Read an index file whose SHA-256 has been checked (FAISS itself loads most damaged files in silence)."""
        index = _read(path)
        if index.ntotal != rows or index.d != dimension:
            raise DamagedIndexError(
                f"{path}: {index.ntotal} vectors of {index.d} dimensions, expected {rows} of {dimension}; "
                "build the desk again"
            )
        card = _read_card(card_path(path), index)
        if type(index).__name__ != ("IndexFlatIP" if card.kind == "flat" else "IndexHNSWSQ"):
            raise DamagedIndexError(f"{path}: {type(index).__name__} is not what its card says; build the desk again")
        if card.kind == "graph":
            index.hnsw.efSearch = card.ef_search
        return cls(index, card)

    def save(self, path: Path) -> None:
        """Write the index file, and its card beside it. Raises `RetrievalError` for an index with changes."""
        faiss = load_faiss()
        if self._changed:
            raise RetrievalError(f"{path}: an index with changes is not saved; build one of all rows")
        faiss.write_index(self._index, str(path))
        write_json(card_path(path), asdict(self.card))

    def with_changes(self, hidden: Sequence[int], added: FloatArray) -> "DenseIndex":
        """Return an index that shares this one's rows, never finds some of them, and searches more rows exactly.

        hidden: row numbers; added: unit vectors, whose row numbers follow on. Changes made before are not kept.
        """
        faiss = load_faiss()
        changed = DenseIndex(self._index, self.card)
        if len(added):
            check_queries(added, self._index.d)
            changed._added = ExactIndex(np.ascontiguousarray(added, dtype=np.float32))
        changed._hidden = np.unique(np.asarray(hidden, dtype=np.int64))
        if len(changed._hidden):
            keep = np.ones(self._index.ntotal, dtype=bool)
            keep[changed._hidden] = False
            changed._keep = faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))
        return changed

    @property
    def _changed(self) -> bool:
        return self._added is not None or self._keep is not None

    def __len__(self) -> int:
        """Return how many row numbers there are, hidden ones included."""
        return int(self._index.ntotal) + (len(self._added) if self._added else 0)

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return scores and row numbers, both of shape (len(queries), min(k, rows)), best first."""
        check_queries(queries, self._index.d)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        scores, rows = self._search_built(queries, min(k, int(self._index.ntotal) - len(self._hidden)))
        if self._added is None:
            return scores, rows
        more_scores, more_rows = self._added.search(queries, k)
        scores = np.concatenate([scores, more_scores], axis=1)
        rows = np.concatenate([rows, more_rows + self._index.ntotal], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def scores_of(self, query: FloatArray, rows: IntArray) -> FloatArray:
        """Return the cosines of one query, shape (dimension,), with the given rows."""
        built = int(self._index.ntotal)
        rows = np.asarray(rows, dtype=np.int64)
        scores = np.zeros(len(rows), dtype=np.float32)
        old = rows < built
        if old.any():
            scores[old] = self._index.reconstruct_batch(rows[old]) @ query
        if self._added is not None and not old.all():
            scores[~old] = self._added.scores_of(query, rows[~old] - built)
        return scores

    def _search_built(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        if k == 0 or not len(queries):
            empty = np.zeros((len(queries), k), dtype=np.float32)
            return empty, empty.astype(np.int64)
        deepest = max(self.card.ef_search, min(self.card.rows // GRAPH_SHARE, GRAPH_ROWS))
        if self.card.kind == "graph" and k <= deepest:
            scores, rows = self._search_graph(queries, k)
            if (rows >= 0).all():
                return scores, rows
        # A graph may not reach k rows; its vectors can still be read one after the other.
        faiss = load_faiss()
        index = self._index if self.card.kind == "flat" else self._index.storage
        scores, rows = index.search(queries, k, params=faiss.SearchParameters(sel=self._keep))
        return scores, rows

    def _search_graph(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        faiss = load_faiss()
        wanted = faiss.SearchParametersHNSW(efSearch=max(self.card.ef_search, k), sel=self._keep)
        scores, rows = self._index.search(queries, k, params=wanted)
        return scores, rows


def card_path(path: Path) -> Path:
    """Return where the card of an index file lies."""
    return path.with_name(f"{path.name}.json")


def _read(path: Path) -> Any:
    faiss = load_faiss()
    try:
        with _reading:
            # A damaged size must not make FAISS ask for more memory than the file can fill.
            faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
            faiss.set_deserialization_loop_limit(MAX_PARTS)
            faiss.set_deserialization_lattice_r2_limit(1)
            return faiss.read_index(str(path))
    except (RuntimeError, OSError) as error:
        raise DamagedIndexError(f"{path}: FAISS cannot read the index; build the desk again") from error


def _read_card(path: Path, index: Any) -> IndexCard:
    """Return an index's card. One that is exact needs none: there is nothing that was measured."""
    rows, dimension = index.ntotal, index.d
    if not path.exists() and type(index).__name__ == "IndexFlatIP":
        return IndexCard("flat", rows, dimension)
    try:
        said = read_json(path)
        recall = said.pop("recall")
        card = IndexCard(**said, recall=Recall(**recall) if recall else None)
    except (ArtifactError, TypeError, KeyError, AttributeError) as error:
        raise DamagedIndexError(f"{path}: the index's card cannot be read; build the desk again") from error
    if (card.rows, card.dimension) != (rows, dimension) or card.kind not in ("flat", "graph"):
        raise DamagedIndexError(f"{path}: the card is of another index; build the desk again")
    return card
