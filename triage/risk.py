"""The threshold that keeps a stated error, and the refusal when none does."""

from bisect import bisect_left
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
    n: held-out rows; reachable: the stated error where it is kept, else the next whole percentage that could be stated
    and kept (1 where there is none).
    """

    threshold: float | None
    max_error: float
    coverage: float
    n: int
    reachable: float

    def sentence(self, field: str) -> str:
        """Say the outcome in one line."""
        if self.threshold is None:
            nearest = f"the nearest is {self.reachable:.0%}" if self.reachable < 1 else "nor is any other"
            return (
                f"{field}: an error of {self.max_error:.0%} is not reachable with {self.n} tickets ({nearest}); "
                "it stays undecided"
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
    best = _walked(bounds, ends, max_error)
    if best < 0:
        # A looser error never decides less: halving finds the first that decides at all.
        looser = [share / 100 for share in range(1, 100) if share / 100 > max_error]
        first = bisect_left(looser, True, key=lambda share: _walked(bounds, ends, share) >= 0)
        return RiskThreshold(None, max_error, 0.0, n, looser[first] if first < len(looser) else 1.0)
    return RiskThreshold(float(confidence[order][best]), max_error, (best + 1) / n, n, max_error)


def _walked(bounds: NDArray[np.float64], ends: NDArray[np.int64], max_error: float) -> int:
    """Return the last row that any of the walks decides, -1 where none decides."""
    n, best = len(bounds), -1
    strictest = int(np.ceil(np.log((1 - ASSURANCE) / STARTS) / np.log(1 - max_error)))
    for start in (strictest, n // 3, 2 * n // 3):
        for position in ends[ends + 1 >= max(start, strictest)]:
            if bounds[position] > max_error:
                break
            best = max(best, int(position))
    return best


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
