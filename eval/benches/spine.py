"""The demo desk end to end: how many answerable cases get a draft, how many handoffs are missed, and how fast."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from eval.benches.frame import Bar, at_least, write_bench
from eval.outcomes import Outcome
from eval.run_record import clear
from eval.run_suite import evaluate
from eval.run_text import measurements_table
from triage.assembly import build_engine

REPEATS = 5
COMMAND = str(Path(sys.executable).with_name("firstline"))
SUBJECT, BODY = "Cannot log in after phone change", "I got a new phone and the code app is empty"


def main(desk: Path, var: Path) -> None:
    """Run the bench."""
    started = time.monotonic()
    help_seconds = _seconds([COMMAND, "--help"])
    suggest_seconds = _seconds([COMMAND, "suggest", str(desk), "--subject", SUBJECT, "--body", BODY, "--json"])
    engine = build_engine(desk, var)
    clear(var / "runs" / "spine")
    run = evaluate(desk, var / "runs" / "spine", engine=engine)
    print(measurements_table(run.overall))
    bars = [
        at_least("draft.rate_on_answerable", run["draft.rate_on_answerable"], 0.5),
        at_least("draft.supported_sentences", run["draft.supported_sentences"], 1.0),
        _at_most("firstline --help, seconds", help_seconds, 0.3),
        _at_most("firstline suggest, whole process, seconds", suggest_seconds, 5.0),
    ]
    outcomes = list(run.outcomes())
    rows = [entry.model_dump() for entry in run.overall] + [
        _timing(outcomes, step) for step in ("classify", "search", "draft")
    ]
    write_bench("spine", started, rows, bars, var / "bench")


def _seconds(command: Sequence[str]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
        times.append(time.perf_counter() - start)
    return times


def _at_most(name: str, times: Sequence[float], target: float) -> Bar:
    return Bar(name, median(times), min(times), max(times), f"<= {target:g}", median(times) <= target)


def _timing(outcomes: Sequence[Outcome], step: str) -> dict[str, object]:
    times = sorted(o.suggestion.timing_ms[step] for o in outcomes if o.suggestion and step in o.suggestion.timing_ms)
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    return {"name": f"latency.{step}", "p50_ms": p50, "p95_ms": p95, "n": len(times)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
