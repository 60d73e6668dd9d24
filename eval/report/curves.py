"""What the plots show, as numbers: calibration bins, risk by coverage, hits by rank, shares by time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from eval.report.evidence import NOT_FOUND
from eval.statistics import Array, risk_at_coverage

#: Bins of a reliability diagram, as in `eval.statistics.ece`; fewer where a bin would hold less than LEAST_IN_BIN.
MOST_BINS = 15
LEAST_IN_BIN = 8
RANKS = range(1, 11)
#: Normal quantile of a 95 % interval.
Z = 1.959964
#: Points of a curve: more cannot be seen at its size.
MOST_POINTS = 200


@dataclass(frozen=True)
class Bin:
    """Cases of like confidence: mean confidence, share right, its 95 % interval (Wilson 1927), all in [0, 1]; n."""

    confidence: float
    right: float
    low: float
    high: float
    n: int


def reliability_bins(rows: Array) -> list[Bin]:
    """Return bins of equal mass, the least confident first; rows: confidence, right, of shape (n, 2)."""
    n = len(rows)
    if n == 0:
        return []
    # The steps of the risk curve are the errors case by case, with ties sharing theirs as they do in the ECE.
    errors = np.diff(risk_at_coverage(rows) * np.arange(1, n + 1), prepend=0.0)[::-1]
    confidence = np.sort(rows[:, 0])
    parts = np.array_split(np.arange(n), max(1, min(MOST_BINS, n // LEAST_IN_BIN)))
    return [_bin(float(confidence[part].mean()), float(1 - errors[part].mean()), len(part)) for part in parts]


def risk_curve(rows: Array) -> tuple[Array, Array]:
    """Return coverage and the error at it, both in [0, 1], at up to `MOST_POINTS` coverages up to 1."""
    at = spread(len(rows), MOST_POINTS)
    return (at + 1) / max(len(rows), 1), risk_at_coverage(rows)[at]


def hit_rates(ranks: Sequence[int]) -> list[float]:
    """Return the share of cases with an expected article among the first k, for each k of `RANKS`."""
    found = np.array(ranks)
    return [float(((found != NOT_FOUND) & (found <= k)).mean()) for k in RANKS]


def share_by_time(milliseconds: Sequence[float]) -> tuple[Array, Array]:
    """Return times and the share of suggestions that took at most as long, at up to `MOST_POINTS` of them."""
    at = spread(len(milliseconds), MOST_POINTS)
    return np.sort(np.array(milliseconds))[at], (at + 1) / max(len(milliseconds), 1)


def spread(n: int, points: int) -> Array:
    """Return up to so many of the numbers 0 to n - 1, evenly spread, the last one among them."""
    return np.unique(np.ceil(np.linspace(0, n, min(n, points) + 1)[1:]).astype(np.int64) - 1)


def _bin(confidence: float, right: float, n: int) -> Bin:
    right = min(max(right, 0.0), 1.0)
    center = right + Z * Z / (2 * n)
    half = Z * sqrt(right * (1 - right) / n + Z * Z / (4 * n * n))
    low, high = ((center + sign * half) / (1 + Z * Z / n) for sign in (-1, 1))
    return Bin(confidence, right, max(0.0, low), min(1.0, high), n)
