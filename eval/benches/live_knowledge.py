"""Articles and generations change under load, with two workers: does a request fail, is an answer of two minds?

One article, the marker, is called by a number that each of its edits changes; two sound generations, which promise a
first reply after different times, take turns. An answer names its generation and its revision of the knowledge: the
number and the time that it tells have to be theirs.
"""

import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from eval.benches.frame import write_bench
from eval.benches.live_answers import VISIBLE, Answer, Run, outcome
from eval.benches.live_generations import DAMAGES, build, place_of, turns_of
from eval.benches.service_process import ANSWER, NO_ANSWER, Api, free_port, serving

SWAPS, CHANGES = int(os.environ.get("SWAPS", "50")), int(os.environ.get("CHANGES", "500"))
SEED, WORKERS, LOADING, ASKING = 20, 2, 4, 2
#: Seconds for which a generation is waited for.
PATIENCE = 10.0
#: Seconds between changes, between swaps, and between an answer and the next request of the same client.
EDIT_PAUSE, SWAP_PAUSE, THINKING = (0.0, 0.2), (0.2, 1.0), 0.3
SUGGEST, PATHS, GOOD = "/v1/suggestions", ("/v1/suggestions", "/v1/triage"), (200, 201, 204)
#: Asked in the past, in working hours: when the first reply is due then follows from the generation alone.
QUESTION = {"body": "How do I reset the Nibwick valve? What is its number?", "created_at": "2026-01-12T10:00:00Z"}
MARKER, NUMBER = "nibwick-valve", re.compile(r"Nibwick valve(?: has the)? number (\d+)")
#: Title and text of each article that is edited; {} is the number of the change.
TEXTS = {
    MARKER: (
        "Nibwick valve number {}",
        "The Nibwick valve has the number {}. To reset the Nibwick valve, turn it left.",
    ),
    **{f"pump-{place}": (f"Pump {place}", "The pump was looked at {} times.") for place in range(3)},
}


