"""How a history is split, so that every row is judged by a head that has not seen it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
SEED = 20
#: As many folds as hold this many rows choose the penalty; more tell hardly more and take longer.
ENOUGH_ROWS = 1_000
#: As many labels choose it, too: with a thousand of them a fit takes a minute, and a search takes twenty fits.
ENOUGH_LABELS = 200
#: Past tickets that a field learns from at most: more hardly change a head and do not fit into memory.
MAX_LEARNT = 50_000
#: A label of no more rows than this is learnt from whole.
FEW_OF_LABEL = 20


@dataclass(frozen=True)
class FoldPlan:
    """How the history is split for judging.

    seed: shuffles the folds; judging: the rows that may judge, None for all. The others are only learnt from: an
    encoder that was tuned on a row knows its label.
    """

    seed: int = SEED
    judging: frozenset[int] | None = None

    def among(self, rows: Sequence[int]) -> "FoldPlan":
        """Return the plan for some of the rows, numbered anew."""
        if self.judging is None:
            return self
        return FoldPlan(self.seed, frozenset(place for place, row in enumerate(rows) if row in self.judging))

    def folds(self, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a fold number per row, -1 for a row that does not judge."""
        if self.judging is None:
            return stratified_folds(targets, self.seed)
        rows = np.array(sorted(self.judging), dtype=np.int64)
        folds = np.full(len(targets), -1, dtype=np.int64)
        folds[rows] = stratified_folds(targets[rows], self.seed)
        return folds


ALL_JUDGE = FoldPlan()


def stratified_folds(targets: NDArray[np.int64], seed: int = SEED) -> NDArray[np.int64]:
    """Return a fold number per row, classes spread evenly; a class may have fewer rows than folds."""
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    folds = np.zeros(len(targets), dtype=np.int64)
    folds[by_class] = np.arange(len(targets)) % FOLDS
    return folds


def folds_that_hold(judging: int, enough: int = ENOUGH_ROWS) -> int:
    """Return how many of the folds of so many judging rows hold enough of them; all where there are too few."""
    return min(FOLDS, math.ceil(enough * FOLDS / max(judging, 1)))


def rows_to_choose_by(targets: NDArray[np.int64], seed: int = SEED) -> NDArray[np.int64]:
    """Return the rows that choose the penalty: all, or those of `ENOUGH_LABELS` labels drawn by lot."""
    present = np.unique(targets)
    if len(present) <= ENOUGH_LABELS:
        return np.arange(len(targets))
    drawn = np.random.default_rng(seed).choice(present, ENOUGH_LABELS, replace=False)
    return np.flatnonzero(np.isin(targets, drawn))


def thinned(rows: NDArray[np.int64], labels: NDArray[np.str_], most: int = MAX_LEARNT) -> NDArray[np.int64]:
    """Return every so many of the rows where there are more than `most`, and all of rare labels; order is kept.

    rows: ascending; labels: one for each of them.
    """
    if len(rows) <= most:
        return rows
    codes = np.unique(labels, return_inverse=True)[1]
    kept = np.bincount(codes)[codes] <= FEW_OF_LABEL
    kept[:: math.ceil(len(rows) / most)] = True
    return rows[kept]
