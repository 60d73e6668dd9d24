"""Half an hour at half load: does memory, do open files, does the write-ahead log grow without an end?"""

import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from eval.benches.frame import Bar, Row, write_bench
from eval.benches.service_process import ANSWER, NO_ANSWER, Api, Place, Service, free_port, serving

SOAK_MIN = float(os.environ.get("SOAK_MIN", "30"))
SEED, PARTS = 20, 30
#: Seconds of the closed loop, its clients, those of the open loop, and the part of the rate that this asks for.
CLOSED, CLIENTS, OPEN_CLIENTS, SHARE = 15.0, 8, 16, 0.5
#: Of a thousand requests so many of each kind. So many articles change that indexes are built anew meanwhile.
MIX = {
    "triage": 397, "suggestion": 200, "message": 80, "feedback": 70, "solved": 50, "article": 5,
    "tickets": 60, "decision": 58, "feedback list": 40, "articles": 40,
}  # fmt: skip
LISTS = {"tickets": "/v1/tickets?limit=20", "feedback list": "/v1/feedback?limit=20", "articles": "/v1/articles"}
#: Articles that change; the newest tickets, of which the load goes on to speak; seconds until a connection is too old.
ARTICLES, KNOWN, IDLE = 24, 1_000, 3.0
GOOD, REFUSED = (200, 201, 204), (429, 503)
#: Growth of memory over the second half in percent, of open files; the write-ahead log in MiB, and its growth.
#: The second half counts, since up to 10,000 open tickets are rightly kept in memory, and caches have to fill. Its
#: growth is judged and not whether the slope is 0: readings hang together, so that an interval is too narrow and calls
#: noise a slope. 5 % of 420 MiB over the 15,000 requests of a quarter of an hour are 1.5 KiB a request.
GROWTH, MORE_FILES, WAL, WAL_GROWTH = 5.0, 8, 64.0, 8.0


@dataclass(frozen=True)
class Reading:
    """How the service stood at the end of a part, and p95 of the answers of that part in milliseconds."""

    minute: float
    answers: Counter[int]
    p95: float
    memory: float
    files: int
    wal: float
    database: float
    generation: str


