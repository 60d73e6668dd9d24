"""10,000 cases through the whole pipeline: tickets per second, and memory from beginning to end.

The desk's cases are repeated under other ids, requesters and order words, so that no two tickets are the same text.
"""

import json
import sys
import time
from pathlib import Path

from eval.benches.frame import Bar, Row, write_bench
from eval.machine import memory_mib, peak_mib
from eval.run_record import clear
from eval.run_suite import evaluate
from models.protocols import Progress
from triage.assembly import build_engine

CASES = 10_000
#: Memory is looked at after so many cases.
EVERY = 500
#: The first looks are still of a process that fills its caches.
SETTLED = 1_000


def write_cases(source: Path, path: Path, count: int) -> None:
    """Write so many cases, the desk's own over and over, each with an id and a closing line of its own."""
    cases = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            case = json.loads(json.dumps(cases[number % len(cases)]))
            case["id"] = f"{case['id']}-{number}"
            ticket = case["ticket"]
            ticket["id"] = f"T-{number}"
            ticket.setdefault("requester", {})["id"] = f"c-{number}"
            if str(ticket.get("body") or "").strip():
                ticket["body"] += f"\n\nOur reference is {number}."
            file.write(json.dumps(case, ensure_ascii=False) + "\n")


def main(desk: Path, var: Path, count: int = CASES) -> None:
    """Run the bench."""
    started = time.monotonic()
    folder = var / "bench" / "throughput"
    folder.mkdir(parents=True, exist_ok=True)
    write_cases(desk / "cases.jsonl", folder / "cases.jsonl", count)
    clear(folder / "run")
    looks: dict[int, float] = {}
    run = evaluate(desk, folder / "run", folder / "cases.jsonl", build_engine(desk, var), progress=watch(looks))
    settled = [memory for done, memory in looks.items() if done >= min(SETTLED, count // 2)]
    growth = max(settled) / settled[0]
    speed = run["latency.tickets_per_second"]
    rows: list[Row] = [
        {"table": f"{count:,} cases, whole pipeline", "cases done": done, "memory MiB": round(memory)}
        for done, memory in looks.items()
        if done % (count // 10) == 0 or done == EVERY
    ]
    bars = [
        Bar("tickets per second", speed.value or 0, speed.low or 0, speed.high or 0, "printed", True),
        Bar("memory at most, over memory once settled", growth, 1.0, growth, "<= 1.1", growth <= 1.1),
        Bar("peak memory with measuring, MiB", peak_mib(), peak_mib(), peak_mib(), "printed", True),
    ]
    write_bench("throughput", started, rows, bars, var / "bench")


def watch(looks: dict[int, float]) -> Progress:
    """Return a progress that looks at memory and says how far it is."""

    def progress(step: str, done: int, total: int) -> None:
        if step == "cases" and done % EVERY == 0:
            looks[done] = memory_mib()
            print(f"{done} of {total} cases, {looks[done]:.0f} MiB", flush=True)

    return progress


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"), int(sys.argv[2]) if len(sys.argv) > 2 else CASES)