def main(desk: Path, var: Path) -> None:
    """Run the bench in a folder of its own. Moments are never quite the same again, whatever the seed."""
    started = time.monotonic()
    cases = [json.loads(line)["ticket"] for line in (desk / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        place = place_of(desk, var / "encoders", Path(folder))
        sound = [build(place, hours) for hours in (1, 3)]
        run = Run(Api(free_port(), place.new_key()), place.var / "server.log", turns_of(place))
        try:
            with serving(place, run.api, WORKERS):
                _live(run, sound, [{**case, "id": None} for case in cases])
            rows, bars = outcome(run, sound)
        finally:
            (var / "bench").mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(run.log, var / "bench" / "live_knowledge.log")
    write_bench("live_knowledge", started, rows, bars, var / "bench")


def _live(run: Run, sound: Sequence[str], cases: Sequence[Any]) -> None:
    """Change articles and swap generations under load, until both is done."""
    _ask(run, HTTPConnection("127.0.0.1", run.api.port, timeout=ANSWER), "first", SUGGEST, QUESTION)
    run.first = run.answers.pop().revision
    with ThreadPoolExecutor(LOADING + ASKING + 2) as pool:
        asking = [pool.submit(_load, run, f"load-{place}", cases[place:], PATHS) for place in range(LOADING)]
        asking += [pool.submit(_load, run, f"ask-{place}", [QUESTION], (SUGGEST,)) for place in range(ASKING)]
        try:
            for changing in [pool.submit(_edit, run), pool.submit(_swap, run, sound)]:
                changing.result()
            time.sleep(2 * VISIBLE)  # the last change, too, is to be seen
        finally:
            run.stopped.set()
        for asked in asking:
            asked.result()


def _load(run: Run, name: str, bodies: Sequence[Any], paths: Sequence[str]) -> None:
    """Ask until it is over: those of even names over one connection, the others over a new one each time."""
    connection, turn = HTTPConnection("127.0.0.1", run.api.port, timeout=ANSWER), 0
    while not run.stopped.wait(THINKING):
        _ask(run, connection, f"{name}-{turn}", paths[turn % len(paths)], bodies[turn // len(paths) % len(bodies)])
        turn += 1
        if name[-1] in "13579":
            connection.close()
    connection.close()


def _ask(run: Run, connection: HTTPConnection, id: str, path: str, body: Any) -> None:
    named = {"Authorization": f"Bearer {run.api.key}", "Content-Type": "application/json", "X-Request-ID": id}
    began = time.perf_counter()
    try:
        connection.request("POST", path, json.dumps(body), named)
        answer = connection.getresponse()
        text, ended = answer.read().decode(), time.perf_counter()
        if answer.status not in GOOD:
            run.failed.append(f"POST {path}: {answer.status} {text[:200]}")
            return
        said = json.loads(text)
    except NO_ANSWER as error:
        run.failed.append(f"POST {path}: {error!r}")
        connection.close()
        return
    numbers = frozenset(map(int, NUMBER.findall(text))) if body is QUESTION else None
    versions, due = said["versions"], (said["due"] or {}).get("respond_by", "")
    found = Answer(id, path, began, ended, versions["generation"], versions["knowledge_revision"], due, numbers)
    run.answers.append(found)


def _edit(run: Run) -> None:
    """Publish, store drafts and delete. A refused change changes nothing; after no answer, nobody knows."""
    draw = random.Random(SEED)  # noqa: S311 - no secret
    known = run.api.call("GET", "/v1/articles?limit=2")[1]["items"]
    texts = {**TEXTS, **{record["id"]: (record["title"], record["markdown"] + "\n\nSeen {}.") for record in known}}
    published = {record["id"] for record in known}
    for number in range(1, CHANGES + 1):
        name = draw.choice([*texts, MARKER, MARKER])
        kind = draw.choice(["publish"] * 6 + ["draft", "delete" if name in published else "publish"])
        title, markdown = (text.replace("{}", str(number)) for text in texts[name])
        status = "draft" if kind == "draft" else "published"
        body = {"title": title, "markdown": markdown, "audience": "public", "status": status}
        method, sent = ("DELETE", None) if kind == "delete" else ("PUT", body)
        try:
            answered, _ = run.api.call(method, f"/v1/articles/{name}", sent)
        except NO_ANSWER as error:
            run.failed.append(f"{method} of {name}: {error!r}")
            return
        if answered not in GOOD:
            run.failed.append(f"{method} of {name}: {answered}")
            continue
        run.changes[kind] += 1
        if kind != "draft":
            run.acknowledged.append(time.perf_counter())
            published = published - {name} if kind == "delete" else published | {name}
            new = None if kind == "delete" else number
            run.numbers.append(new if name == MARKER else run.numbers[-1])
        time.sleep(draw.uniform(*EDIT_PAUSE))


def _swap(run: Run, sound: Sequence[str]) -> None:
    """Serve the one and the other, half of the times not before the last was seen; between them a bad one."""
    draw = random.Random(SEED)  # noqa: S311 - no secret
    for swap in range(1, SWAPS + 1):
        target = run.kept.roll_back(sound[(swap - 1) % len(sound)]).name
        run.swaps.append((time.perf_counter(), target))
        if draw.random() < 0.5:
            _wait(lambda: run.swaps[-1][1] in run.lines(run.swaps[-1][0]))
        time.sleep(draw.uniform(*SWAP_PAUSE))
        if swap % max(1, SWAPS // len(DAMAGES)) == 0 and len(run.bad) < len(DAMAGES):
            _try_bad(run, DAMAGES[len(run.bad)])
            done = f"{swap} of {SWAPS} swaps, {run.changes.total()} of {CHANGES} changes, {len(run.bad)} bad ones"
            print(f"{done}, {len(run.answers):,} answers, {len(run.failed)} failed", flush=True)


def _try_bad(run: Run, damage: str) -> None:
    """Put a bad generation in place until every worker has refused it, then mend it as an operator would."""
    before, began = len(run.logged()), time.perf_counter()
    sound, bad = run.kept.put_bad(damage)

    def refusing() -> set[int]:
        return {line["pid"] for line in run.logged()[before:] if f"generation {bad} of desk" in line["event"]}

    _wait(lambda: len(refusing()) == WORKERS)
    time.sleep(VISIBLE / 2)
    run.ready += run.api.is_ready()
    run.refusals.append(len(refusing()))
    run.bad.append((bad, began, time.perf_counter()))
    mended = run.kept.mend(sound, bad)
    _wait(lambda: mended in run.lines(run.bad[-1][2]))
    run.mended.append(mended in run.lines(run.bad[-1][2]))


def _wait(until: Callable[[], bool]) -> None:
    end = time.perf_counter() + PATIENCE
    while not until() and time.perf_counter() < end:
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
