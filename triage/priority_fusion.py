"""Joins the learned head with the desk's priority matrix: a log-linear pool of both, weighted by what history shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import fit_temperature
from models.linear_head import FloatMatrix, softmax

#: Without history to weigh it by, a label loses so much of its logit for each rank that it is off. Beside heads that
#: know descriptions alone this helped where priorities follow such factors, and cost nothing where they hardly do.
DEFAULT_WEIGHT = 0.75
#: Fewer held-out rows than this cannot weigh anything.
FEW_ROWS = 30
HIGHEST_WEIGHT = 8.0
#: The log likelihood that a weight has to gain over all held-out rows: less is chance one time in twenty (a likelihood
#: ratio test of one parameter that cannot be negative).
LEAST_GAIN = 1.353


@dataclass(frozen=True, slots=True)
class FittedWeight:
    """What agreement with the matrix weighs beside the head's logits, and the temperature of both together."""

    weight: float
    temperature: float


def agreement(labels: Sequence[str], matrix_label: str | None, ranked: Sequence[str] | None) -> NDArray[np.float64]:
    """Return how well each label agrees with the matrix, shape (labels,): 0 for its own label, less for others.

    A label loses 1 for each rank that lies between; without ranks every other label loses 1. Where the matrix says
    nothing all labels agree alike: 0.
    """
    if matrix_label is None:
        return np.zeros(len(labels))
    if ranked is None:
        return np.array([0.0 if label == matrix_label else -1.0 for label in labels])
    place = {label: number for number, label in enumerate(ranked)}
    return np.array([-float(abs(place[label] - place[matrix_label])) for label in labels])


def fuse(logits: FloatMatrix, agreements: FloatMatrix, weight: float) -> FloatMatrix:
    """Return the logits of head and matrix together; all of shape (rows, labels), the temperature not yet applied."""
    return logits + weight * agreements


def fit_weight(logits: FloatMatrix, agreements: FloatMatrix, targets: NDArray[np.int64]) -> FittedWeight:
    """Return the weight in [0, 8] and the temperature that together minimise the log loss of held-out rows.

    logits: shape (rows, labels), from a head that did not see the rows; agreements: likewise, from `agreement`;
    targets: label positions, shape (rows,). Divided by the temperature this is one convex problem. The weight is 0
    where it gains no more than chance would, so that factors never cost a desk anything on these rows; with fewer than
    30 rows it is DEFAULT_WEIGHT.
    """
    if len(targets) < FEW_ROWS:
        return FittedWeight(DEFAULT_WEIGHT, fit_temperature(fuse(logits, agreements, DEFAULT_WEIGHT), targets))
    from scipy.optimize import minimize_scalar

    def loss(weight: float) -> float:
        fused = fuse(logits, agreements, weight)
        return log_loss(fused / fit_temperature(fused, targets), targets)

    # In steps of the square root: most weights are small, and there precision counts.
    found = minimize_scalar(lambda root: loss(root**2), bounds=(0.0, math.sqrt(HIGHEST_WEIGHT)), method="bounded")
    weight = float(found.x) ** 2
    if len(targets) * (loss(0.0) - loss(weight)) <= LEAST_GAIN:
        weight = 0.0
    return FittedWeight(weight, fit_temperature(fuse(logits, agreements, weight), targets))


def log_loss(logits: FloatMatrix, targets: NDArray[np.int64]) -> float:
    """Return the mean log loss of calibrated logits of shape (rows, labels)."""
    chances = softmax(logits)[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(chances, 1e-12)).mean())
