"""Does a threshold keep the error that it states? Held-out logits of training rows, split again and again in two.

One half finds temperature and threshold, the other shows how often the error is exceeded. Reads training rows of
Banking77, CLINC150 and the ticket set under ``$DATA``, and no test row.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Row, data_folder, write_bench
from eval.loaders import load
from eval.loaders.write_desk import write_desk
from models.calibration import fit_temperature
from models.linear_head import softmax
from triage.assembly import encoder_for_build, generations_of, remembering
from triage.build import build_generation
from triage.desk_files import read_desk
from triage.generation_files import FIELDS
from triage.held_out import HeldOut, read_held_out
from triage.risk import find_threshold, proportion_interval

SETS = {"banking77": "banking77", "clinc150": "clinc150", "tobi_tickets": "ticket_csv"}
STATED = (0.02, 0.05, 0.10)
SPLITS = 200
SEED = 20
#: How often a threshold may exceed what it states: its assurance is 90 %.
MAY_EXCEED = 0.10
#: Coverage that Banking77 should keep at 5 %.
COVERAGE = ("banking77", 0.05, 0.90)


@dataclass(frozen=True)
class Resplit:
    """What one split came to on the half that was kept aside; coverage 0 and no error where nothing was decided."""

    coverage: float
    error: float


def main(wanted: Sequence[str], var: Path) -> None:
    """Run the bench over all sets, or those that are named."""
    started = time.monotonic()
    rows: list[Row] = []
    bars: list[Bar] = []
    for name in wanted or SETS:
        held_out = held_out_of(name, var)
        for stated in STATED:
            found = [resplit(held_out, stated, seed) for seed in range(SEED, SEED + SPLITS)]
            row, more = outcome_of(name, stated, len(held_out.rows), found)
            rows.append(row)
            bars += more
    write_bench("stated_risk", started, rows, bars, var / "bench")


def held_out_of(name: str, var: Path) -> HeldOut:
    """Build a desk from a set's training rows and return what its category said of rows that it had not seen."""
    source = data_folder(name)
    loaded = load(SETS[name], next(source.glob("*.csv*")) if SETS[name] == "ticket_csv" else source, held_out="train")
    folder = var / "bench" / "stated_risk" / name
    desk = read_desk(write_desk(loaded, folder).folder)
    print(f"{name}: {len(desk.history)} training rows")
    now = datetime.now(UTC)
    encoder = remembering(encoder_for_build(desk, var), var, now.date())
    generations = generations_of(desk.rules.settings, var)
    build_generation(desk, encoder, generations, now)
    return read_held_out(generations.open_current(print).folder / FIELDS)["category"]


def resplit(held_out: HeldOut, stated: float, seed: int) -> Resplit:
    """Find a threshold on a random half of the rows and use it on the other."""
    rows = np.random.default_rng(seed).permutation(len(held_out.rows))
    finding, judging = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    logits = held_out.logits.astype(np.float64)
    temperature = fit_temperature(logits[finding], held_out.targets[finding])
    chances = softmax(logits / temperature)
    confidence, correct = chances.max(axis=1), chances.argmax(axis=1) == held_out.targets
    threshold = find_threshold(confidence[finding], correct[finding], stated).threshold
    decided = confidence[judging] >= threshold if threshold is not None else np.zeros(len(judging), dtype=bool)
    if not decided.any():
        return Resplit(0.0, 0.0)
    return Resplit(float(decided.mean()), float(1 - correct[judging][decided].mean()))


def outcome_of(name: str, stated: float, n: int, found: Sequence[Resplit]) -> tuple[Row, list[Bar]]:
    """Return a set's row at one stated error, and its bars."""
    exceeded = sum(split.error > stated for split in found)
    share, interval = exceeded / len(found), proportion_interval(exceeded, len(found))
    coverages = [split.coverage for split in found]
    coverage = float(np.mean(coverages))
    spread = float(np.quantile(coverages, 0.025)), float(np.quantile(coverages, 0.975))
    row: Row = {
        "table": f"Stated error of the category over {SPLITS} splits",
        "system": name,
        "n": n,
        "stated": f"{stated:.0%}",
        "exceeded": {"value": share, "low": interval[0], "high": interval[1]},
        "mean error": {"value": float(np.mean([split.error for split in found])), "low": None, "high": None},
        "coverage": {"value": coverage, "low": spread[0], "high": spread[1]},
    }
    # What is held against the bar is the lower end: chance may put a sound threshold above it.
    bars = [
        Bar(
            f"{name}, {stated:.0%}: exceeded at least",
            interval[0],
            *interval,
            f"<= {MAY_EXCEED:g}",
            interval[0] <= MAY_EXCEED,
        )
    ]
    if (name, stated) == COVERAGE[:2]:
        wanted = COVERAGE[2]
        bars.append(Bar(f"{name}, {stated:.0%}: coverage", coverage, *spread, f">= {wanted:g}", coverage >= wanted))
    return row, bars


if __name__ == "__main__":
    main(sys.argv[1:], Path("var"))
