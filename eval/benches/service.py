"""The service under load: requests a second and times for one to a thousand clients, beside the encoder alone."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from eval.benches.fast_path import measure, outcome
from eval.benches.frame import Bar, Row, write_bench
from eval.benches.load_clients import Client, Found, Load
from eval.benches.service_process import Api, Place, Service, free_port, serving
from eval.cases import load_cases
from eval.errors import BenchError
from eval.run_suite import known_articles
from triage.assembly import build_engine

CLIENTS = (1, 8, 64, 1_000)
PATHS = {"/v1/triage": 8.0, "/v1/suggestions": 12.0}
#: Part of the highest rate of the closed loop that the open loop asks for.
OPEN_SHARE = 0.5
#: What a server may answer that has too much to do.
REFUSALS = {"429", "503"}
#: Seconds within which the service must say that it lives, whatever its load.
HEALTH = 0.1


def main(desk: Path, var: Path) -> None:
    """Run the bench. The load generator shares the machine: what a wall clock says is told, not judged."""
    started = time.monotonic()
    engine = build_engine(desk, var)
    known = known_articles(desk, engine)
    tickets = [case.ticket for case in load_cases(desk / "cases.jsonl", engine.rules.taxonomy, known)]
    bodies = [ticket.model_copy(update={"id": None}).model_dump_json(exclude_defaults=True) for ticket in tickets]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place.in_folder(Path(folder), desk, var)
        with serving(place, Api(free_port(), place.new_key())) as server:
            loaded = [_loaded(server, path, seconds, bodies, rows) for path, seconds in PATHS.items()]
            cpu_rows, cpu_bar = outcome(measure(server, engine, tickets), len(tickets))
    bars = [cpu_bar, *_bars([found for founds in loaded for found in founds])]
    write_bench("service", started, [*rows, *cpu_rows], bars, var / "bench")


def _loaded(server: Service, path: str, seconds: float, bodies: Sequence[str], rows: list[Row]) -> list[Found]:
    """Put load on a path, more clients each time, then at a steady rate; return what the most clients found."""
    asyncio.run(_warm(server, path, bodies[:20]))
    best, last = 0.0, Found()
    for clients in CLIENTS:
        last = _run(server, Load(server.api.port, server.api.key, path, bodies, clients, seconds), rows)
        best = max(best, len(last.answers.get("200", last.answers.get("201", []))) / last.seconds)
    _run(server, Load(server.api.port, server.api.key, path, bodies, 256, seconds, best * OPEN_SHARE), rows)
    return [last]


async def _warm(server: Service, path: str, bodies: Sequence[str]) -> None:
    client = Client(server.api.port, server.api.key)
    for body in bodies:
        await client.ask("POST", path, body.encode())
    client.close()


def _run(server: Service, load: Load, rows: list[Row]) -> Found:
    before = server.cpu_seconds()
    command = [sys.executable, "-m", "eval.benches.load_clients"]
    done = subprocess.run(command, input=json.dumps(asdict(load)), capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise BenchError(f"the load generator failed: {(done.stderr.strip().splitlines() or ['nothing said'])[-1]}")
    found = Found(**json.loads(done.stdout))
    rows.append(_row(server, load, found, server.cpu_seconds() - before))
    print(" · ".join(f"{key} {value}" for key, value in rows[-1].items() if key != "table"), flush=True)
    return found


def _row(server: Service, load: Load, found: Found, cpu: float) -> Row:
    good = sorted(seconds for status in ("200", "201") for seconds in found.answers.get(status, []))
    refused = sum(len(times) for status, times in found.answers.items() if status in REFUSALS)
    at = dict(zip((50, 95, 99), np.percentile(good, (50, 95, 99)) * 1000, strict=True)) if good else {}
    health = np.percentile(found.health, 99) * 1000 if found.health else float("nan")
    return {
        "table": f"POST {load.path}",
        "loop": f"open, {load.rate:.0f}/s" if load.rate else "closed",
        "clients": load.clients,
        "answers/s": round(len(good) / found.seconds, 1),
        **{f"p{share}, ms": round(float(value), 1) for share, value in at.items()},
        "refused": refused,
        "failed": failures(found),
        "health p99, ms": round(float(health), 1),
        "CPU, ms": round(1000 * cpu / max(1, len(good)), 1),
        "memory, MiB": round(server.memory_mib()),
    }


def failures(found: Found) -> int:
    """Return how many requests got no answer, or another than a good one or a refusal."""
    odd = sum(len(times) for status, times in found.answers.items() if status not in {"200", "201", *REFUSALS})
    return odd + sum(found.failures.values())


def _bars(most: Sequence[Found]) -> list[Bar]:
    """Return the bars of the most clients: nothing but good answers and refusals, and health in time."""
    failed = sum(map(failures, most))
    health = [seconds for found in most for seconds in found.health]
    worst = max(health) if health else float("inf")
    p99 = float(np.percentile(health, 99)) if health else float("inf")
    silent = sum(found.health_failures for found in most)
    name = f"{CLIENTS[-1]:,} clients"
    return [
        Bar(f"{name}: errors other than 429 and 503", failed, failed, failed, "0", failed == 0),
        Bar(f"{name}: health, ms at p99 (to the slowest)", 1000 * p99, 1000 * p99, 1000 * worst, "< 100",
            p99 < HEALTH and silent == 0),
    ]  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
