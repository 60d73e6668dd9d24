"""A real PostgreSQL taken away and given back under write load: what is answered, how soon it is well, what is lost."""

import os
import random
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
from eval.benches.service_process import NO_ANSWER, Api, Place, free_port, serving
from eval.errors import BenchError

OUTAGES = int(os.environ.get("OUTAGES", "20"))
SEED = 20
WRITERS = 4
#: Seconds for which the database is away, and for which it is there before that.
AWAY, THERE = (0.5, 8.0), (1.0, 4.0)
#: Seconds from the moment at which the database takes connections again to the first write that is acknowledged.
RECOVERED = 10.0
#: Seconds after which a service is taken for lost.
PATIENCE = 60.0
GOOD = {200, 201, 204}


@dataclass
class Answers:
    """What came back. at: when a write was last acknowledged; live: seconds of each look at whether it lives."""

    statuses: Counter[int] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    at: float = 0.0
    live: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Noted:
    """An `Api` that notes what is answered."""

    api: Api
    answers: Answers

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return status and JSON; 0 where there was no answer."""
        try:
            status, said = self.api.call(method, path, body, headers)
        except NO_ANSWER as error:
            self.answers.silent[type(error).__name__] += 1
            return 0, None
        self.answers.statuses[status] += 1
        if status in GOOD and method != "GET":
            self.answers.at = time.monotonic()
        elif status not in GOOD:
            time.sleep(0.1)  # who is refused asks again, a little later than at once
        return status, said


@dataclass(frozen=True)
class Outage:
    """One time without a database. seconds: until a write was acknowledged, and until it said that it is ready."""

    way: str
    away: float
    written: float
    ready: float
    unready: bool


def main(desk: Path, var: Path) -> None:
    """Run the bench; the seed is told, so that the same moments can be tried again."""
    started, draw = time.monotonic(), random.Random(SEED)  # noqa: S311 - no secret
    acknowledged, answers = Acknowledged(), Answers()
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder) / "postgres") as server:
        place = Place.in_folder(Path(folder), desk, var, server.url)
        api = Api(free_port(), place.new_key())
        with serving(place, api, workers=2):
            stop = threading.Event()
            threads = _begin(Noted(api, answers), acknowledged, stop)
            outages = [_outage(server, api, answers, draw, number) for number in range(OUTAGES)]
            time.sleep(THERE[0])
            stop.set()
            for thread in threads:
                thread.join()
            lost = missing(api, acknowledged, None)
    rows, bars = _outcome(outages, answers, acknowledged, lost)
    write_bench("outage", started, rows, bars, var / "bench")


def _begin(noted: Noted, acknowledged: Acknowledged, stop: threading.Event) -> list[threading.Thread]:
    def write(name: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            write_once(noted, acknowledged, f"{name}-{turn}")

    def live() -> None:
        while not stop.is_set():
            began = time.perf_counter()
            noted.call("GET", "/health/live")
            noted.answers.live.append(time.perf_counter() - began)
            time.sleep(0.1)

    works: list[Callable[[], None]] = [*(lambda name=name: write(name) for name in range(WRITERS)), live]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


def _outage(server: PostgresProcess, api: Api, answers: Answers, draw: random.Random, number: int) -> Outage:
    way, away = WAYS[number % len(WAYS)], draw.uniform(*AWAY)
    time.sleep(draw.uniform(*THERE))
    server.stop(way)
    time.sleep(away)
    unready = not api.is_ready()
    server.start()
    back = time.monotonic()
    ready = _seconds_until(api.is_ready, back)
    written = _seconds_until(lambda: answers.at > back, back)
    print(f"{number + 1} of {OUTAGES}: {way}, {away:.1f} s away, written after {written:.2f} s", flush=True)
    return Outage(way, away, written, ready, unready)


def _seconds_until(true: Callable[[], bool], since: float) -> float:
    while not true():
        if time.monotonic() - since > PATIENCE:
            raise BenchError(f"the service did not recover within {PATIENCE:g} s")
        time.sleep(0.02)
    return time.monotonic() - since


def _outcome(
    outages: Sequence[Outage], answers: Answers, acknowledged: Acknowledged, lost: Sequence[str]
) -> tuple[list[Row], list[Bar]]:
    table = f"{OUTAGES} outages under write load, 2 workers, seed {SEED}"
    rows: list[Row] = [
        {
            "table": table,
            "system": way,
            "outages": len(own),
            "away, s": f"{min(one.away for one in own):.1f} to {max(one.away for one in own):.1f}",
            "said not ready": sum(one.unready for one in own),
            "written again, s (median; slowest)": _span([one.written for one in own]),
            "ready again, s (median; slowest)": _span([one.ready for one in own]),
        }
        for way in WAYS
        if (own := [one for one in outages if one.way == way])
    ]
    rows += [{"table": "Acknowledged", "system": kind, "n": n} for kind, n in sorted(acknowledged.counts.items())]
    rows += [{"table": "Answers", "system": str(status), "n": n} for status, n in sorted(answers.statuses.items())]
    rows += [{"table": "Answers", "system": f"none: {name}", "n": n} for name, n in answers.silent.items()]
    for path in lost[:10]:
        print(f"lost: {path}")
    slowest = [one.written for one in outages]
    odd = float(sum(n for status, n in answers.statuses.items() if status not in {*GOOD, 503}) + answers.silent.total())
    p99, worst, count = float(np.percentile(answers.live, 99)), max(answers.live), float(len(lost))
    return rows, [
        Bar("back to the first write, s (slowest; from the median)", max(slowest), float(np.median(slowest)),
            max(slowest), f"<= {RECOVERED:g}", max(slowest) <= RECOVERED),
        Bar("acknowledged and lost", count, count, count, "0", not lost),
        Bar("answers other than good ones and 503", odd, odd, odd, "0", not odd),
        Bar("health/live meanwhile, s at p99 (to the slowest)", p99, p99, worst, "< 1", p99 < 1),
    ]  # fmt: skip


def _span(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f}; {max(values):.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
