"""Builds an HNSW graph over many vectors, and tunes it against exact search until it finds what that finds.

HNSW: Malkov and Yashunin 2018, as FAISS has it. Its vectors are kept in half precision, which halves their memory and
moves a cosine by about 1e-5.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from models.protocols import FloatArray, IntArray

BLOCK = 65_536
#: Half a width of a 95 % interval, in standard errors.
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall@k against exact search, with its 95 % interval (normal), over n queries."""

    value: float
    low: float
    high: float
    n: int
    k: int

    def __str__(self) -> str:
        return f"recall@{self.k} {self.value:.3f} ({self.low:.3f} to {self.high:.3f}, {self.n} queries)"


@dataclass(frozen=True, slots=True)
class IndexCard:
    """What an index is: exact, or a graph with its parameters and what it was measured to find.

    note: why many vectors were left to exact search, "" where they were not.
    """

    kind: Literal["flat", "graph"]
    rows: int
    dimension: int
    m: int = 0
    ef_construction: int = 0
    ef_search: int = 0
    recall: Recall | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.kind == "flat":
            return f"exact, {self.rows:,} vectors" + (f"; {self.note}" if self.note else "")
        made = f"M {self.m}, efConstruction {self.ef_construction}, efSearch {self.ef_search}"
        return f"HNSW ({made}, half precision), {self.rows:,} vectors, {self.recall}"


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """When a graph is built, how, and what it has to find.

    flat_up_to: so many vectors and fewer are searched exactly; m, ef_construction: for up to `many` vectors, and the
    denser graph of more, which takes some three times as long; min_recall: what the lower end of the interval of
    recall@k has to reach, for each kind of query; efforts: the values of efSearch to try, in order; cosine: how near a
    perturbed query is to its row.
    """

    flat_up_to: int = 50_000
    m: int = 16
    ef_construction: int = 80
    many: int = 300_000
    denser: tuple[int, int] = (24, 160)
    min_recall: float = 0.98
    k: int = 10
    efforts: tuple[int, ...] = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
    queries: int = 1_000
    cosine: float = 0.7
    seed: int = 20


GRAPH = GraphSettings()


def load_faiss() -> Any:
    """Return the module FAISS, loaded late; its type hints know nothing of what its Python constructors take."""
    import faiss

    return faiss


def build_graph(vectors: FloatArray, settings: GraphSettings = GRAPH) -> tuple[Any, IndexCard]:
    """Return a FAISS graph over more than k unit vectors and its card; where it does not find enough, no graph.

    The same vectors give the same graph: it is built by one thread, which takes minutes from a million vectors on.
    """
    faiss = load_faiss()
    rows, dimension = vectors.shape
    m, ef_construction = settings.denser if rows > settings.many else (settings.m, settings.ef_construction)
    with one_thread():
        graph = faiss.IndexHNSWSQ(dimension, faiss.ScalarQuantizer.QT_fp16, m, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = ef_construction
        graph.add(vectors)
    card = IndexCard("graph", rows, dimension, m, ef_construction)
    samples = [_Sample.near(vectors, kind, settings) for kind in (1.0, settings.cosine)]
    best: Recall | None = None
    for effort in settings.efforts:
        graph.hnsw.efSearch = effort
        worst = min((sample.recall(graph, vectors) for sample in samples), key=lambda recall: recall.low)
        if worst.low >= settings.min_recall:
            return graph, replace(card, ef_search=effort, recall=worst)
        best = max(best or worst, worst, key=lambda recall: recall.low)
    note = f"a graph reached no more than {best}, which is not surely {settings.min_recall:g}: exact search, slower"
    return None, IndexCard("flat", rows, dimension, note=note)


@dataclass(frozen=True)
class _Sample:
    """Queries with the row that each was made of, which is no answer, and the score of their true kth answer."""

    queries: FloatArray
    own: IntArray
    kth: FloatArray
    k: int

    @classmethod
    def near(cls, vectors: FloatArray, cosine: float, settings: GraphSettings) -> "_Sample":
        """Draw rows as queries: as they are (cosine 1), or moved at random to a cosine.

        A row itself is where the graph is densest. A question is never like its answer word for word, so it lies off
        the rows, where a graph finds less: the moved rows stand for it.
        """
        draws = np.random.default_rng(settings.seed)
        own = draws.choice(len(vectors), min(settings.queries, len(vectors)), replace=False)
        queries = moved(vectors[own], cosine, draws)
        return cls(queries, own, _kth_best(queries, vectors, own, settings.k), settings.k)

    def recall(self, graph: Any, vectors: FloatArray) -> Recall:
        """Return the share of the k answers that score as well as the true kth: equal texts count as one another."""
        _, found = graph.search(self.queries, self.k + 1)
        shares = []
        for query, own, kth, rows in zip(self.queries, self.own, self.kth, found, strict=True):
            answers = rows[(rows >= 0) & (rows != own)][: self.k]
            shares.append(float(np.count_nonzero(vectors[answers] @ query >= kth - 1e-5)) / self.k)
        return _mean(shares, self.k)


def moved(rows: FloatArray, cosine: float, draws: np.random.Generator) -> FloatArray:
    """Return unit vectors about so near to these, each moved in a direction of its own."""
    if cosine >= 1:
        return rows
    noise = draws.standard_normal(rows.shape, dtype=np.float32)
    noise *= math.sqrt(1 / cosine**2 - 1) / np.linalg.norm(noise, axis=1, keepdims=True)
    found = rows + noise
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let FAISS use one thread: with more, a graph depends on which of them was faster."""
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _kth_best(queries: FloatArray, vectors: FloatArray, own: IntArray, k: int) -> FloatArray:
    """Return each query's kth best score over all rows but its own, by matrix products over blocks of rows."""
    best = np.full((len(queries), k), -2.0, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        scores = queries @ vectors[start : start + BLOCK].T
        here = np.flatnonzero((own >= start) & (own < start + BLOCK))
        scores[here, own[here] - start] = -2.0
        joined = np.concatenate([best, scores], axis=1)
        best = np.partition(joined, joined.shape[1] - k, axis=1)[:, -k:]
    return np.asarray(best.min(axis=1), dtype=np.float32)


def _mean(shares: Sequence[float], k: int) -> Recall:
    value = float(np.mean(shares))
    half = NORMAL_95 * float(np.std(shares)) / math.sqrt(len(shares))
    return Recall(value, max(0.0, value - half), min(1.0, value + half), len(shares), k)
