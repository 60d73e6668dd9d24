"""PostgreSQL taken away under write load and given back: what is answered meanwhile, how soon is all well again?"""

import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval.benches.crash_service import Acknowledged, missing, write_once
from eval.benches.frame import Bar, Row, write_bench
from eval.benches.postgres_process import WAYS, PostgresProcess, postgres
from eval.benches.service_process import ANSWER, NO_ANSWER, Api, Place, free_port, serving
from eval.errors import BenchError

OUTAGES = int(os.environ.get("OUTAGES", "10"))
SEED, WORKERS, WRITERS = 20, (1, 2), 4
#: Seconds for which PostgreSQL is away, and for which it is there before that.
AWAY, THERE = (1.0, 5.0), (0.5, 2.0)
#: Seconds between looks at the health, and after a refusal: far less than `Retry-After` asks for, to see all of it.
LOOK, REFUSED = 0.05, 0.05
#: Seconds until all is well again, counted from when `pg_ctl` says so, which looks every tenth of a second.
RECOVERED = 10.0
#: Seconds for which the service may say that it is ready though PostgreSQL refuses connections: it believes an answer
#: for one and waits for half of one; the rest is a busy machine's. It doubts longer only where an answer is overdue.
UNAWARE = 2.5
#: Seconds within which it must say that it lives, and after which it is taken for lost.
LIVE, PATIENCE = 1.0, 60.0
GOOD = (200, 201, 204)


@dataclass(frozen=True)
class Answer:
    """When an answer came, after how many seconds, its status (0: none came), and what is wrong with it."""

    at: float
    seconds: float
    status: int
    fault: str


@dataclass(frozen=True)
class Watched:
    """An `Api` whose answers are noted, those to writes and those of the two looks at the health."""

    api: Api
    writes: list[Answer] = field(default_factory=list)
    live: list[Answer] = field(default_factory=list)
    ready: list[Answer] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return status and JSON of the answer to a write, status 0 where there was none."""
        answer, said = self._ask(method, path, body)
        self.writes.append(answer)
        if answer.status not in GOOD:
            time.sleep(REFUSED)
        return answer.status, said

    def look(self) -> None:
        """Ask whether the service lives, and whether it is ready."""
        self.live.append(self._ask("GET", "/health/live")[0])
        self.ready.append(self._ask("GET", "/health/ready")[0])

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[Answer, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.api.port, timeout=ANSWER)
        named = {"Authorization": f"Bearer {self.api.key}", "Content-Type": "application/json"}
        began = time.monotonic()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), named)
            answer = connection.getresponse()
            status, said = answer.status, json.loads(answer.read())
            fault = _fault(method, path, answer, said)
        except NO_ANSWER as error:
            status, said, fault = 0, None, f"{method} {path}: {error!r}"
        finally:
            connection.close()
        at = time.monotonic()
        return Answer(at, at - began, status, fault), said


@dataclass(frozen=True)
class Outage:
    """An outage: the moments at which PostgreSQL was told to stop, told to start, and took connections again."""

    way: str
    stopped: float
    started: float
    back: float


def main(desk: Path, var: Path) -> None:
    """Run the bench; the seed is told, so that the same moments can be tried again."""
    started, rows, bars = time.monotonic(), list[Row](), list[Bar]()
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder, postgres(Path(folder) / "postgres") as server:
            place = Place.in_folder(Path(folder), desk, var, server.url)
            watched, acknowledged = Watched(Api(free_port(), place.new_key())), Acknowledged()
            log = place.var / "server.log"
            try:
                with serving(place, watched.api, workers):
                    outages = _under_load(server, watched, acknowledged)
                    lost = missing(watched.api, acknowledged, None)
            finally:
                (var / "bench").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, var / "bench" / f"postgres_outage-{workers}.log")
        rows += _rows(workers, outages, watched, acknowledged)
        bars += _bars(workers, outages, watched, lost)
    write_bench("postgres_outage", started, rows, bars, var / "bench")


def _fault(method: str, path: str, answer: http.client.HTTPResponse, said: Any) -> str:
    """Return what is wrong with an answer: all but a good one, and a refusal that says how to go on."""
    if answer.status in GOOD:
        return ""
    kind, after = answer.getheader("Content-Type") or "", answer.getheader("Retry-After") or ""
    if answer.status == http.client.SERVICE_UNAVAILABLE and kind.startswith("application/problem+json") and after:
        return ""
    return f"{method} {path}: {answer.status} {kind} {json.dumps(said)[:200]}"


def _under_load(server: PostgresProcess, watched: Watched, acknowledged: Acknowledged) -> list[Outage]:
    draw, stop = random.Random(SEED), threading.Event()  # noqa: S311 - no secret

    def write(name: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            write_once(watched, acknowledged, f"w-{name}-{turn}")

    def look() -> None:
        while not stop.wait(LOOK):
            watched.look()

    writers = [threading.Thread(target=write, args=(name,)) for name in range(WRITERS)]
    threads = [*writers, threading.Thread(target=look)]
    for thread in threads:
        thread.start()
    try:
        outages = [_outage(server, watched, draw, number) for number in range(OUTAGES)]
        time.sleep(THERE[1])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return outages


def _outage(server: PostgresProcess, watched: Watched, draw: random.Random, number: int) -> Outage:
    """Take PostgreSQL away and give it back; return once a write is acknowledged and the service says it is ready."""
    time.sleep(draw.uniform(*THERE))
    way, stopped = WAYS[number % len(WAYS)], time.monotonic()
    server.stop(way)
    time.sleep(draw.uniform(*AWAY))
    started = time.monotonic()
    server.start()
    outage = Outage(way, stopped, started, time.monotonic())
    _wait(lambda: _first_good(watched.writes, outage) and _first_good(watched.ready, outage))
    written = _first_good(watched.writes, outage)
    print(f"{number + 1} of {OUTAGES}: {way}, {outage.back - stopped:.1f} s, a write after {written:.2f} s", flush=True)
    return outage


def _wait(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise BenchError(f"the service was not well within {PATIENCE:g} s")
        time.sleep(0.02)


def _first_good(answers: Sequence[Answer], outage: Outage) -> float:
    """Return seconds from the end of an outage to the first good answer to what was asked since; 0 for none yet."""
    since = (one.at for one in answers if one.status in GOOD and one.at - one.seconds >= outage.started)
    return next((max(0.001, at - outage.back) for at in since), 0.0)


def _last(answers: Sequence[Answer], good: bool, since: float, until: float) -> float:
    """Return the moment of the last answer of a span that is good, or is not; the span's start where there is none."""
    return max((one.at for one in answers if since < one.at < until and (one.status in GOOD) is good), default=since)


