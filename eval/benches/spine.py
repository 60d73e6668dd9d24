"""The demo desk end to end: how many answerable cases get a draft, how many handoffs are missed, and how fast."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from eval.benches.frame import Bar, write_bench
from eval.cases import load_cases
from eval.measurement import Measurement
from eval.run_suite import Outcome, measure, run_suite
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
    cases = load_cases(desk / "cases.jsonl", engine.rules.taxonomy, engine.search.documents)
    outcomes = run_suite(engine, cases, datetime.now(UTC))
    measurements = measure(outcomes, engine.rules.taxonomy.fields)
    print(measurements_table(measurements))
    by_name = {entry.name: entry for entry in measurements}
    bars = [
        _at_least("draft.rate_on_answerable", by_name["draft.rate_on_answerable"], 0.5),
        _at_least("draft.supported_sentences", by_name["draft.supported_sentences"], 1.0),
        _at_most("firstline --help, seconds", help_seconds, 0.3),
        _at_most("firstline suggest, whole process, seconds", suggest_seconds, 5.0),
    ]
    rows = [asdict(entry) for entry in measurements] + [
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


def _at_least(name: str, found: Measurement, target: float) -> Bar:
    if found.value is None or found.low is None or found.high is None:
        raise ValueError(f"{name}: no case carries what it needs; add cases to the desk")
    return Bar(name, found.value, found.low, found.high, f">= {target:g}", found.value >= target)


def _at_most(name: str, times: Sequence[float], target: float) -> Bar:
    return Bar(name, median(times), min(times), max(times), f"<= {target:g}", median(times) <= target)


def _timing(outcomes: Sequence[Outcome], step: str) -> dict[str, object]:
    times = sorted(o.suggestion.timing_ms[step] for o in outcomes if o.suggestion and step in o.suggestion.timing_ms)
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    return {"name": f"latency.{step}", "p50_ms": p50, "p95_ms": p95, "n": len(times)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
