"""Temperature scaling and the expected calibration error."""

import numpy as np
from numpy.typing import NDArray

from models.linear_head import FloatMatrix, softmax

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: FloatMatrix, targets: NDArray[np.int64]) -> float:
    """Return the temperature in [0.05, 20] that minimises the log loss of held-out logits (Guo et al. 2017).

    logits: shape (rows, labels), from a model that did not see the rows; targets: label positions, shape (rows,).
    Dividing by it keeps the ranking. With no rows the temperature is 1.
    """
    if len(targets) == 0:
        return 1.0
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        chances = softmax(logits / np.exp(log_temperature))[rows, targets]
        return float(-np.log(np.maximum(chances, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def expected_calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.float64] | NDArray[np.bool_], bins: int = 15
) -> float:
    """Return the top-label ECE over bins of equal mass: mean |confidence - accuracy|, weighted by bin size."""
    if len(confidence) == 0:
        raise ValueError("the calibration error of no rows is not defined")
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(float(confidence[part].mean()) - float(correct[part].mean())) for part in parts]
    return sum(gaps) / len(confidence)