@dataclass
class Load:
    """A load on a service. rate: requests a second of an open loop, 0 for a closed one.

    answers: status of each, 0 for none, and seconds since it was due; known: tickets, each with its suggestion's id.
    """

    api: Api
    cases: Sequence[dict[str, Any]]
    seconds: float = CLOSED
    rate: float = 0.0
    answers: list[tuple[int, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    known: deque[tuple[dict[str, Any], str]] = field(default_factory=lambda: deque(maxlen=KNOWN))
    number: int = 0
    draw: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - no secret
    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = field(default_factory=time.perf_counter)

    def next(self) -> tuple[float, str, str, str, Any] | None:
        """Return when the next request is due, its kind, method, path and body; None when it is over."""
        with self.lock:
            due = self.began + self.number / self.rate if self.rate else time.perf_counter()
            if due >= self.began + self.seconds:
                return None
            self.number += 1
            kind = self.draw.choices(list(MIX), list(MIX.values()))[0] if self.known else "suggestion"
            return due, kind, *self._request(kind)

    def _request(self, kind: str) -> tuple[str, str, Any]:
        if kind in LISTS:
            return "GET", LISTS[kind], None
        if kind in ("triage", "suggestion"):
            return "POST", "/v1/triage" if kind == "triage" else "/v1/suggestions", self._ticket()
        if kind == "article":
            text = f"Turn the Nibwick valve {self.number} times to the left."
            body = {"title": f"Valve {self.number}", "markdown": text, "status": "published", "audience": "public"}
            return "PUT", f"/v1/articles/soak-{self.draw.randrange(ARTICLES)}", body
        ticket, suggestion = self.draw.choice(self.known)
        if kind == "message":
            return "POST", f"/v1/tickets/{ticket['id']}/messages", {"author": "customer", "text": "Is there any news?"}
        if kind == "solved":
            return "PUT", f"/v1/tickets/{ticket['id']}", {**ticket, "status": "solved"}
        if kind == "feedback":
            body = {"verdict": "rejected", "reason": f"No. {self.number}"}
            return "POST", f"/v1/suggestions/{suggestion}/feedback", body
        return "GET", f"/v1/decisions/{suggestion}", None

    def _ticket(self) -> dict[str, Any]:
        """Return a case's ticket as one of now, of a requester of its own, whose text is no other's."""
        name, case = f"{self.rate:.0f}-{self.number}", self.draw.choice(self.cases)
        requester = {"id": f"c-{name}", "name": "Jo Bun", "email": f"jo-{name}@bun.example"}
        body = f"{case.get('body', '')}\n\nOur reference is {name}."
        told = {key: value for key, value in case.items() if key not in ("created_at", "messages")}
        return {**told, "id": f"T-{name}", "requester": requester, "body": body}


def main(desk: Path, var: Path) -> None:
    """Run the bench. The load generator shares the machine: times are told, not judged."""
    started = time.monotonic()
    cases = [json.loads(line)["ticket"] for line in (desk / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        place = Place.in_folder(Path(folder), desk, var)
        api = Api(free_port(), place.new_key())
        try:
            with serving(place, api) as service:
                load = Load(api, cases, 60 * SOAK_MIN, SHARE * _closed(Load(api, cases)))
                readings = _soak(load, service, Path(folder))
        finally:
            (var / "bench").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place.var / "server.log", var / "bench" / "soak.log")
    rows, bars = _outcome(load, readings)
    write_bench("soak", started, rows, bars, var / "bench")


def _closed(load: Load) -> float:
    """Return the rate of the closed loop: good answers a second."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        for client in [pool.submit(_ask_on, load) for _ in range(CLIENTS)]:
            client.result()
    rate = sum(status in GOOD for status, _ in load.answers) / CLOSED
    print(f"closed loop, {CLIENTS} clients: {rate:.1f} answers/s, {len(load.failed)} failed", flush=True)
    return rate


def _soak(load: Load, service: Service, folder: Path) -> list[Reading]:
    readings, read = list[Reading](), 0
    with ThreadPoolExecutor(OPEN_CLIENTS) as pool:
        clients = [pool.submit(_ask_on, load) for _ in range(OPEN_CLIENTS)]
        try:
            for part in range(1, PARTS + 1):
                time.sleep(max(0.0, load.began + part * load.seconds / PARTS - time.perf_counter()))
                readings.append(_reading(load, load.answers[read:], service, folder))
                read += readings[-1].answers.total()
                told = list(_row(load, readings[-1:]).items())[1:]
                print(" · ".join(f"{key} {value}" for key, value in told), flush=True)
        finally:
            load.seconds = 0.0  # a service that is gone is not asked on
        for client in clients:
            client.result()
    return readings


def _ask_on(load: Load) -> None:
    """Send what is next over a connection that is kept open, until the load is over."""
    connection, last = HTTPConnection("127.0.0.1", load.api.port, timeout=ANSWER), time.perf_counter()
    while (request := load.next()) is not None:
        due, kind, method, path, body = request
        time.sleep(max(0.0, due - time.perf_counter()))
        if time.perf_counter() - last > IDLE:
            connection.close()
        (status, said), last = _ask(connection, load.api.key, method, path, body), time.perf_counter()
        load.answers.append((status, last - due))
        if status not in (*GOOD, *REFUSED):
            load.failed.append(f"{method} {path}: {status} {said[:200]}")
        elif kind == "suggestion" and status == 201:
            load.known.append((body, json.loads(said)["id"]))
    connection.close()


def _ask(connection: HTTPConnection, key: str, method: str, path: str, body: Any) -> tuple[int, str]:
    """Return an answer's status and text; 0 and the error where there was none."""
    named = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body).encode(), named)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except NO_ANSWER as error:
        connection.close()
        return 0, repr(error)


def _reading(load: Load, answers: Sequence[tuple[int, float]], service: Service, folder: Path) -> Reading:
    good, wal = [seconds for status, seconds in answers if status in GOOD], folder / "bench.db-wal"
    return Reading(
        minute=(time.perf_counter() - load.began) / 60,
        answers=Counter(status for status, _ in answers),
        p95=1000 * float(np.percentile(good, 95)) if good else float("nan"),
        memory=service.memory_mib(),
        files=service.descriptors(),
        wal=wal.stat().st_size / 2**20 if wal.exists() else 0.0,
        database=(folder / "bench.db").stat().st_size / 2**20,
        generation=next((folder / "var" / "generations").glob("*/current")).read_text(encoding="utf-8").strip(),
    )


def _row(load: Load, readings: Sequence[Reading]) -> Row:
    """Tell of some parts in a row: how the service stood after the last of them, and the worst p95."""
    answers, last = sum((reading.answers for reading in readings), Counter[int]()), readings[-1]
    return {
        "table": f"{SOAK_MIN:g} minutes at {load.rate:.1f} requests/s, half of what {CLIENTS} clients get, 1 worker",
        "minute": round(last.minute, 1),
        "answers": answers.total(),
        "refused": sum(answers[status] for status in REFUSED),
        "failed": sum(count for status, count in answers.items() if status not in (*GOOD, *REFUSED)),
        "worst p95, ms": round(max(reading.p95 for reading in readings), 1),
        "memory, MiB": round(last.memory, 1),
        "files": last.files,
        "WAL, MiB": round(last.wal, 1),
        "database, MiB": round(last.database, 1),
        "generation": int(last.generation),
    }


def _outcome(load: Load, readings: Sequence[Reading]) -> tuple[list[Row], list[Bar]]:
    for said in load.failed[:10]:
        print(f"failed: {said}")
    first, second = readings[: PARTS // 2], readings[PARTS // 2 :]
    files, more = max(one.files for one in first), max(one.files for one in second)
    wal, later = max(one.wal for one in first), max(one.wal for one in second)
    failed, step = float(len(load.failed)), PARTS // 6
    return [_row(load, readings[at : at + step]) for at in range(0, PARTS, step)], [
        _memory(second),
        Bar("open files, second half at most over first", more - files, 0, more - files, f"<= {MORE_FILES}",
            more <= files + MORE_FILES),
        Bar("write-ahead log at most, MiB (first, second half)", max(wal, later), wal, later, f"<= {WAL:g}",
            max(wal, later) <= WAL and later <= wal + WAL_GROWTH),
        Bar("requests that failed", failed, failed, failed, "0", not failed),
    ]  # fmt: skip


def _memory(second: Sequence[Reading]) -> Bar:
    """Return the slope of a line through the readings of the second half, with its 95 % interval."""
    at = [reading.minute / 60 for reading in second]
    found = stats.linregress(at, [reading.memory for reading in second])
    slope, half = float(found.slope), float(found.stderr * stats.t.ppf(0.975, len(second) - 2))
    grown = 100 * slope * (at[-1] - at[0]) / float(found.intercept + slope * at[0])
    name = f"memory, MiB an hour ({grown:.1f} % in the second half)"
    return Bar(name, slope, slope - half, slope + half, f"<= {GROWTH:g} % in it", grown <= GROWTH)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
