"""Commands of our own in a process each, with what they took."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.errors import BenchError

COMMAND = str(Path(sys.executable).with_name("firstline"))


@dataclass(frozen=True)
class Taken:
    """seconds: wall time of the process; peak_mib: the most memory it held."""

    seconds: float
    peak_mib: float


def run_firstline(arguments: Sequence[str], log: Path) -> Taken:
    """Run ``firstline`` with arguments, its words into a log. Raises `BenchError` where it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen([COMMAND, *arguments], stdout=file, stderr=subprocess.STDOUT)  # noqa: S603 - ours
        # wait4 alone tells one child's own peak.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no word"]
        raise BenchError(f"`firstline {' '.join(arguments)}` failed: {said[-1]}; all it said is in {log}")
    return Taken(time.perf_counter() - start, usage.ru_maxrss / 1024)
