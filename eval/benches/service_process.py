"""The service in processes of its own, for benches that load it, stop what it needs, or kill it."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eval.benches.measured_process import COMMAND
from eval.errors import BenchError
from eval.machine import memory_mib

#: Seconds that a server may take to start, and to answer.
START, ANSWER = 120.0, 60.0
#: What is said once requests are accepted.
ADDRESS = "Firstline is at"
SCOPES = (
    "triage",
    "suggest",
    "feedback",
    "knowledge:read",
    "knowledge:write",
    "knowledge:publish",
    "internal",
    "admin",
)
#: What a call raises where there is no answer.
NO_ANSWER = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class Place:
    """A built desk, where its generations lie, and the URL of the database of its service."""

    desk: Path
    var: Path
    database: str

    def new_key(self) -> str:
        """Make a key for everything, with a budget that no bench uses up. Raises `BenchError`."""
        command = ["keys", "create", str(self.desk), "--per-minute", "1000000", *self._where]
        return run_command(*command, *(part for scope in SCOPES for part in ("--scope", scope))).split()[-1]

    @classmethod
    def in_folder(cls, folder: Path, desk: Path, var: Path, database: str | None = None) -> "Place":
        """Return a copy of what was built, in a folder of its own: what a service compacts is of its database."""
        for name in ("generations", "encoders"):
            if (var / name).is_dir():
                shutil.copytree(var / name, folder / "var" / name, symlinks=True)
        return cls(desk, folder / "var", database or f"sqlite:///{folder / 'bench.db'}")

    @property
    def _where(self) -> tuple[str, ...]:
        return "--database", self.database, "--var", str(self.var)

    def start(self, port: int, log: Path, workers: int) -> "subprocess.Popen[bytes]":
        """Start serving; what it says goes to the end of a log."""
        command = [COMMAND, "serve", str(self.desk), "--port", str(port), "--workers", str(workers), *self._where]
        with log.open("ab") as file:
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603 - ours


class Calls(Protocol):
    """What benches ask of an `Api`, so that another may stand before it."""

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return status and JSON of an answer."""
        ...


@dataclass(frozen=True)
class Api:
    """Calls of the service with a key, over a connection each."""

    port: int
    key: str

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer. Raises what `NO_ANSWER` names."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER)
        named = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), named)
            answer = connection.getresponse()
            said = answer.read()
            return answer.status, json.loads(said) if said else None
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Tell whether the service says that requests are welcome."""
        try:
            return self.call("GET", "/health/ready")[0] == http.client.OK
        except NO_ANSWER:
            return False


@dataclass(frozen=True)
class Service:
    """A service that is ready. seconds: what that took from its start."""

    process: "subprocess.Popen[bytes]"
    api: Api
    seconds: float

    @property
    def pids(self) -> list[int]:
        """Its processes: the one that was started, and its workers where it has any."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have taken so far, in user and system mode."""
        return sum(map(_cpu_seconds, self.pids))

    def memory_mib(self) -> float:
        """Return the memory that its processes hold."""
        return sum(map(memory_mib, self.pids))

    def descriptors(self) -> int:
        """Return how many files and sockets its processes have open."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids)


@contextmanager
def serving(place: Place, api: Api, workers: int = 1) -> Iterator[Service]:
    """Serve in processes of their own until the block ends. Raises `BenchError` where not all of them start.

    One process is killed in the end; workers are told to stop first, so that their parent sees to all of them.
    """
    log = place.var / "server.log"
    log.unlink(missing_ok=True)
    began = time.perf_counter()
    process = place.start(api.port, log, workers)
    try:
        # The address is said once all workers are ready; any of them may answer that it is.
        while not (api.is_ready() and (workers == 1 or ADDRESS in log.read_text(encoding="utf-8", errors="replace"))):
            if process.poll() is not None or time.perf_counter() - began > START:
                last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing said"])[-1]
                raise BenchError(f"`firstline serve` did not become ready: {last}")
            time.sleep(0.02)
        yield Service(process, api, time.perf_counter() - began)
    finally:
        if workers > 1:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(ANSWER)
        process.kill()
        process.wait(ANSWER)


def run_command(*arguments: str) -> str:
    """Run ``firstline``, and return what it printed. Raises `BenchError` where it fails."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BenchError(f"`firstline {' '.join(arguments[:2])}` failed: {last}")
    return done.stdout


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_seconds(pid: int) -> float:
    # The name stands in brackets and may hold anything: fields are counted from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
