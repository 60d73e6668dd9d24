"""Labels that are taken for each other, and labels that are too small to rely on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Literal

import numpy as np

from models.protocols import IntArray
from triage.audit_labels import FEWEST_ROWS, Chances
from triage.risk import ASSURANCE

#: Labels overlap where tickets of either give the other this chance on average, and surely half of it.
OVERLAP = 0.05
SURELY = OVERLAP / 2
#: And where so many tickets were taken for the other label.
FEWEST_MISTAKEN = 3
BETWEEN = 3
RESAMPLES = 1_000
SEED = 20

Weakness = Literal["no_history", "never_predicted", "too_small"]


@dataclass(frozen=True)
class Overlap:
    """Two labels, as positions, between which the head cannot tell well.

    mass: the mean held-out chance that rows of either give the other, with its 95 % interval; mistaken: rows of
    `first` whose best guess was `second`, and the other way round; n: rows of each; between: rows that sit between.
    """

    first: int
    second: int
    mass: float
    low: float
    high: float
    mistaken: tuple[int, int]
    n: tuple[int, int]
    between: tuple[int, ...]


@dataclass(frozen=True)
class WeakLabel:
    """A label, as a position, with too few held-out rows: `needed` would do if the head were right on all of them."""

    label: int
    rows: int
    predicted: int
    needed: int
    weakness: Weakness


def overlapping_labels(chances: Chances, targets: IntArray) -> list[Overlap]:
    """Return pairs of labels that overlap, most overlapping first; chances: held-out, shape (rows, labels)."""
    labels = chances.shape[1]
    rows = np.bincount(targets, minlength=labels)
    given = np.zeros((labels, labels))
    np.add.at(given, targets, chances)
    mistaken = np.zeros((labels, labels), dtype=np.int64)
    np.add.at(mistaken, (targets, chances.argmax(axis=1)), 1)
    mass = (given + given.T) / np.maximum(rows + rows[:, np.newaxis], 1)
    enough = (rows[:, np.newaxis] >= FEWEST_ROWS) & (rows >= FEWEST_ROWS)
    likely = np.triu(enough & (mass >= OVERLAP) & (mistaken + mistaken.T >= FEWEST_MISTAKEN), k=1)
    found = [_overlap(chances, targets, mistaken, int(one), int(two)) for one, two in np.argwhere(likely)]
    return sorted((pair for pair in found if pair.low >= SURELY), key=lambda pair: -pair.mass)


def fewest_rows(max_error: float) -> int:
    """Return with how many rows, all right, an exact binomial bound keeps the error with 90 % assurance."""
    return ceil(log(1 - ASSURANCE) / log(1 - max_error))


def weak_labels(chances: Chances, targets: IntArray, max_error: float) -> list[WeakLabel]:
    """Return the labels that have no held-out row, were never the best guess, or have fewer rows than could do."""
    labels, needed = chances.shape[1], fewest_rows(max_error)
    rows = np.bincount(targets, minlength=labels)
    predicted = np.bincount(chances.argmax(axis=1), minlength=labels)
    found = []
    for label in range(labels):
        weakness: Weakness | None = None
        if rows[label] == 0:
            weakness = "no_history"
        elif predicted[label] == 0:
            weakness = "never_predicted"
        elif rows[label] < needed:
            weakness = "too_small"
        if weakness:
            found.append(WeakLabel(label, int(rows[label]), int(predicted[label]), needed, weakness))
    order: Sequence[Weakness] = ("no_history", "never_predicted", "too_small")
    return sorted(found, key=lambda weak: (order.index(weak.weakness), weak.rows))


def _overlap(chances: Chances, targets: IntArray, mistaken: IntArray, first: int, second: int) -> Overlap:
    rows = np.flatnonzero((targets == first) | (targets == second))
    own, other = chances[rows, targets[rows]], chances[rows, first + second - targets[rows]]
    random = np.random.default_rng(SEED)
    means = other[random.integers(0, len(rows), (RESAMPLES, len(rows)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    between = rows[np.argsort(-np.minimum(own, other), kind="stable")[:BETWEEN]]
    return Overlap(
        first,
        second,
        float(other.mean()),
        float(low),
        float(high),
        (int(mistaken[first, second]), int(mistaken[second, first])),
        (int((targets == first).sum()), int((targets == second).sum())),
        tuple(int(row) for row in between),
    )
