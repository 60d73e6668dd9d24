"""What every bench has in common: bars, the machine, the versions, and the file they are written to."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.artifact_files import write_json

PARTS = ("firstline", "faiss-cpu", "numpy", "onnxruntime", "scikit-learn", "tokenizers", "torch")


@dataclass(frozen=True)
class Bar:
    """A figure held against its target; low and high are its interval, or the spread of repeats."""

    name: str
    value: float
    low: float
    high: float
    target: str
    holds: bool


def machine() -> dict[str, Any]:
    """Describe this machine: cores it may use, memory, processor."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def write_bench(name: str, started: float, rows: Sequence[dict[str, Any]], bars: Sequence[Bar], out: Path) -> None:
    """Print the bars and write the bench's file."""
    for bar in bars:
        verdict = "holds" if bar.holds else "MISSED"
        print(f"{bar.name:<44} {bar.value:9.3f}  ({bar.low:.3f} – {bar.high:.3f})  {bar.target:<9} {verdict}")
    out.mkdir(parents=True, exist_ok=True)
    found = {
        "machine": machine(),
        "versions": {part: importlib.metadata.version(part) for part in PARTS},
        "seconds": round(time.monotonic() - started, 1),
        "rows": list(rows),
        "bars": [asdict(bar) for bar in bars],
    }
    write_json(out / f"{name}.json", found)
    print(f"Written to {out / f'{name}.json'}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
