"""Do the gates fire when they should, and stay silent when they should?

A desk is rebuilt with other seeds (nothing got worse: the gates may fail as often as they state), and with faults
planted on purpose (each must make the comparison fail).
"""

import json
import logging
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import stdev

from eval.benches.frame import Bar, Row, between, tables_text, write_bench
from eval.compare_runs import Comparison, compare_runs
from eval.gates import DEFAULT_GATES, Gate, read_gates
from eval.run_record import Run
from eval.run_suite import evaluate
from models.embedding_cache import EmbeddingCache
from models.protocols import TextEncoder
from triage.assembly import build_engine, encoder_for_build, generations_of
from triage.build import build_generation
from triage.desk_files import read_desk
from triage.drafting.handoff import HANDOFF_RULES
from triage.folds import SEED, FoldPlan
from triage.risk import proportion_interval

# The lexical index tells its every step.
logging.getLogger("bm25s").setLevel(logging.WARNING)

RESEEDED = range(1, 21)
#: Seeds that the gates' `build_sd` were measured on; no other seed was looked at for it.
MEASURED = range(101, 111)
REPEATS = 5
SHUFFLED, MISSING = 0.20, 0.30


class Workshop:
    """Builds versions of one desk and runs its cases, encoding every text once."""

    def __init__(self, desk: Path, var: Path) -> None:
        self._source, self._var = desk, var
        self._work = var / "bench" / "gates"
        shutil.rmtree(self._work, ignore_errors=True)
        self._encoder: TextEncoder = EmbeddingCache(encoder_for_build(read_desk(desk), var))

    def run(self, name: str, change: Callable[[Path], None] = lambda folder: None, seed: int = SEED) -> Run:
        """Change a copy of the desk, build it and run its cases."""
        home = self._work / name.replace(" ", "-")
        folder, var = home / "desk", home / "var"
        shutil.copytree(self._source, folder)
        change(folder)
        desk = read_desk(folder)
        settings = desk.rules.settings
        build_generation(desk, self._encoder, generations_of(settings, var), datetime.now(UTC), plan=FoldPlan(seed))
        (var / "encoders").symlink_to((self._var / "encoders").resolve())
        engine = replace(build_engine(folder, var), encoder=self._encoder)
        return evaluate(folder, home / "run", engine=engine)


def shuffle_labels(seed: int) -> Callable[[Path], None]:
    """Return the change that shuffles the labels of a fifth of the past tickets among themselves."""

    def change(folder: Path) -> None:
        path = folder / "history.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        chosen = random.Random(seed).sample(range(len(rows)), round(SHUFFLED * len(rows)))  # noqa: S311 - no secret
        labels = [rows[row]["labels"] for row in chosen]
        random.Random(seed + 1).shuffle(labels)  # noqa: S311
        for row, label in zip(chosen, labels, strict=True):
            rows[row]["labels"] = label
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    return change


def unpublish(seed: int) -> Callable[[Path], None]:
    """Return the change that takes three in ten of the published articles out of search."""

    def change(folder: Path) -> None:
        published = [path for path in sorted((folder / "articles").glob("*.md")) if "status: published" in _text(path)]
        for path in random.Random(seed).sample(published, round(MISSING * len(published))):  # noqa: S311
            path.write_text(_text(path).replace("status: published", "status: draft", 1), encoding="utf-8")

    return change


def switch_off(rule: str) -> Callable[[Path], None]:
    """Return the change that switches a handoff rule off."""

    def change(folder: Path) -> None:
        path = folder / "policy.toml"
        text = _text(path)
        head = f"[rules.{rule}]\n"
        text = text.replace(head, f"{head}on = false\n") if head in text else f"{text}\n{head}on = false\n"
        path.write_text(text, encoding="utf-8")

    return change


def faults() -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield the faults that are planted."""
    for seed in range(REPEATS):
        yield f"labels of 20 % shuffled, draw {seed + 1}", shuffle_labels(seed)
    for seed in range(REPEATS):
        yield f"30 % of articles missing, draw {seed + 1}", unpublish(seed)
    for rule in HANDOFF_RULES:
        yield f"rule {rule} off", switch_off(rule)


def variation(runs: Sequence[Run], gates: Sequence[Gate]) -> list[Row]:
    """Return by how much the gated metrics vary over builds that differ in their seed alone."""
    table = "Variation from build to build"
    by_metric = {gate.metric: [run[gate.metric].value or 0.0 for run in runs] for gate in gates}
    return [
        {"table": table, "metric": name, "least": min(found), "most": max(found), "standard deviation": stdev(found)}
        for name, found in by_metric.items()
    ]


def why(found: Comparison) -> str:
    """Return what failed, in a few words."""
    worse = [f"{d.gate.metric} {d.difference:+.2f}" for d in found.differences if d.fails]
    lost = Counter(flip.metric for flip in found.broken)
    silenced = [f"{code} no longer given" for code in found.silenced]
    return ", ".join([*worse, *(f"{count} newly lost in {metric}" for metric, count in lost.items()), *silenced])


def main(desk: Path, var: Path) -> None:
    """Run the bench."""
    started = time.monotonic()
    gates = read_gates(DEFAULT_GATES)
    workshop = Workshop(desk, var)
    baseline = workshop.run("baseline")
    rows = variation([workshop.run(f"measured {seed}", seed=seed) for seed in MEASURED], gates.gate)
    print(tables_text(rows), end="\n\n", flush=True)

    def fails(table: str, name: str, run: Run) -> bool:
        found = compare_runs(baseline, run, gates)
        verdict = "fails" if found.fails else "passes"
        rows.append({"table": table, "version": name, "verdict": verdict, "why": why(found)})
        print(f"{name:<40} {verdict:<6} {why(found)}", flush=True)
        return found.fails

    reseeded = [
        fails("Nothing got worse", f"seed {seed}", workshop.run(f"seed {seed}", seed=seed)) for seed in RESEEDED
    ]
    planted = [fails("Planted faults", name, workshop.run(name, change)) for name, change in faults()]
    bars = [
        bar_of_share("reseeded builds that fail", reseeded, (0.0, gates.error_rate)),
        bar_of_share("planted faults that fail", planted, (1.0, 1.0)),
    ]
    write_bench("gates", started, rows, bars, var / "bench")


def bar_of_share(name: str, hits: Sequence[bool], target: tuple[float, float]) -> Bar:
    """Hold a share of trials against a range."""
    return between(name, sum(hits) / len(hits), proportion_interval(sum(hits), len(hits)), target)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
