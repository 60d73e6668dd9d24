"""kill -9 under write load, again and again: is anything lost that was acknowledged, and how soon is it back?"""

import http.client
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Row, write_bench
from eval.benches.service_process import NO_ANSWER, Api, Calls, Place, Service, free_port, serving

KILLS = int(os.environ.get("KILLS", "200"))
SEED = 20
WRITERS = 4
#: Seconds for which a server lives once it is ready, at least and at most.
LIFE = (0.05, 1.0)
#: Restart to ready, in seconds.
READY = 5.0


@dataclass
class Acknowledged:
    """What the service said that it had stored: paths to be found again, each with a part of what must be there."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    found_at: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, path: str, holds: str) -> None:
        """Keep what was acknowledged; later writes to the same path take the place of earlier ones."""
        with self.lock:
            self.found_at[path] = holds
            self.counts[kind] = self.counts.get(kind, 0) + 1


def main(desk: Path, var: Path) -> None:
    """Run the bench; the seed is told, so that the same moments can be tried again."""
    started, draw = time.monotonic(), random.Random(SEED)  # noqa: S311 - no secret
    acknowledged, ready, lost = Acknowledged(), [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Place.in_folder(Path(folder), desk, var)
        api = Api(free_port(), place.new_key())
        for kill in range(KILLS + 1):
            with serving(place, api) as service:
                ready.append(service.seconds)
                lost += missing(api, acknowledged, None if kill == KILLS else 200)
                if kill < KILLS:
                    _write_until_killed(service, acknowledged, draw.uniform(*LIFE), kill)
            if kill % 20 == 0:
                print(f"{kill} of {KILLS} kills, {sum(acknowledged.counts.values()):,} acknowledged", flush=True)
    rows, bars = _outcome(acknowledged, ready, lost)
    write_bench("crash", started, rows, bars, var / "bench")


def _outcome(acknowledged: Acknowledged, ready: list[float], lost: list[str]) -> tuple[list[Row], list[Bar]]:
    rows: list[Row] = [
        {"table": f"{KILLS} kills under write load, seed {SEED}", "system": kind, "acknowledged": count}
        for kind, count in sorted(acknowledged.counts.items())
    ]
    for path in lost[:10]:
        print(f"lost: {path}")
    p50, most = float(np.median(ready)), max(ready)
    count = float(len(set(lost)))
    return rows, [
        Bar("acknowledged and lost", count, count, count, "0", not lost),
        Bar("restart to ready, s (median to slowest)", p50, min(ready), most, f"<= {READY:g}", most <= READY),
    ]


def _write_until_killed(service: Service, acknowledged: Acknowledged, life: float, kill: int) -> None:
    stop = threading.Event()
    writers = [
        threading.Thread(target=_write, args=(service.api, acknowledged, f"{kill}-{number}", stop.is_set))
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    time.sleep(life)
    service.process.kill()
    service.process.wait()
    stop.set()
    for writer in writers:
        writer.join()


def _write(api: Api, acknowledged: Acknowledged, name: str, stopped: Callable[[], bool]) -> None:
    """Write one of everything in turn, and keep what was acknowledged, until the service is gone."""
    turn = 0
    while not stopped():
        turn += 1
        try:
            write_once(api, acknowledged, f"{name}-{turn}")
        except NO_ANSWER:
            return


def write_once(api: Calls, acknowledged: Acknowledged, name: str) -> None:
    """Write one of everything, and keep what was acknowledged."""
    ticket = {"id": f"T-{name}", "subject": "Printer", "body": f"My printer prints nothing since {name}."}
    status, made = api.call("POST", "/v1/suggestions", ticket)
    if status == http.client.CREATED:
        acknowledged.add("suggestions", f"/v1/suggestions/{made['id']}", made["id"])
        acknowledged.add("tickets", f"/v1/tickets/T-{name}", f"since {name}.")
        status, given = api.call(
            "POST", f"/v1/suggestions/{made['id']}/feedback", {"verdict": "rejected", "reason": name}
        )
        if status == http.client.CREATED:
            acknowledged.add("feedback", f"/v1/feedback/{given['id']}", name)
        message = {"author": "customer", "text": f"Still nothing, {name}!"}
        if api.call("POST", f"/v1/tickets/T-{name}/messages", message)[0] == http.client.CREATED:
            acknowledged.add("messages", f"/v1/tickets/T-{name}", message["text"])
    article = {
        "title": f"Printer {name}",
        "markdown": f"Off and on, {name}.",
        "status": "published",
        "audience": "public",
    }
    path = f"/v1/articles/crash-{name.split('-')[1]}"
    status, stored = api.call("PUT", path, article)
    if status in (http.client.OK, http.client.CREATED):
        # A later version may have been stored and not acknowledged.
        acknowledged.add("articles", f"{path}?version={stored['version']}", f"Printer {name}")


def missing(api: Api, acknowledged: Acknowledged, newest: int | None) -> list[str]:
    """Return the acknowledged paths that are not found again, of the newest so many (None: of all)."""
    wanted = list(acknowledged.found_at.items())
    lost = []
    for path, holds in wanted if newest is None else wanted[-newest:]:
        status, said = api.call("GET", path)
        if status != http.client.OK or holds not in json.dumps(said, ensure_ascii=False):
            lost.append(path)
    return lost


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
