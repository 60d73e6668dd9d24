"""Labels of the history that are probably wrong, by confident learning, and texts that stand there with two labels.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (2021): a row is confidently
of a label if its chance reaches the mean chance that rows of this label have of it. What is counted so, label against
label, tells how many rows are labelled wrong. As many as there may be are suspected, the first those whose given label
is least likely beside the likeliest.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.protocols import IntArray
from triage.cleaning import normalise
from triage.risk import proportion_interval

Chances = NDArray[np.float64]

#: With fewer rows of a label, a fold may see none: nothing can be said of its rows, and nobody is told to use it.
FEWEST_ROWS = 5
RESAMPLES = 200
SEED = 20
#: Where a chance is smaller, its logarithm says no more.
SMALLEST = 1e-12


@dataclass(frozen=True)
class WrongLabels:
    """How many labels of a field are wrong: an estimate with its 95 % interval, among the `n` rows that were judged.

    Tickets of which nobody could tell the label from the text count as wrong where the head is sure of another one.
    """

    expected: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Suspect:
    """A row whose label is probably wrong; `given` and `suggested` are label positions."""

    row: int
    given: int
    suggested: int
    given_chance: float
    suggested_chance: float


def judged_labels(targets: IntArray, labels: int) -> NDArray[np.bool_]:
    """Return which labels have enough rows to be judged, shape (labels,)."""
    return np.bincount(targets, minlength=labels) >= FEWEST_ROWS


def confident_joint(chances: Chances, targets: IntArray) -> NDArray[np.float64]:
    """Return how many rows of each given label are of each label in truth, shape (labels, labels).

    Counted over the rows that are confidently of any label, then scaled to the number of rows of the given label. A
    label none of whose rows are is taken to be right.
    """
    n, labels = chances.shape
    rows = np.bincount(targets, minlength=labels).astype(np.float64)
    own = np.bincount(targets, weights=chances[np.arange(n), targets], minlength=labels)
    enough = np.divide(own, rows, out=np.full(labels, np.inf), where=rows > 0)
    passing = np.where(chances >= enough, chances, -1.0)
    truth = passing.argmax(axis=1)
    confident = passing[np.arange(n), truth] >= 0
    cells = targets[confident] * labels + truth[confident]
    joint = np.bincount(cells, minlength=labels * labels).reshape(labels, labels).astype(np.float64)
    counted = joint.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(joint, counted, out=np.eye(labels), where=counted > 0) * rows[:, np.newaxis])


def expected_wrong(chances: Chances, targets: IntArray) -> float:
    """Return how many rows are labelled wrong, by the confident joint."""
    joint = confident_joint(chances, targets)
    return float(joint.sum() - np.trace(joint))


def wrong_labels(chances: Chances, targets: IntArray, resamples: int = RESAMPLES) -> WrongLabels:
    """Estimate how many labels are wrong; chances: held-out, shape (rows, labels); targets: label positions, (rows,).

    The interval is that of resampled rows, and never narrower than a proportion of so many rows has at least.
    """
    chances, targets, _ = _judged(chances, targets)
    n = len(targets)
    if n == 0:
        return WrongLabels(0.0, 0.0, 0.0, 0)
    found = expected_wrong(chances, targets)
    random = np.random.default_rng(SEED)
    draws = (random.integers(0, n, n) for _ in range(resamples))
    low, high = np.quantile([expected_wrong(chances[drawn], targets[drawn]) for drawn in draws], (0.025, 0.975))
    least, most = proportion_interval(round(found), n)
    return WrongLabels(found, min(float(low), n * least, found), max(float(high), n * most, found), n)


def suspect_labels(chances: Chances, targets: IntArray, most: float) -> list[Suspect]:
    """Return suspects, the most suspect first, at most as many as labels may be wrong (the interval's upper end).

    Ranked by the normalised margin of log chances, log(likeliest other / given). Where 5 % of a public set's labels
    were replaced by any other one (by a similar one), 94 % (80 %) of as many suspects were among them; ranked by the
    margin of chances 82 % (80 %), by the given label's chance alone 94 % (79 %).
    """
    rows = np.flatnonzero(judged_labels(targets, chances.shape[1])[targets])
    kept, places, names = _judged(chances, targets)
    at = np.arange(len(places))
    given = kept[at, places]
    others = kept.copy()
    others[at, places] = -1.0
    if not others.size:
        return []
    suggested = others.argmax(axis=1)
    likely = others[at, suggested]
    margins = np.log(np.maximum(likely, SMALLEST)) - np.log(np.maximum(given, SMALLEST))
    first = np.argsort(-margins, kind="stable")[: round(most)]
    return [
        Suspect(int(rows[i]), int(targets[rows[i]]), int(names[suggested[i]]), float(given[i]), float(likely[i]))
        for i in first[margins[first] > 0]
    ]


def contradictions(texts: Sequence[str], labels: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the positions of equal texts that have more than one label; white space and case tell no texts apart."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        if words := " ".join(normalise(text).casefold().split()):
            groups[words].append(place)
    return [tuple(places) for places in groups.values() if len({labels[place] for place in places}) > 1]


def _judged(chances: Chances, targets: IntArray) -> tuple[Chances, IntArray, IntArray]:
    """Return chances and targets of the judged labels and their rows alone, and which labels those are."""
    kept = judged_labels(targets, chances.shape[1])
    names = np.flatnonzero(kept)
    rows = kept[targets]
    places = np.cumsum(kept) - 1
    return chances[np.ix_(rows, kept)].astype(np.float64), places[targets[rows]], names
