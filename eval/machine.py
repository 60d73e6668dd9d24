"""What a run or bench ran on."""

import importlib.metadata
import os
import platform
import resource
from pathlib import Path
from typing import Any

PARTS = (
    "firstline",
    "faiss-cpu",
    "nncf",
    "numpy",
    "onnxruntime",
    "openvino",
    "scikit-learn",
    "sentence-transformers",
    "tokenizers",
    "torch",
)


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


def part_versions() -> dict[str, str]:
    """Return the versions of the packages that figures depend on, those that are installed."""
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    return {part: importlib.metadata.version(part) for part in PARTS if part in installed}


def peak_mib() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory_mib(pid: int | str = "self") -> float:
    """Return the memory that a process (without an id, this one) holds now, in MiB (Linux only)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
