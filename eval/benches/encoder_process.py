"""What one way to run the encoder takes in a process of its own: run as ``python -m eval.benches.encoder_process``."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.benches.encoder_systems import Workplace, open_system
from eval.errors import BenchError
from eval.machine import memory_mib

SENTENCE = "The card reader drops its connection whenever two tills take a payment at the same time. "


@dataclass(frozen=True)
class Footprint:
    """start_s: imports, load and the first vector; loaded_mib: resident then; worked_mib: after 320 long texts."""

    start_s: float
    loaded_mib: float
    worked_mib: float


def footprint(name: str, cache: Path) -> Footprint:
    """Measure a system in a new process, everything on disk warm. Raises `BenchError`."""
    command = [sys.executable, "-m", "eval.benches.encoder_process", name, str(cache)]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        raise BenchError(f"{name}: its process failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return Footprint(**json.loads(done.stdout.strip().splitlines()[-1]))


def main(name: str, cache: Path) -> None:
    """Load a system, let it work, and print what that took as JSON."""
    start = time.perf_counter()
    encode = open_system(name, Workplace(cache, ()))
    encode([SENTENCE])
    seconds, loaded = time.perf_counter() - start, memory_mib()
    for _ in range(5):
        encode([SENTENCE * repeats for repeats in (1, 4, 8, 12)] * 16)
    print(json.dumps(asdict(Footprint(round(seconds, 3), loaded, memory_mib()))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
