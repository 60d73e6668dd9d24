"""Half an hour at half load: does memory grow, do files stay open, does the write-ahead log end?"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Row, write_bench
from eval.benches.load_clients import PATIENCE, Client
from eval.benches.service_process import Api, Place, Service, free_port, serving
from eval.cases import load_cases
from eval.run_suite import known_articles
from triage.assembly import build_engine

MINUTES = float(os.environ.get("SOAK_MIN", "30"))
#: Seconds for which the full load is measured, and its clients.
FULL, CLIENTS = 20.0, 8
#: Looks at the process in all.
LOOKS = 60
#: Of so many requests in a row: the rest is `POST /v1/triage`.
ROUND, SUGGESTIONS, MESSAGES, LISTS = 20, 4, 2, 2
#: One edit of an article in so many requests.
EDITS = 200
#: What the second half may add to the first: open tickets are kept in memory, up to 10,000 of them (15 MB).
MEMORY, DESCRIPTORS = 0.05, 8
#: MiB. SQLite starts the log anew once it was copied, by default at 4 MiB; a reader may hold that up for a while.
LOG = 64
GOOD = {200, 201, 204}

Request = tuple[str, str, bytes]


@dataclass(frozen=True)
class Look:
    """What a process holds at a moment. minute: since the load began; log, database: MiB."""

    minute: float
    memory: float
    descriptors: int
    log: float
    database: float


@dataclass
class Found:
    """What came of requests, and seconds of the good ones with their minute."""

    statuses: Counter[int] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, float]] = field(default_factory=list)


def main(desk: Path, var: Path) -> None:
    """Run the bench. The load generator shares the machine: half load is half of what both together reach."""
    started = time.monotonic()
    engine = build_engine(desk, var)
    known = known_articles(desk, engine)
    tickets = [case.ticket for case in load_cases(desk / "cases.jsonl", engine.rules.taxonomy, known)]
    bodies = [
        ticket.model_copy(update={"id": None}).model_dump(mode="json", exclude_defaults=True) for ticket in tickets
    ]
    with tempfile.TemporaryDirectory() as folder:
        place = Place.in_folder(Path(folder), desk, var)
        with serving(place, Api(free_port(), place.new_key())) as service:
            found, looks, rate = asyncio.run(_soak(service, requests(bodies), Path(folder) / "bench.db"))
    rows, bars = _outcome(found, looks, rate)
    write_bench("soak", started, rows, bars, var / "bench")


def requests(bodies: Sequence[dict[str, object]]) -> Iterator[Request]:
    """Yield requests without end: mostly triage, then suggestions, messages, lists, now and then an edit."""
    told = 0
    for number in count():
        body, turn = bodies[number % len(bodies)], number % ROUND
        if number % EDITS == EDITS - 1:
            article = {"title": "Soaked", "markdown": f"Edit {number}.", "status": "published", "audience": "public"}
            yield "PUT", f"/v1/articles/soak-{number // EDITS % 5}", json.dumps(article).encode()
        elif turn < SUGGESTIONS:
            told += 1
            yield "POST", "/v1/suggestions", json.dumps(body | {"id": f"S-{told}"}).encode()
        elif turn < SUGGESTIONS + MESSAGES and told > 100:
            message = {"author": "customer", "text": f"And {number}?"}
            yield "POST", f"/v1/tickets/S-{told - 100 + turn}/messages", json.dumps(message).encode()
        elif turn < SUGGESTIONS + MESSAGES + LISTS:
            yield "GET", "/v1/tickets?limit=20", b""
        else:
            yield "POST", "/v1/triage", json.dumps(body).encode()


async def _soak(service: Service, stream: Iterator[Request], database: Path) -> tuple[Found, list[Look], float]:
    clients = [Client(service.api.port, service.api.key) for _ in range(4 * CLIENTS)]
    full = Found()
    began = time.perf_counter()
    await asyncio.gather(*(_ask_until(client, stream, full, began + FULL) for client in clients[:CLIENTS]))
    rate = len(full.times) / (time.perf_counter() - began) / 2
    print(f"{2 * rate:.0f} requests a second at full load; {MINUTES:g} minutes at half of it", flush=True)
    found, looks = Found(), list[Look]()
    load = asyncio.create_task(_steady(clients, stream, found, rate))
    began = time.perf_counter()
    for number in range(LOOKS):
        await asyncio.sleep(began + (number + 1) * MINUTES * 60 / LOOKS - time.perf_counter())
        looks.append(_look(service, database, (time.perf_counter() - began) / 60))
        if number % 10 == 9:
            print(
                f"minute {looks[-1].minute:.0f}: {looks[-1].memory:.0f} MiB, {len(found.times):,} answers", flush=True
            )
    await load
    for client in clients:
        client.close()
    return found, looks, rate


async def _ask_until(client: Client, stream: Iterator[Request], found: Found, end: float) -> None:
    while time.perf_counter() < end:
        await _ask(client, next(stream), found, time.perf_counter())


async def _steady(clients: Sequence[Client], stream: Iterator[Request], found: Found, rate: float) -> None:
    """Begin requests at a steady rate, whatever becomes of those before; times count from when each was due."""
    free: asyncio.Queue[Client] = asyncio.Queue()
    for client in clients:
        free.put_nowait(client)
    began, running = time.perf_counter(), set[asyncio.Task[None]]()

    async def one(request: Request, due: float) -> None:
        client = await free.get()
        try:
            await _ask(client, request, found, due, began)
        finally:
            free.put_nowait(client)

    for number in range(int(rate * MINUTES * 60)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(next(stream), due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _ask(client: Client, request: Request, found: Found, due: float, began: float = 0.0) -> None:
    try:
        status = await asyncio.wait_for(client.ask(*request), PATIENCE)
    except (OSError, EOFError, TimeoutError) as error:
        found.silent[type(error).__name__] += 1
        await asyncio.sleep(0.1)
        return
    found.statuses[status] += 1
    if status in GOOD:
        found.times.append(((due - began) / 60, time.perf_counter() - due))


def _look(service: Service, database: Path, minute: float) -> Look:
    sizes = [part.stat().st_size / 2**20 for part in (Path(f"{database}-wal"), database)]
    return Look(minute, service.memory_mib(), service.descriptors(), *sizes)


def _outcome(found: Found, looks: Sequence[Look], rate: float) -> tuple[list[Row], list[Bar]]:
    rows, step = list[Row](), max(1, len(looks) // 10)
    for place in range(step - 1, len(looks), step):
        look, before = looks[place], looks[place - step].minute if place >= step else 0.0
        times = [seconds for minute, seconds in found.times if before <= minute < look.minute]
        rows.append(
            {
                "table": f"{MINUTES:g} minutes at {rate:.0f} requests a second",
                "to minute": round(look.minute, 1),
                "answers": len(times),
                "p50, ms": round(1000 * float(np.percentile(times, 50)), 1),
                "p99, ms": round(1000 * float(np.percentile(times, 99)), 1),
                "memory, MiB": round(look.memory),
                "descriptors": look.descriptors,
                "log, MiB": round(look.log, 1),
                "database, MiB": round(look.database, 1),
            }
        )
    rows += [{"table": "Answers", "system": str(status), "n": n} for status, n in sorted(found.statuses.items())]
    rows += [{"table": "Answers", "system": f"none: {name}", "n": n} for name, n in found.silent.items()]
    return rows, _bars(found, looks)


def _bars(found: Found, looks: Sequence[Look]) -> list[Bar]:
    later = looks[len(looks) // 2 :]
    first = looks[: len(looks) // 2]
    # A straight line through the second half, with the spread of its slope.
    minutes, memory = [look.minute for look in later], [look.memory for look in later]
    (slope, _), covariance = np.polyfit(minutes, memory, 1, cov=True)
    spread = 1.96 * float(np.sqrt(covariance[0][0])) * 60
    hourly, growth = 60 * float(slope), float(slope) * (minutes[-1] - minutes[0]) / memory[0]
    more = float(max(look.descriptors for look in later) - max(look.descriptors for look in first))
    log = max(look.log for look in looks)
    bad = float(sum(n for status, n in found.statuses.items() if status not in GOOD) + found.silent.total())
    return [
        Bar("memory, MiB an hour over the second half", hourly, hourly - spread, hourly + spread,
            f"<= {MEMORY:.0%} in it", growth <= MEMORY),
        Bar("descriptors, more in the second half", more, more, more, f"<= {DESCRIPTORS}", more <= DESCRIPTORS),
        Bar("write-ahead log at its longest, MiB", log, log, log, f"<= {LOG}", log <= LOG),
        Bar("requests that failed", bad, bad, bad, "0", not bad),
    ]  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