def _spans(outages: Sequence[Outage], watched: Watched) -> list[dict[str, float]]:
    """Return the seconds that count, outage by outage; an answer before the next outage belongs to the one before."""
    found = []
    for outage, end in zip(outages, [*(one.stopped for one in outages[1:]), float("inf")], strict=True):
        found.append({
            "away": outage.back - outage.stopped,
            "first write": _first_good(watched.writes, outage),
            "last refusal": max(0.0, _last(watched.writes, False, outage.stopped, end) - outage.back),
            "not ready until": max(0.0, _last(watched.ready, False, outage.stopped, end) - outage.back),
            "ready said for": _last(watched.ready, True, outage.stopped, outage.started) - outage.stopped,
        })  # fmt: skip
    return found


def _rows(workers: int, outages: Sequence[Outage], watched: Watched, acknowledged: Acknowledged) -> list[Row]:
    rows, spans, table = list[Row](), _spans(outages, watched), f"{len(outages)} outages, {_many(workers)}, seed {SEED}"
    for way in WAYS:
        own = [span for outage, span in zip(outages, spans, strict=True) if outage.way == way]
        if own:
            told = {f"{name}, s": _median_to_most([span[name] for span in own]) for name in own[0]}
            rows.append({"table": table, "system": way, "outages": len(own), **told})
    for status, count in sorted(Counter(str(answer.status or "none") for answer in watched.writes).items()):
        rows.append({"table": f"Answers to writes, {_many(workers)}", "system": status, "n": count})
    for kind, count in sorted(acknowledged.counts.items()):
        rows.append({"table": f"Acknowledged, {_many(workers)}", "system": kind, "n": count})
    return rows


def _bars(workers: int, outages: Sequence[Outage], watched: Watched, lost: Sequence[str]) -> list[Bar]:
    faults = [answer.fault for answer in (*watched.writes, *watched.ready) if answer.fault]
    for text in (*(f"lost: {path}" for path in lost[:10]), *faults[:10]):
        print(text)
    spans, name = _spans(outages, watched), _many(workers)
    odd, gone = float(len(faults)), float(len(lost))
    live, dead = [one.seconds for one in watched.live], sum(one.status != http.client.OK for one in watched.live)
    bars = [
        Bar(f"{name}: acknowledged and lost", gone, gone, gone, "0", not lost),
        Bar(f"{name}: answers neither good nor a sound 503", odd, odd, odd, "0", not faults),
        Bar(f"{name}: health/live, s (median to slowest)", float(np.median(live)), min(live), max(live),
            f"< {LIVE:g}", max(live) < LIVE and not dead),
    ]  # fmt: skip
    for part in ("first write", "last refusal", "not ready until", "ready said for"):
        values, target = [span[part] for span in spans], UNAWARE if part == "ready said for" else RECOVERED
        most, named = max(values), f"{name}: {part}, s (slowest; median to it)"
        bars.append(Bar(named, most, float(np.median(values)), most, f"<= {target:g}", most <= target))
    return bars


def _many(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


def _median_to_most(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f} to {max(values):.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
