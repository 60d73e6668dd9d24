"""Do 95 % intervals contain the truth in 95 % of trials? Simulated cases, of which the truth is known."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator

from eval.benches.frame import Bar, Row, between, write_bench
from eval.resampling import Resamples, difference_error, difference_interval, share_interval, value_of
from eval.statistics import Array, Statistic, macro_f1, mean
from triage.risk import proportion_interval

TRIALS = 1_000
SEED = 7
CLASSES = 10
#: (cases, of which so many belong to one requester)
SIZES = ((100, 1), (400, 1), (400, 4))
TARGET = (0.93, 0.97)
TABLE = "95 % intervals that contain the truth"
#: Draws so many cases, in groups of a size, and tells whether the interval contains the truth.
Trial = Callable[[Generator, int, int], bool]


@dataclass(frozen=True)
class Simulated:
    """One simulated metric: its name, its truth, a draw of rows for `cases` cases in groups, and its statistic."""

    name: str
    truth: float
    draw: Callable[[Generator, int, int], Array]
    statistic: Statistic


def by_group(random: Generator, cases: int, size: int, chance: float) -> Array:
    """Return 0 or 1 per case, with this chance; cases of a group share three tenths of their variance."""
    groups = cases // size
    if size == 1:
        chances = np.full(groups, chance)
    else:
        strength = 1 / 0.3 - 1
        chances = random.beta(chance * strength, (1 - chance) * strength, size=groups)
    return (random.random(cases) < np.repeat(chances, size)).astype(np.float64)


def confusion() -> Array:
    """Return the joint chances of truth and guess, shape (classes, classes): uneven classes, some hard to tell."""
    random = np.random.default_rng(SEED)
    share = 1 / np.arange(1, CLASSES + 1)
    right = np.clip(random.normal(0.82, 0.08, CLASSES), 0.4, 0.98)
    spread = random.dirichlet(np.full(CLASSES - 1, 0.5), size=CLASSES) * (1 - right)[:, np.newaxis]
    guess = np.array([np.insert(spread[row], row, right[row]) for row in range(CLASSES)])
    return np.asarray((share / share.sum())[:, np.newaxis] * guess)


def simulated() -> list[Simulated]:
    """Return what is simulated."""
    joint = confusion()
    f1 = float(np.mean(2 * np.diag(joint) / (joint.sum(axis=0) + joint.sum(axis=1))))

    def pairs(random: Generator, cases: int, size: int) -> Array:
        drawn = random.choice(CLASSES**2, size=cases // size, p=joint.ravel())
        # Half of a group's cases repeat its first: the same thing, asked again.
        every = np.repeat(drawn, size)
        fresh = random.choice(CLASSES**2, size=cases, p=joint.ravel())
        every = np.where(random.random(cases) < 0.5, every, fresh)
        return np.column_stack([every // CLASSES, every % CLASSES]).astype(np.float64)

    def share(chance: float) -> Callable[[Generator, int, int], Array]:
        return lambda random, cases, size: by_group(random, cases, size, chance)[:, np.newaxis]

    return [
        Simulated("accuracy 0.85", 0.85, share(0.85), mean),
        Simulated("hit@5 0.93", 0.93, share(0.93), mean),
        Simulated("macro-F1", f1, pairs, macro_f1),
    ]


def covers(metric: Simulated, random: Generator, cases: int, size: int) -> bool:
    """Draw cases and tell whether the interval contains the truth."""
    rows, resamples = metric.draw(random, cases, size), resamples_of(random, cases, size)
    every = np.arange(cases)
    value = value_of(metric.statistic, rows)
    low, high = share_interval(value, resamples.of(metric.statistic, every, rows), cases // size)
    return low <= metric.truth <= high


def covers_difference(random: Generator, cases: int, size: int) -> bool:
    """Draw two runs over the same cases, 0.80 and about 0.84 right, and tell whether the interval has the truth."""
    before = by_group(random, cases, size, 0.80)
    won, lost = random.random(cases) < 0.30, random.random(cases) < 0.025
    after = np.where(before > 0, 1.0 - lost, won.astype(np.float64))
    truth = 0.20 * 0.30 - 0.80 * 0.025
    resamples, every = resamples_of(random, cases, size), np.arange(cases)
    first, second = (resamples.of(mean, every, rows[:, np.newaxis]) for rows in (before, after))
    error = difference_error(second - first, cases // size, cases)
    low, high = difference_interval(float(after.mean() - before.mean()), error, cases // size)
    return low <= truth <= high


def resamples_of(random: Generator, cases: int, size: int) -> Resamples:
    """Return resamples of groups of `size` cases."""
    return Resamples([f"{case // size}" for case in range(cases)], int(random.integers(2**31)))


def main(var: Path, trials: int = TRIALS) -> None:
    """Run the bench."""
    started = time.monotonic()
    random = np.random.default_rng(SEED)
    rows: list[Row] = []
    bars: list[Bar] = []
    tries: dict[str, Trial] = {metric.name: partial(covers, metric) for metric in simulated()}
    tries["paired difference"] = covers_difference
    for cases, size in SIZES:
        for name, covered in tries.items():
            held = sum(covered(random, cases, size) for _ in range(trials))
            low, high = proportion_interval(held, trials)
            grouped = f"{cases} cases" if size == 1 else f"{cases} cases of {cases // size} requesters"
            cell = {"value": held / trials, "low": low, "high": high}
            rows.append(
                {"table": "95 % intervals that contain the truth", "metric": name, "cases": grouped, "share": cell}
            )
            bars.append(between(f"{name}, {grouped}", held / trials, (low, high), TARGET))
            print(f"{name}, {grouped}: {held / trials:.3f}", flush=True)
    write_bench("intervals", started, rows, bars, var / "bench")


if __name__ == "__main__":
    main(Path("var"), int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)
