"""One metric in two runs over the same cases: the difference, its interval, and whether chance explains it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm
from scipy.stats import t as student

from eval.gates import Gate
from eval.metrics.metric import Metric
from eval.resampling import AGREEMENT, Resamples, difference_error, difference_interval, quantile_for, value_of
from eval.statistics import Array, mean

#: The chance with which a loss of the size called detectable is found.
POWER = 0.80


@dataclass(frozen=True)
class Difference:
    """A gated metric in both runs.

    difference: after - before, with its 95 % interval; p_value: the chance of a loss this large where nothing got
    worse; adjusted: the same after the correction over all gates; detectable: the smallest loss that so many cases
    show with 80 % power. All None where a run has no scored case, or too few to fix the metric; the tests are None
    where all cases hang together.
    """

    gate: Gate
    n: int
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    detectable: float | None = None
    test: str = "not scored"
    fails: bool = False


@dataclass(frozen=True)
class Pair:
    """One metric's scores before and after: case numbers, int64 of shape (n,), and rows, of shape (n, columns)."""

    metric: Metric
    cases: tuple[NDArray[np.int64], NDArray[np.int64]]
    rows: tuple[Array, Array]

    def flips(self) -> list[tuple[int, bool]]:
        """Return (case number, whether it was lost) of the cases of a mean that now score more or less."""
        if self.metric.statistic is not mean:
            return []
        _, first, second = np.intersect1d(*self.cases, return_indices=True)
        before, after = self.rows[0][first, 0], self.rows[1][second, 0]
        flipped = np.flatnonzero(np.abs(before - after) > AGREEMENT)
        lost = (after < before) != self.metric.lower_is_better
        return [(int(self.cases[0][first[row]]), bool(lost[row])) for row in flipped]

    @property
    def values(self) -> tuple[float, float]:
        """The metric before and after; NaN where the cases do not fix it."""
        before, after = (value_of(self.metric.statistic, rows) if len(rows) else np.nan for rows in self.rows)
        return before, after

    @property
    def is_scored(self) -> bool:
        """Whether both runs fix the metric."""
        return bool(np.isfinite(self.values).all())

    @property
    def is_matched(self) -> bool:
        """Whether the same cases are scored in both runs, each 0 or 1."""
        binary = self.metric.statistic is mean and all(bool(np.isin(rows, (0, 1)).all()) for rows in self.rows)
        return binary and np.array_equal(*self.cases)


def difference_of(pair: Pair, gate: Gate, resamples: Resamples, level: float) -> Difference:
    """Test whether a metric got worse.

    Exact McNemar where every case is by itself, scored 0 or 1 in both runs, and neither tolerance nor variation from
    build to build is stated; else the bootstrap's standard error of the paired difference. level: the one-sided
    error rate of one gate, for the smallest detectable loss.
    """
    n = len(np.union1d(*pair.cases))
    if not pair.is_scored:
        return Difference(gate, n)
    before, after = pair.values
    change = after - before
    loss = change if pair.metric.lower_is_better else -change
    groups = resamples.groups_among(np.union1d(*pair.cases))
    if groups < 2:
        return Difference(gate, n, before, after, change, -1.0, 1.0, test="one group")
    error = _standard_error(pair, gate, resamples, groups)
    low, high = difference_interval(change, error, groups)
    detectable = gate.worse_by + (quantile_for(groups, 1 - level) + float(norm.ppf(POWER))) * error
    exact = pair.is_matched and groups == n and gate.worse_by == gate.build_sd == 0
    if exact:
        lost = [was_lost for _, was_lost in pair.flips()]
        p_value = float(binom.sf(sum(lost) - 1, len(lost), 0.5)) if lost else 1.0
        detectable = max(detectable, np.ceil(np.log2(1 / level)) / n)
    else:
        p_value = float(student.sf((loss - gate.worse_by) / error, max(groups - 1, 1)))
    test = "McNemar" if exact else "bootstrap"
    return Difference(gate, n, before, after, change, low, high, p_value, None, float(detectable), test)


def holm(differences: Sequence[Difference], error_rate: float) -> list[Difference]:
    """Adjust p-values for the number of gates (Holm 1979); what stays at or below the error rate fails."""
    tested = sorted((d.p_value, row) for row, d in enumerate(differences) if d.p_value is not None)
    adjusted: dict[int, float] = {}
    largest = 0.0
    for rank, (p_value, row) in enumerate(tested):
        largest = max(largest, min(1.0, p_value * (len(tested) - rank)))
        adjusted[row] = largest
    return [
        replace(d, adjusted=adjusted[row], fails=adjusted[row] <= error_rate) if row in adjusted else d
        for row, d in enumerate(differences)
    ]


def _standard_error(pair: Pair, gate: Gate, resamples: Resamples, groups: int) -> float:
    before, after = (
        pair.metric.statistic(rows, resamples.weights[:, cases])
        for cases, rows in zip(pair.cases, pair.rows, strict=True)
    )
    change = after - before
    sampling = difference_error(change[np.isfinite(change)], groups, len(np.union1d(*pair.cases)))
    return float(np.hypot(sampling, np.sqrt(2) * gate.build_sd))
