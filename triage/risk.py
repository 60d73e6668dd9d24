"""The threshold that keeps a stated error, and the refusal when none does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The chance that a threshold found here holds its promise.
ASSURANCE = 0.90
STARTS = 3


@dataclass(frozen=True, slots=True)
class RiskThreshold:
    """The outcome of the search: decide at `threshold` and above.

    threshold: a confidence, or None where no threshold keeps the error; coverage: share of held-out rows decided;
    n: held-out rows; reachable: the smallest error bound that any threshold reaches (1 where there are no rows).
    """

    threshold: float | None
    max_error: float
    coverage: float
    n: int
    reachable: float

    def sentence(self, field: str) -> str:
        """Say the outcome in one line."""
        if self.threshold is None:
            return (
                f"{field}: an error of {self.max_error:.0%} is not reachable with {self.n} tickets "
                f"(nearest {self.reachable:.1%}); it stays undecided"
            )
        return f"{field}: decides {self.coverage:.0%} of tickets with at most {self.max_error:.0%} errors"


def find_threshold(confidence: NDArray[np.float64], correct: NDArray[np.bool_], max_error: float) -> RiskThreshold:
    """Find the lowest threshold whose selective error is below `max_error` with 90 % assurance.

    confidence: held-out top confidences, shape (rows,); correct: whether the top label was right. Thresholds are
    tested by an exact binomial bound (Clopper-Pearson) along three fixed sequences: from the strictest that could pass
    at all, from a third and from two thirds of the rows, each going down until its first failure. Where the walks
    begin depends on n alone and each has a third of the risk, so nothing is owed for the search (fixed-sequence
    testing in "Learn then Test", Angelopoulos et al. 2021).
    """
    n = len(confidence)
    if n == 0:
        return RiskThreshold(None, max_error, 0.0, 0, 1.0)
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, n + 1)
    bounds = upper_error_bound(np.cumsum(~correct[order]), counts, (1 - ASSURANCE) / STARTS)
    # Rows of equal confidence are decided together: only the last of a run is a threshold.
    ends = np.flatnonzero(np.append(confidence[order][:-1] > confidence[order][1:], True))
    strictest = int(np.ceil(np.log((1 - ASSURANCE) / STARTS) / np.log(1 - max_error)))
    best = -1
    for start in (strictest, n // 3, 2 * n // 3):
        for position in ends[counts[ends] >= max(start, strictest)]:
            if bounds[position] > max_error:
                break
            best = max(best, int(position))
    reachable = float(bounds[ends].min())
    if best < 0:
        return RiskThreshold(None, max_error, 0.0, n, reachable)
    return RiskThreshold(float(confidence[order][best]), max_error, (best + 1) / n, n, reachable)


def upper_error_bound(errors: NDArray[np.int64], counts: NDArray[np.int64], risk: float) -> NDArray[np.float64]:
    """Return the one-sided Clopper-Pearson upper bound of an error rate at level 1 - risk, element by element."""
    from scipy.stats import beta

    bounds = beta.ppf(1 - risk, errors + 1, np.maximum(counts - errors, 1))
    return np.asarray(np.where(errors >= counts, 1.0, bounds), dtype=np.float64)


def proportion_interval(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a proportion; (0, 1) where n is 0."""
    if n == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
