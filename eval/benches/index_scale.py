"""Search at scale: what a graph finds of real passages, what a million passages cost, how soon a change shows.

Reads the Exchange articles under ``$DATA``. What is found is measured on their own vectors only; the larger sets are
made of pairs of these, moved at random, and say nothing but what search costs.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Row, write_bench
from eval.benches.index_changes import live_changes
from eval.benches.index_material import Real, read_real
from eval.benches.index_process import searched
from eval.errors import BenchError
from models.protocols import FloatArray
from retrieval.dense_index import DenseIndex
from retrieval.exact_index import ExactIndex
from retrieval.graph_index import GRAPH, moved
from triage.assembly import encoder_for_build, remembering
from triage.desk_files import read_desk

SIZES = (10_000, 100_000, 1_000_000)
#: How near a made vector is to the real one that it was made of, and a query to its row.
MADE_COSINE, QUERY_COSINE = 0.8, 0.7
QUERIES = 1_000
BLOCK = 100_000
SEED = 20
MIB_PER_GB = 1e9 / 2**20


def main(desk: Path, var: Path, sizes: Sequence[int] = SIZES, most: int | None = None) -> None:
    """Run the bench. most: take so many articles only, to try the bench."""
    started = time.monotonic()
    work = var / "bench" / "index_scale"
    work.mkdir(parents=True, exist_ok=True)
    encoder = remembering(encoder_for_build(read_desk(desk), var), var, datetime.now(UTC).date())
    real = read_real(encoder, most)
    rows, bars = recall_of(real)
    for size in sizes:
        row, found = cost_of(real.vectors, size, work)
        rows, bars = [*rows, row], [*bars, *found]
    row, found = live_changes(real, encoder)
    write_bench("index_scale", started, [*rows, row], [*bars, *found], var / "bench")


def recall_of(real: Real) -> tuple[list[Row], list[Bar]]:
    """Return what a graph over the real passages finds of what exact search finds."""
    start = time.perf_counter()
    graph = DenseIndex.build(real.vectors, replace(GRAPH, flat_up_to=0))
    seconds, recall = time.perf_counter() - start, graph.card.recall
    if recall is None:
        raise BenchError(f"the real passages: {graph.card.note}")
    best = ExactIndex(real.vectors).search(real.asked, GRAPH.k)[0][:, -1:]
    _, found = graph.search(real.asked, GRAPH.k)
    scores = np.einsum("qd,qkd->qk", real.asked, real.vectors[found])
    shares = np.mean(scores >= best - 1e-5, axis=1)
    half = 1.96 * float(shares.std()) / len(shares) ** 0.5
    asked = (float(shares.mean()), float(shares.mean()) - half, min(1.0, float(shares.mean()) + half))
    table = "What an HNSW graph finds of the real passages, against exact search"
    row: Row = {
        "table": table,
        "system": f"M {graph.card.m}, efConstruction {graph.card.ef_construction}, half precision",
        "passages": graph.card.rows,
        "efSearch chosen": graph.card.ef_search,
        "recall@10, rows and moved rows (chosen by)": cell((recall.value, recall.low, recall.high)),
        "recall@10, summaries as questions (not chosen by)": cell(asked),
        "questions": len(real.asked),
        "build and tune s": round(seconds, 1),
    }
    return [row], [Bar("recall@10 of real passages, summaries", *asked, f">= {GRAPH.min_recall:g}", asked[0] >= 0.98)]


def cost_of(vectors: FloatArray, size: int, work: Path) -> tuple[Row, list[Bar]]:
    """Return what so many vectors cost, and the bars of a million."""
    rows = made_of(vectors, size)
    draws = np.random.default_rng(SEED + 1)
    np.save(work / "queries.npy", moved(rows[draws.integers(size, size=QUERIES)], QUERY_COSINE, draws))
    start = time.perf_counter()
    index = DenseIndex.build(rows)
    seconds, card = time.perf_counter() - start, index.card
    del rows
    index.save(work / "index.faiss")
    del index
    took = searched(work / "index.faiss", size, work / "queries.npy")
    (work / "index.faiss").unlink()
    print(f"{card}: built in {seconds:.0f} s, {took}", flush=True)
    row: Row = {
        "table": "What search costs, one thread (vectors made of real ones: no figure of what is found)",
        "system": "exact" if card.kind == "flat" else f"HNSW, efSearch {card.ef_search}",
        "passages": size,
        "p50 ms": took.p50,
        "p99 ms": took.p99,
        "p99 ms, 5 % hidden and 1,000 added": took.changed_p99,
        "index MiB": round(took.index_mib),
        "process MiB": round(took.resident_mib),
        "peak MiB": round(took.peak_mib),
        "build and tune s": round(seconds, 1),
    }
    if size < max(SIZES):
        return row, []
    gigabytes = took.resident_mib / MIB_PER_GB
    return row, [
        Bar(f"p99 of {size:,} passages, ms", took.p99, took.p99_low, took.p99_high, "<= 10", took.p99 <= 10),
        Bar(f"memory of {size:,} passages, GB", gigabytes, gigabytes, gigabytes, "<= 1.2", gigabytes <= 1.2),
    ]


def made_of(vectors: FloatArray, size: int) -> FloatArray:
    """Return so many unit vectors: real ones, each moved part of the way to another, and in a direction of its own.

    Moved at random alone, a million rows are islands around the real ones, which no real knowledge is: a graph with 16
    neighbours a row did not lead from one to the next.
    """
    draws = np.random.default_rng(SEED)
    made = np.empty((size, vectors.shape[1]), dtype=np.float32)
    for start in range(0, size, BLOCK):
        block = made[start : start + BLOCK]
        first, second = (vectors[draws.integers(len(vectors), size=len(block))] for _ in range(2))
        share = draws.random((len(block), 1), dtype=np.float32) / 2
        between = (1 - share) * first + share * second
        block[:] = moved(between / np.linalg.norm(between, axis=1, keepdims=True), MADE_COSINE, draws)
    return made


def cell(value: tuple[float, float, float]) -> dict[str, float | None]:
    """Return a figure with its interval as a cell."""
    return dict(zip(("value", "low", "high"), value, strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"), tuple(map(int, sys.argv[2:])) or SIZES)
