"""Intervals from resampled cases: cases that hang together are drawn together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from eval.statistics import Array, Statistic

#: Resamples behind every interval; the standard error that they give is off by about 2 %.
TRIALS = 1_000
LEVEL = 0.95
#: Resamples that differ by no more than this agree.
AGREEMENT = 1e-9


class Resamples:
    """Bootstrap draws of whole groups, shared by all measurements of a run so that they can be compared.

    weights: uint8 of shape (trials, cases): how often each case was drawn; groups: number of each case's group.
    """

    def __init__(self, groups: Sequence[str], seed: int, trials: int = TRIALS) -> None:
        numbers = {group: number for number, group in enumerate(sorted(set(groups)))}
        self.groups = np.array([numbers[group] for group in groups], dtype=np.int64)
        count = len(numbers)
        drawn = np.zeros((trials, count), dtype=np.uint8)
        random = np.random.default_rng(seed)
        for row in drawn:
            row[:] = np.bincount(random.integers(count, size=count), minlength=count)
        self.weights = drawn[:, self.groups]

    def of(self, statistic: Statistic, cases: NDArray[np.int64], rows: Array) -> Array:
        """Return the statistic of every resample that determines it, over the cases that are scored."""
        values = statistic(rows, self.weights[:, cases])
        return np.asarray(values[np.isfinite(values)])

    def groups_among(self, cases: NDArray[np.int64]) -> int:
        """Return how many groups the cases belong to."""
        return len(np.unique(self.groups[cases]))


def value_of(statistic: Statistic, rows: Array) -> float:
    """Return a statistic of all rows, each once."""
    return float(statistic(rows, np.ones((1, len(rows)), dtype=np.uint8))[0])


def share_interval(value: float, resampled: Array, groups: int) -> tuple[float, float]:
    """Return the 95 % interval of a statistic in [0, 1]: Wilson's, at the sample size that the resamples imply.

    The bootstrap's spread says how many independent cases the data are worth (Korn and Graubard 1998), with Student's
    quantile for few groups; Wilson's form stays inside [0, 1] and has a width at 0 and 1, where resamples all agree.
    The distance of the resamples' mean from the value is the statistic's bias (macro-F1 over rare classes, ECE): the
    centre gives way by it, and the spread is taken about the value. Where the spread is no share's at all (an ECE near
    zero), the plain normal interval stands in.
    """
    if groups < 2 or not len(resampled):
        return 0.0, 1.0
    error = float(np.sqrt(np.mean((resampled - value) ** 2) * groups / (groups - 1)))
    center = min(1.0, max(0.0, 2 * value - float(resampled.mean())))
    z = quantile_for(groups)
    n = float(groups) if error <= AGREEMENT else center * (1 - center) / error**2
    if n < groups / 4:
        middle, half = center, z * error
    else:
        middle = (center + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * float(np.sqrt(center * (1 - center) / n + z * z / (4 * n * n)))
    # Neither rounding nor the correction may put the value outside.
    return max(0.0, min(middle - half, value)), min(1.0, max(middle + half, value))


def percentile_interval(resampled: Array) -> tuple[float, float]:
    """Return the middle 95 % of the resamples: for milliseconds and rates, which have no upper end."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def difference_error(resampled: Array, groups: int, cases: int) -> float:
    """Return the standard error of a paired difference, over two groups or more.

    Two runs that agree on every case have shown that they are alike, not that they are the same: one case is added in
    quadrature, as if it had flipped (Agresti and Min 2005), and the error is never below one group's share.
    """
    return max(float(np.hypot(spread_of(resampled, groups), 1 / cases)), 1 / groups)


def difference_interval(value: float, error: float, groups: int) -> tuple[float, float]:
    """Return the 95 % interval of a paired difference with its standard error."""
    half = quantile_for(groups) * error
    return value - half, value + half


def spread_of(resampled: Array, groups: int) -> float:
    """Return the standard error that resamples of so many groups show; groups > 1."""
    return float(resampled.std(ddof=1) * np.sqrt(groups / (groups - 1))) if len(resampled) > 1 else 0.0


def quantile_for(groups: int, level: float = (1 + LEVEL) / 2) -> float:
    """Return Student's quantile with groups - 1 degrees of freedom."""
    return float(student.ppf(level, max(groups - 1, 1)))
