"""What a text costs by its length, and how much of that is not the model's forward pass; what a served desk takes."""

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.benches.frame import Row
from eval.benches.measured_process import COMMAND
from eval.errors import BenchError
from eval.machine import memory_mib
from models.openvino_encoder import OpenVinoEncoder
from models.protocols import FloatArray, IntArray

LENGTHS = (8, 16, 32, 64, 128, 192, 256)
REPEATS = 60
PATIENCE_S = 60.0


class TimedEncoder(OpenVinoEncoder):
    """The serving encoder, with the seconds of its forward passes added up."""

    forward_s = 0.0

    def forward(self, ids: IntArray, mask: IntArray) -> FloatArray:
        """Return what the encoder gives."""
        start = time.perf_counter()
        vectors = super().forward(ids, mask)
        self.forward_s += time.perf_counter() - start
        return vectors


def cost_rows(folder: Path, texts: dict[int, Sequence[str]]) -> list[Row]:
    """Return a row per number of tokens: median milliseconds of a single text, and the share spent around the model."""
    encoder = TimedEncoder(folder)
    rows: list[Row] = []
    for length, some in texts.items():
        encoder.encode(some[:4])
        whole, forward = [], []
        for repeat in range(REPEATS):
            encoder.forward_s, start = 0.0, time.perf_counter()
            encoder.encode([some[repeat % len(some)]])
            whole.append(time.perf_counter() - start)
            forward.append(encoder.forward_s)
        share = 1 - float(np.median(forward)) / float(np.median(whole))
        rows.append(
            {
                "table": "Cost of one text by its tokens (the default encoder)",
                "system": f"{length} tokens",
                "ms": round(float(np.median(whole)) * 1e3, 2),
                "forward pass ms": round(float(np.median(forward)) * 1e3, 2),
                "not the forward pass %": round(100 * share, 1),
            }
        )
    return rows


@dataclass(frozen=True)
class Served:
    """ready_s: from start to the first 200 of /health/ready; ready_mib, worked_mib: resident memory then, and after
    `tickets` suggestions."""

    ready_s: float
    ready_mib: float
    worked_mib: float
    tickets: int


def served(desk: Path, var: Path, tickets: Sequence[bytes]) -> Served:
    """Start ``firstline serve`` on a built desk, let it work, and stop it. Raises `BenchError`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    database = var / "bench" / "encoder-served.db"
    database.unlink(missing_ok=True)
    url = f"sqlite:///{database}"
    key = subprocess.run(  # noqa: S603 - ours
        [COMMAND, "keys", "create", str(desk), "--database", url, "--var", str(var)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()[-1]
    start = time.perf_counter()
    command = [COMMAND, "serve", str(desk), "--port", str(port), "--database", url, "--var", str(var)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    try:
        address = f"http://127.0.0.1:{port}"
        while not _answers(f"{address}/health/ready"):
            if process.poll() is not None or time.perf_counter() - start > PATIENCE_S:
                raise BenchError(f"`firstline serve {desk}` did not become ready")
            time.sleep(0.01)
        ready_s, ready_mib = time.perf_counter() - start, memory_mib(process.pid)
        for ticket in tickets:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            request = urllib.request.Request(f"{address}/v1/suggestions", ticket, headers)  # noqa: S310 - loopback
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                answer.read()
        return Served(ready_s, ready_mib, memory_mib(process.pid), len(tickets))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
