"""What searching an index takes in a process of its own: run as ``python -m eval.benches.index_process``."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eval.errors import BenchError
from eval.machine import memory_mib
from models.protocols import FloatArray
from retrieval.dense_index import DenseIndex
from retrieval.graph_index import one_thread
from retrieval.search import CANDIDATES

ROUNDS = 5
#: One passage in so many is hidden where changes are searched with.
HIDDEN = 20
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Searched:
    """Milliseconds of single searches for as many rows as the ranking asks for, and MiB.

    p99_low and p99_high: the least and the most of the rounds; changed_p99: with one row in 20 hidden and 1,000 added;
    index_mib: of the file; resident_mib: of the process once it has searched; peak_mib: the most it ever held.
    """

    p50: float
    p99: float
    p99_low: float
    p99_high: float
    changed_p99: float
    index_mib: float
    resident_mib: float
    peak_mib: float


def searched(path: Path, rows: int, queries: Path) -> Searched:
    """Measure an index file in a new process, on one thread. Raises `BenchError`."""
    command = [sys.executable, "-m", "eval.benches.index_process", str(path), str(rows), str(queries)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD)  # noqa: S603 - ours
    if done.returncode:
        raise BenchError(f"{path}: its process failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return Searched(**json.loads(done.stdout.strip().splitlines()[-1]))


def main(path: Path, rows: int, queries_path: Path) -> None:
    """Load an index, search it, and print what that took as JSON."""
    queries: FloatArray = np.load(queries_path)
    index = DenseIndex.load(path, rows, queries.shape[1])
    with one_thread():
        times(index, queries[:50])
        rounds = [times(index, queries) for _ in range(ROUNDS)]
        resident, peak = memory_mib(), own_peak_mib()
        changed = times(index.with_changes(range(0, rows, HIDDEN), queries[:1_000]), queries)
    all_times = np.concatenate(rounds)
    p99s = [float(np.percentile(each, 99)) for each in rounds]
    found = Searched(
        p50=float(np.percentile(all_times, 50)),
        p99=float(np.percentile(all_times, 99)),
        p99_low=min(p99s),
        p99_high=max(p99s),
        changed_p99=float(np.percentile(changed, 99)),
        index_mib=path.stat().st_size / 2**20,
        resident_mib=resident,
        peak_mib=peak,
    )
    print(json.dumps(asdict(found)))


def own_peak_mib() -> float:
    """Return the most that this program held, in MiB; what `getrusage` says counts the program that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def times(index: DenseIndex, queries: FloatArray) -> FloatArray:
    """Return the milliseconds that each query took, alone."""
    found = []
    for query in queries:
        start = time.perf_counter()
        index.search(query[np.newaxis, :], CANDIDATES)
        found.append(1000 * (time.perf_counter() - start))
    return np.array(found, dtype=np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
