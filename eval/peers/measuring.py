"""Times one peer in this process. Needs the standard library only: other environments run it too."""

import importlib.metadata
import json
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

#: So many queries are timed, one at a time.
TIMED_QUERIES = 200
#: So many document ids are kept of a ranking.
RANKING_LENGTH = 10

Material = TypeVar("Material")
Material_contra = TypeVar("Material_contra", contravariant=True)
Setting = str | int | float | bool


@dataclass(frozen=True)
class Answers:
    """A label or a ranking (document ids, best first) per query; how sure of each label (0 to 1), where it is told."""

    values: list[str] | list[list[str]]
    confidence: list[float] | None = None


class Peer(Protocol[Material_contra]):
    """A way of labelling or ranking. Its constructor loads weights; `fit` learns from examples or documents."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The distributions that do the work."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What a reader needs to run the same."""

    def fit(self, material: Sequence[Material_contra]) -> None:
        """Learn from, or index, the material."""

    def answer(self, queries: Sequence[str]) -> Answers:
        """Answer each query by itself; what else is asked beside it changes nothing."""


def measure_peer(
    load: Callable[[], Peer[Material]],
    material: Sequence[Material],
    queries: Sequence[str],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, object]:
    """Load, fit and ask a peer; return its answers and what they cost.

    load_seconds: imports and weights. fit_seconds: learning or indexing, embedding included. milliseconds_per_query:
    the median over the first queries asked one at a time, as tickets arrive, after everything is warm. peak_mib: the
    most memory that this process held, imports included. The answers themselves are computed in one batch.
    """
    started = clock()
    peer = load()
    loaded = clock()
    peer.fit(material)
    fitted = clock()
    answers = peer.answer(queries)
    spent = []
    for query in queries[:TIMED_QUERIES]:
        before = clock()
        peer.answer([query])
        spent.append(clock() - before)
    return {
        "answers": answers.values,
        "confidence": answers.confidence,
        "load_seconds": round(loaded - started, 3),
        "fit_seconds": round(fitted - loaded, 3),
        "milliseconds_per_query": round(1000 * statistics.median(spent), 4),
        "peak_mib": round(peak_mib(), 1),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in peer.packages},
        },
        "settings": dict(peer.settings),
    }


def peak_mib() -> float:
    """Return the most memory that this process held, in MiB.

    On Linux `ru_maxrss` of a child starts at what its parent held, so a large bench would spoil every figure; the
    kernel's VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def write_report(name: str, measured: Mapping[str, object], out: Path) -> None:
    """Write what was measured of the peer `name`."""
    out.write_text(json.dumps({"peer": name, **measured}, allow_nan=False) + "\n", encoding="ascii")
